"""What ytbuild sends is what the official client sends, but for the differences in `intended.toml`."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from copy import deepcopy
from importlib.metadata import version
from pathlib import Path
from typing import Any

import pytest

from tests import house
from tests.support import clean_environment
from tests.wire import comparison
from tests.wire.comparison import differences, shapes

FOLDER = Path(__file__).parent
RECORDED_WITH = "0.13.55"

USED = {
    *("abort_operation", "abort_query", "abort_transaction", "commit_transaction", "concatenate", "create", "exists"),
    *(
        "execute_batch",
        "get",
        "get_job_stderr",
        "get_operation",
        "get_query",
        "get_query_result",
        "link",
        "list_jobs",
    ),
    *("lock", "move", "read_file", "read_query_result", "read_table", "remove", "start_operation", "start_query"),
    *("write_file", "write_table"),
}
"""The commands that ytbuild sends by itself."""

IN_BATCHES = {
    *("commit_transaction", "create", "exists", "get", "list", "ping_transaction", "set", "start_transaction"),
}
KINDS = {"map", "map_reduce", "reduce", "sort", "vanilla"}

Lines = list[dict[str, Any]]


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Lines]:
    """What ytbuild sends, with and without YSON bindings, and what the installed official client does."""
    folder = tmp_path_factory.mktemp("wire")
    options = {"with": ["--ytbuild"], "without": ["--ytbuild", "--without-yson"], "client": []}
    running = {name: _recording(folder / name, *options[name]) for name in options}
    for process in running.values():
        _, said = process.communicate(timeout=300)
        assert process.returncode == 0, said[-4000:]
    return {name: comparison.read(folder / name) for name in options}


def _recording(file: Path, *options: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.wire", str(file), *options]
    environment = clean_environment(TMPDIR=str(file.parent))
    return subprocess.Popen(
        command, cwd=house.ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    )


@pytest.fixture(scope="module")
def official() -> dict[str, comparison.Shape]:
    """What the official client sends."""
    return shapes(comparison.read(FOLDER / "official.jsonl"))


def is_intended(difference: str, intended: dict[str, str]) -> bool:
    """Tell whether a difference, or the beginning of it, is in the list."""
    return any(f"{difference} | ".startswith(f"{one} | ") for one in intended)


@pytest.mark.parametrize("bindings", ["with", "without"])
def test_nothing_is_sent_otherwise_but_what_is_intended(
    recorded: dict[str, Lines], official: dict[str, comparison.Shape], bindings: str
) -> None:
    intended = comparison.intended(FOLDER / "intended.toml")
    told = differences(shapes(recorded[bindings]), official)
    assert [one for one in told if not is_intended(one, intended)] == []


def test_every_intended_difference_occurs_and_has_a_reason(
    recorded: dict[str, Lines], official: dict[str, comparison.Shape]
) -> None:
    intended = comparison.intended(FOLDER / "intended.toml")
    told = [one for name in ("with", "without") for one in differences(shapes(recorded[name]), official)]
    assert [one for one in intended if not any(is_intended(each, {one: ""}) for each in told)] == []
    assert all(reason.endswith(".") for reason in intended.values())


@pytest.mark.parametrize("bindings", ["with", "without"])
def test_every_command_and_every_kind_of_operation_is_recorded(recorded: dict[str, Lines], bindings: str) -> None:
    lines = recorded[bindings]
    assert {line["command"] for line in lines} >= USED
    parts = [part["command"] for line in lines for part in line["parameters"].get("requests", ())]
    assert set(parts) == IN_BATCHES
    assert {line["parameters"].get("operation_type") for line in lines} - {None} == KINDS
    assert {line["parameters"].get("engine") for line in lines} - {None} == {"yql"}


def test_no_command_that_ytbuild_names_is_missing_here() -> None:
    from tests.cluster.server import make_app
    from tests.cluster.state import State

    state = State(Path(FOLDER))
    make_app(state)
    texts = "".join(file.read_text() for file in sorted((house.ROOT / "ytbuild").rglob("*.py")))
    calls = ("Command(", "command(", "write(connection, ", ".write(", ".read(", '"')
    named = {name for name in state.commands if any(f'{call}"{name}"' in texts for call in calls)}
    assert named - USED - IN_BATCHES == set()


def test_the_recorder_sees_in_the_official_client_what_was_recorded(
    recorded: dict[str, Lines], official: dict[str, comparison.Shape]
) -> None:
    if version("ytsaurus-client") != RECORDED_WITH:
        pytest.skip(f"official.jsonl is of ytsaurus-client {RECORDED_WITH}")
    # The first is of the stand-in's answer, which the client sends back; the other of `list` with attributes.
    other = {"get_job_stderr | parameter never sent | job_id/@error/inner_errors/[]", "list in a batch | missing"}
    told = differences(shapes(recorded["client"]), official)
    assert [one for one in told if not one.startswith(tuple(other))] == []


def _format_in_a_text(lines: Lines) -> None:
    for line in lines:
        if line["command"] == "write_table":
            line["parameters"]["input_format"] = "<encode_utf8=%false>json"


def _another_method(lines: Lines) -> None:
    next(line for line in lines if line["command"] == "get_operation")["method"] = "POST"


def _a_misspelt_parameter(lines: Lines) -> None:
    next(line for line in lines if line["command"] == "lock")["parameters"]["modes"] = "snapshot"


def _an_attribute_of_another_type(lines: Lines) -> None:
    line = next(line for line in lines if line["parameters"].get("operation_type") == "map")
    line["parameters"]["spec"]["mapper"]["file_paths"][0]["$attributes"]["file_name"] = 1


def _content_that_is_not_packed(lines: Lines) -> None:
    next(line for line in lines if line["command"] == "write_table")["body"]["encoding"] = "gzip"


def _a_part_without_its_name(lines: Lines) -> None:
    line = next(line for line in lines if line["parameters"].get("requests"))
    del line["parameters"]["requests"][0]["parameters"]["path"]


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (_format_in_a_text, "write_table | type | input_format | text with attributes in it"),
        (_another_method, "get_operation | method |  | POST"),
        (_a_misspelt_parameter, "lock | parameter never sent | modes | text"),
        (_an_attribute_of_another_type, "start_operation | type | spec(map)/mapper/file_paths/[]/@file_name | int64"),
        (_content_that_is_not_packed, "write_table | body |  | rows in json, gzip, chunked"),
        (_a_part_without_its_name, "get in a batch | missing parameter | path |"),
    ],
)
def test_the_comparison_finds_what_is_wrong(
    recorded: dict[str, Lines], official: dict[str, comparison.Shape], change: Callable[[Lines], None], seen: str
) -> None:
    lines = deepcopy(recorded["with"])
    change(lines)
    assert seen in differences(shapes(lines), official)
