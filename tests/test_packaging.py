"""The wheel: built with `python -m build`, installed into an empty environment, beside `yt_framework` too."""

from __future__ import annotations

import os
import subprocess
import sys
import tarfile
import venv
import zipfile
from pathlib import Path

import pytest

from tests.support import clean_environment
from ytbuild import __version__

ROOT = Path(__file__).resolve().parents[1]


def pip_settings() -> dict[str, str]:
    """Return the variables that tell pip where this machine's packages come from."""
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built from the source distribution: what is missing from that cannot hide either."""
    folder = tmp_path_factory.mktemp("dist")
    subprocess.run(
        [sys.executable, "-m", "build", "--outdir", str(folder), str(ROOT)],
        check=True,
        capture_output=True,
        env=clean_environment(**pip_settings()),
    )
    return next(folder.glob("*.whl"))


def install(python: Path, requirement: str) -> None:
    """Install into an environment that has no pip of its own; what nobody imports need not be compiled."""
    command = [sys.executable, "-m", "pip", "--python", str(python), "install", "--no-compile", "--quiet"]
    subprocess.run(
        [*command, "--disable-pip-version-check", requirement],
        check=True,
        capture_output=True,
        env=clean_environment(**pip_settings()),
    )


def works(command: Path, folder: Path) -> str:
    """Make a pipeline, run it, and return the archive's key."""
    for arguments in (["init", "p"], ["-C", "p", "run"]):
        subprocess.run([command, *arguments], cwd=folder, check=True, capture_output=True, env=clean_environment())
    assert (folder / "p/.dev/greetings.jsonl").read_text().count("Hello") == 3
    return (folder / "p/.build/manifest.json").read_text().split('"key":"')[1][:32]


def test_the_wheel_holds_rules_and_ytjobs_inside_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    for name in (
        "ytbuild/py.typed",
        "ytbuild/_shipped/rules/default.ytignore",
        "ytbuild/_shipped/rules/wrappers/python.sh",
        "ytbuild/_shipped/rules/init/gitignore",
        "ytbuild/_shipped/ytjobs/config/__init__.py",
        "ytjobs/config/__init__.py",
        "ytbuild/jobenv/job_site/sitecustomize.py",
    ):
        assert name in names
    assert not any(name.startswith(("tests/", "examples/")) or name.endswith(".pyc") for name in names)


def test_the_version_stands_in_one_place(wheel: Path) -> None:
    assert wheel.name.startswith(f"ytbuild-{__version__}-")
    assert f"\n## {__version__.partition('.dev')[0]}" in (ROOT / "CHANGELOG.md").read_text()


def test_the_source_distribution_holds_what_a_contributor_needs(wheel: Path) -> None:
    with tarfile.open(next(wheel.parent.glob("*.tar.gz"))) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    kept = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert set(kept) - names == set()


def test_it_works_in_an_empty_environment_and_beside_yt_framework_with_one_key(wheel: Path, tmp_path: Path) -> None:
    venv.create(tmp_path / "environment", with_pip=False)
    python, command = (tmp_path / "environment" / "bin" / name for name in ("python", "ytbuild"))
    install(python, str(wheel))
    (tmp_path / "alone").mkdir()
    alone = works(command, tmp_path / "alone")
    # yt_framework brings another `ytjobs`, which takes the top-level name's place.
    install(python, "yt_framework")
    (tmp_path / "beside").mkdir()
    assert works(command, tmp_path / "beside") == alone
