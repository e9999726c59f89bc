"""The house rules that a tool can check: types, style, rooms and their order, names and sizes, light commands."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections import defaultdict

import pytest
import yaml

from tests import house
from tests.imports import File, files, imports, unreadable

FILES = files(house.PACKAGE)
JOB_FILES = files(house.ROOT / "ytjobs")
ROOMS = [room for line in house.ROOMS for room in line]

MOST_LINES_OF_A_FILE = 320
MOST_LINES_OF_A_FUNCTION = 36

# Who reads the configuration checks the mode; the others choose a backend.
MODE_IS_ASKED_IN = {"ytbuild.config.pipeline", "ytbuild.run.backend_choice", "ytbuild.cli.table"}
# What has a name twice in the house, and why it is the same thing in both places.
ONE_NAME_TWICE = {
    "build": "a verb, and its command",
    "diff": "a verb, and its command",
    "upload": "a verb, and its command",
    "pipeline": "what is configured, and what runs it",
    "stage": "what is configured, and what runs it",
    "files": "on a cluster, and on this machine: no neighbours",
    "tables": "on a cluster, and on this machine: no neighbours",
}
# Files that import modules of the user's, by names that nobody knows before.
IMPORTS_BY_NAME = {"ytbuild"}


@pytest.mark.parametrize("command", [["ruff", "check"], ["ruff", "format", "--check"], ["mypy"]])
def test_style_and_types_are_clean(command: list[str]) -> None:
    done = subprocess.run(
        [sys.executable, "-m", *command], cwd=house.ROOT, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_hooks_before_a_commit_are_those_of_make_lint_and_need_no_network() -> None:
    (repository,) = yaml.safe_load((house.ROOT / ".pre-commit-config.yaml").read_text())["repos"]
    assert repository["repo"] == "local" and {hook["language"] for hook in repository["hooks"]} == {"system"}
    recipe = (house.ROOT / "Makefile").read_text().partition("\nlint:")[2].partition("\n\n")[0].splitlines()[1:]
    commands = [line.strip().replace("$(BIN)", ".venv/bin").removesuffix(" .") for line in recipe]
    hooks = [hook["entry"].removesuffix(" --force-exclude") for hook in repository["hooks"]]
    assert hooks == [command.removesuffix(" --check") for command in commands]


@pytest.mark.parametrize("room", ROOMS)
def test_a_room_imports_only_from_itself_and_from_those_before_it(room: str) -> None:
    of_the_room = [file for file in FILES.values() if house.room_of(file.module) == room]
    forbidden = [line for file in of_the_room for line in house.forbidden_imports(file, FILES)]
    assert not forbidden, "\n".join(forbidden)


def test_every_file_is_in_a_room_and_every_room_has_a_file() -> None:
    rooms = {module: house.room_of(module) for module in FILES if module not in house.OUTSIDE}
    assert [module for module, room in rooms.items() if not room] == []
    assert set(rooms.values()) == set(ROOMS)


def test_no_module_is_imported_by_a_name_that_cannot_be_read() -> None:
    assert {module: lines for module, file in FILES.items() if (lines := unreadable(file))}.keys() == IMPORTS_BY_NAME


def test_no_files_import_each_other_in_a_circle_not_even_lazily() -> None:
    assert house.circle(FILES) == []


def test_ytjobs_and_ytbuild_do_not_import_each_other() -> None:
    for ours, others in ((FILES, JOB_FILES), (JOB_FILES, FILES)):
        for file in ours.values():
            assert imports(file, others.keys()) == [], file.module


def test_no_two_files_have_one_name_except_the_counterparts_of_the_two_backends() -> None:
    folders = defaultdict(set)
    for module, file in FILES.items():
        if not file.is_package:
            folder, _, name = module.rpartition(".")
            folders[name].add(
                "ytbuild.backends.*" if house.room_of(module) in ("backends.dev", "backends.prod") else folder
            )
    assert {name for name, places in folders.items() if len(places) > 1} == set(ONE_NAME_TWICE)


def functions(file: File) -> list[ast.FunctionDef | ast.AsyncFunctionDef]:
    tree = ast.walk(ast.parse(file.text))
    return [node for node in tree if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]


def test_no_file_is_longer_than_its_bound() -> None:
    lengths = {module: file.text.count("\n") for module, file in (FILES | JOB_FILES).items()}
    long = {module for module, lines in lengths.items() if lines > MOST_LINES_OF_A_FILE}
    assert long == set()


def test_no_function_is_longer_than_its_bound() -> None:
    long = {
        f"{module}.{node.name}"
        for module, file in (FILES | JOB_FILES).items()
        for node in functions(file)
        if (node.end_lineno or node.lineno) - node.lineno >= MOST_LINES_OF_A_FUNCTION
    }
    assert long == set()


def asks_for_the_mode(file: File) -> bool:
    """Tell whether a file compares a mode with something: `mode == "dev"`, `config.mode in (…)`, `match mode:`."""
    for node in ast.walk(ast.parse(file.text)):
        compared = [node.left, *node.comparators] if isinstance(node, ast.Compare) else []
        compared += [node.subject] if isinstance(node, ast.Match) else []
        if any(getattr(side, "attr", getattr(side, "id", "")) == "mode" for side in compared):
            return True
    return False


@pytest.mark.parametrize(
    "text", ["mode == 'dev'", "if 'dev' != config.mode: pass", "x.mode in ('dev',)", "match mode:\n case 1: pass"]
)
def test_a_question_for_the_mode_is_noticed(text: str) -> None:
    assert asks_for_the_mode(File("ytbuild.run.x", False, text))
    assert not asks_for_the_mode(File("ytbuild.run.x", False, text.replace("mode", "kind")))


def test_only_who_chooses_a_backend_asks_for_the_mode() -> None:
    assert {module for module, file in FILES.items() if asks_for_the_mode(file)} == MODE_IS_ASKED_IN


@pytest.mark.parametrize("slow", ["yt", "duckdb", "boto3", "omegaconf", "msgspec", "yaml", "tarfile", "pathspec"])
def test_help_does_not_import_what_is_slow(slow: str) -> None:
    code = (
        "import sys, ytbuild.cli.main as main\n"
        "try:\n    main.run(['--help'])\nexcept SystemExit:\n    pass\n"
        f"assert {slow!r} not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=house.ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
