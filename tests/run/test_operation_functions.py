"""`run_map` and the others, called by stage code: what they return, what they raise, which commands they run."""

from __future__ import annotations

from typing import Any

import pytest

from tests.run.stages import code, failed, get, log, operation, put, ran, refused
from tests.support import Pipeline

COPY = "import sys\nfor line in sys.stdin:\n    sys.stdout.write(line)\n"
FAIL = "import sys\nsys.exit(3)\n"

BLOCKS = """\
map:
  input_table: //t/input
  output_table: //t/output
vanilla: {}
map_reduce:
  input_table: //t/input
  output_table: //t/output
  reduce_by: n
reduce:
  input_table: //t/input
  output_table: //t/output
  reduce_by: n
sort:
  input_table: //t/input
  sort_by: [n]
"""
KINDS = ("map", "vanilla", "map_reduce", "reduce", "sort")
ROWS = [{"n": 3}, {"n": 1}, {"n": 2}]


def prepare(pipeline: Pipeline) -> Pipeline:
    """Give a stage a script for every leg, a block of every kind, and an input table."""
    for name in ("mapper", "reducer"):
        pipeline.write(f"stages/first/src/{name}.py", COPY)
    pipeline.write("stages/first/src/vanilla.py", "print('ran')\n")
    operation(pipeline, BLOCKS)
    put(pipeline, "input", ROWS)
    return pipeline


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A stage with a script for every leg, a block of every kind, and an input table."""
    return prepare(pipeline)


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """What each driver returned, all of them called by one stage."""
    pipeline = prepare(Pipeline.create(tmp_path_factory.mktemp("results")))
    lines = "".join(f"done['{kind}'] = run_{kind}(self.context, blocks.{kind})\n" for kind in KINDS)
    row = "{'kind': kind, 'value': bool(value), 'rows': [value.rows_in, value.rows_out]}"
    code(pipeline, f"done = {{}}\n{lines}client.write_table('//t/seen', [{row} for kind, value in done.items()])")
    ran(pipeline)
    return {row["kind"]: row for row in get(pipeline, "seen")}


@pytest.mark.parametrize("kind", KINDS)
def test_a_driver_returns_a_true_value(results: dict[str, Any], kind: str) -> None:
    assert results[kind]["value"] is True


@pytest.mark.parametrize(
    ("kind", "rows"),
    [("map", [3, 3]), ("vanilla", [0, 0]), ("map_reduce", [3, 3]), ("reduce", [3, 3]), ("sort", [3, 3])],
)
def test_the_result_has_the_numbers_of_rows(results: dict[str, Any], kind: str, rows: list[int]) -> None:
    assert results[kind]["rows"] == rows


FAILURES = [("map", "mapper"), ("vanilla", "vanilla"), ("map_reduce", "mapper"), ("map_reduce", "reducer"),
            ("reduce", "reducer")]  # fmt: skip


@pytest.mark.parametrize(("kind", "script"), FAILURES)
def test_a_failure_that_nobody_catches_fails_the_run(prepared: Pipeline, kind: str, script: str) -> None:
    prepared.write(f"stages/first/src/{script}.py", FAIL)
    code(prepared, f"run_{kind}(self.context, blocks.{kind})\nclient.write_table('//t/after', [])")
    said = failed(prepared)
    assert f"first/{kind}" in said and "exited with code 3" in said and "Traceback" not in said
    assert not (prepared.root / ".dev/after.jsonl").exists()


CAUGHT = """\
try:
    run_{kind}(self.context, blocks.{kind})
except OperationFailed as error:
    client.write_table('//t/caught', [{{'message': error.message}}])
"""


@pytest.mark.parametrize(("kind", "script"), FAILURES[1:4:2])
def test_a_failure_that_the_stage_catches_lets_the_run_go_on(prepared: Pipeline, kind: str, script: str) -> None:
    prepared.write(f"stages/first/src/{script}.py", FAIL)
    code(prepared, CAUGHT.format(kind=kind))
    ran(prepared)
    assert "exited with code 3" in get(prepared, "caught")[0]["message"]


@pytest.mark.parametrize("kind", ["sort", "reduce", "map_reduce"])
def test_rows_that_cannot_be_sorted_are_a_failed_operation(prepared: Pipeline, kind: str) -> None:
    put(prepared, "input", [{"n": [1]}, {"n": [0]}])
    code(prepared, CAUGHT.format(kind=kind))
    ran(prepared)
    assert "'n'" in get(prepared, "caught")[0]["message"]


def test_a_failed_operation_of_a_stage_stops_the_stages_after_it(prepared: Pipeline) -> None:
    prepared.configure("mode: dev", "[first, second]")
    prepared.write("stages/second/config.yaml", "job: {}\nclient: {operations: {}}\n")
    code(prepared, "run_map(self.context, blocks.map, job='exit 1')")
    code(prepared, "client.write_table('//t/second', [])", "second")
    assert "exited with code 1" in failed(prepared)
    assert not (prepared.root / ".dev/second.jsonl").exists()


@pytest.mark.parametrize(
    "call",
    [
        "run_map(self.context, blocks.map, mapper='cat; ls >&2')",
        "run_map(self.context, blocks.map, job='cat; ls >&2')",
        "run_map(self.context, blocks.map, mapper='cat; ls >&2', job='cat; ls >&2')",
        "run_vanilla(self.context, blocks.vanilla, job='ls')",
        "run_reduce(self.context, blocks.reduce, job='cat; ls >&2')",
    ],
)
def test_a_command_runs_beside_the_packed_archive(prepared: Pipeline, call: str) -> None:
    for script in ("mapper", "reducer", "vanilla"):
        prepared.write(f"stages/first/src/{script}.py", FAIL)
    code(prepared, call)
    ran(prepared)
    assert log(prepared, f"first.{call[4 : call.index('(')]}") == "source.tar.gz\n"


@pytest.mark.parametrize("names", [("mapper", "reducer"), ("map_job", "reduce_job"), ("mapper", "reduce_job")])
def test_a_map_reduce_takes_its_commands_by_either_name(prepared: Pipeline, names: tuple[str, str]) -> None:
    code(
        prepared,
        f"run_map_reduce(self.context, blocks.map_reduce, {names[0]}='sed s/1/4/', {names[1]}='cat; echo \"{{}}\"')",
    )
    ran(prepared)
    assert get(prepared, "output") == [{"n": 2}, {"n": 3}, {"n": 4}, {}]


def test_one_command_beside_the_stages_own_script(prepared: Pipeline) -> None:
    prepared.write("stages/first/src/mapper.py", 'print(\'{"from": "the script", "n": 0}\')\n')
    code(prepared, "run_map_reduce(self.context, blocks.map_reduce, reducer='cat')")
    ran(prepared)
    assert get(prepared, "output") == [{"from": "the script", "n": 0}]


@pytest.mark.parametrize(
    "call",
    [
        "run_map_reduce(self.context, blocks.map_reduce, mapper='exit 1', reducer='exit 1')",
        "run_map_reduce(self.context, blocks.map_reduce, map_job='exit 1', reduce_job='exit 1')",
        "run_reduce(self.context, blocks.reduce, job='exit 1')",
    ],
)
def test_with_bootstrap_commands_are_placeholders_and_the_scripts_run(prepared: Pipeline, call: str) -> None:
    operation(prepared, BLOCKS.replace("reduce_by: n", "reduce_by: n\n  tar_command_bootstrap: true"))
    code(prepared, call)
    ran(prepared)
    assert get(prepared, "output") == [{"n": 1}, {"n": 2}, {"n": 3}]


TYPED = """\
import yt.wrapper
class Typed(yt.wrapper.TypedJob):
    def __call__(self, row):
        yield row
