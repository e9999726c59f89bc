"""The house rules that a tool can check: types, style, imports from above only, light commands."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
ORDER = (
    "base", "config", "sources", "jobenv", "graph", "archive", "rows", "yql", "cluster", "store",
    "build", "diff", "upload", "backends", "run", "cli", "script",
)  # fmt: skip


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]])
def test_style_and_types_are_clean(command: list[str]) -> None:
    done = subprocess.run([sys.executable, "-m", *command], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def imported(path: Path) -> set[str]:
    """Return the parts of ytbuild that a file imports, anywhere in it."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "ytbuild":
            parts = node.module.split(".")[1:]
            found |= {parts[0]} if parts else {alias.name for alias in node.names}
    return found & set(ORDER)


@pytest.mark.parametrize("part", ORDER)
def test_a_part_imports_only_from_those_above_it(part: str) -> None:
    place = ROOT / "ytbuild" / part
    files = sorted(place.rglob("*.py")) if place.is_dir() else [place.with_suffix(".py")]
    above = set(ORDER[: ORDER.index(part) + 1])
    for path in files:
        allowed = above
        assert imported(path) <= allowed, path


def test_every_part_has_its_place_in_the_order() -> None:
    parts = {path.stem for path in (ROOT / "ytbuild").iterdir() if path.suffix == ".py" or path.is_dir()}
    assert parts - {"__init__", "__main__", "__pycache__"} == set(ORDER)


def test_ytjobs_and_ytbuild_do_not_import_each_other() -> None:
    for one, other in (("ytjobs", "ytbuild"), ("ytbuild", "ytjobs")):
        for path in (ROOT / one).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
                names += [node.module or ""] if isinstance(node, ast.ImportFrom) else []
                assert not any(name.split(".")[0] == other for name in names), path


@pytest.mark.parametrize("slow", ["yt", "duckdb", "boto3", "omegaconf", "msgspec", "yaml", "tarfile"])
def test_help_does_not_import_what_is_slow(slow: str) -> None:
    code = (
        "import sys, ytbuild.cli.main as main\n"
        "try:\n    main.run(['--help'])\nexcept SystemExit:\n    pass\n"
        f"assert {slow!r} not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