"""

TWO_VALUES = (
    "run_map(self.context, blocks.map, mapper='cat', job='tac')",
    "run_reduce(self.context, blocks.reduce, reducer='cat', job='tac')",
    "run_map_reduce(self.context, blocks.map_reduce, mapper='cat', map_job='tac', reducer='cat')",
    "run_map_reduce(self.context, blocks.map_reduce, mapper='cat', reducer='cat', reduce_job='tac')",
)
TWO_KINDS = (
    "run_map_reduce(self.context, blocks.map_reduce, mapper='cat', reducer=Typed())",
    "run_map_reduce(self.context, blocks.map_reduce, map_job=Typed(), reduce_job='cat')",
    "run_map_reduce(self.context, blocks.map_reduce, reducer=Typed())",
)
TYPED_JOBS = (
    "run_map(self.context, blocks.map, job=Typed())",
    "run_map(self.context, blocks.map, mapper=Typed)",
    "run_reduce(self.context, blocks.reduce, job=Typed())",
    "run_vanilla(self.context, blocks.vanilla, job=Typed())",
    "run_map_reduce(self.context, blocks.map_reduce, map_job=Typed(), reduce_job=Typed())",
)
NO_COMMANDS = tuple(
    f"run_map(self.context, blocks.map, job={value})" for value in ("3", "['cat']", "b'cat'", "print")
)


@pytest.fixture(scope="module")
def answers(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """What each of these calls raised, made by one stage; none of them may start anything."""
    pipeline = prepare(Pipeline.create(tmp_path_factory.mktemp("answers")))
    calls = (*TWO_VALUES, *TWO_KINDS, *TYPED_JOBS, *NO_COMMANDS)
    body = (
        f"rows = []\nfor call in {calls!r}:\n    try:\n        eval(call)\n    except Exception as error:\n"
        "        rows.append({'call': call, 'text': f'{type(error).__name__}: {error}'})\n"
        "client.write_table('//t/said', rows)"
    )
    # eval() sees neither the locals of run() nor the class that it defines, unless they are global.
    code(pipeline, TYPED + "globals().update(locals())\n" + body)
    ran(pipeline)
    assert not (pipeline.root / ".dev/operations").exists() and not list(pipeline.root.glob(".dev/*.log"))
    return {row["call"]: row["text"] for row in get(pipeline, "said")}


@pytest.mark.parametrize("call", TWO_VALUES)
def test_two_values_for_one_leg_are_a_value_error(answers: dict[str, str], call: str) -> None:
    assert answers[call].startswith("ValueError: ") and "their values differ" in answers[call]


@pytest.mark.parametrize("call", TWO_KINDS)
def test_a_command_beside_a_typed_job_is_a_value_error(answers: dict[str, str], call: str) -> None:
    assert answers[call].startswith("ValueError: ")
    assert "Typed" in answers[call] and "both legs are commands, or both are TypedJobs" in answers[call]


@pytest.mark.parametrize("call", TYPED_JOBS)
def test_a_typed_job_is_refused_by_name(answers: dict[str, str], call: str) -> None:
    assert answers[call].startswith("TypedJobError: ") and "was given Typed, a TypedJob" in answers[call]


@pytest.mark.parametrize("call", NO_COMMANDS)
def test_a_job_that_is_no_command_is_a_type_error(answers: dict[str, str], call: str) -> None:
    assert answers[call].startswith("TypeError: ") and "is a command (text)" in answers[call]


def test_a_typed_job_ends_the_run_without_a_traceback(prepared: Pipeline) -> None:
    code(prepared, TYPED + TYPED_JOBS[0])
    assert "hint: " in refused(prepared)
