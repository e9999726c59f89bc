"""`run_map` and the others, called by stage code: what they return, what they raise, which commands they run."""

from __future__ import annotations

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


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A stage with a script for every leg, a block of every kind, and an input table."""
    for name in ("mapper", "reducer"):
        pipeline.write(f"stages/first/src/{name}.py", COPY)
    pipeline.write("stages/first/src/vanilla.py", "print('ran')\n")
    operation(pipeline, BLOCKS)
    put(pipeline, "input", ROWS)
    return pipeline


@pytest.mark.parametrize("kind", KINDS)
def test_a_driver_returns_a_true_value(prepared: Pipeline, kind: str) -> None:
    code(prepared, f"client.write_table('//t/seen', [{{'value': bool(run_{kind}(self.context, blocks.{kind}))}}])")
    ran(prepared)
    assert get(prepared, "seen") == [{"value": True}]


@pytest.mark.parametrize(("kind", "counts"), [("map_reduce", [3, 3]), ("reduce", [3, 3])])
def test_the_result_has_the_numbers_of_rows(prepared: Pipeline, kind: str, counts: list[int]) -> None:
    code(
        prepared,
        f"done = run_{kind}(self.context, blocks.{kind})\n"
        "client.write_table('//t/seen', [{'rows': [done.rows_in, done.rows_out]}])",
    )
    ran(prepared)
    assert get(prepared, "seen") == [{"rows": counts}]


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


@pytest.mark.parametrize(
    "call",
    [
        "run_map(self.context, blocks.map, mapper='cat', job='tac')",
        "run_reduce(self.context, blocks.reduce, reducer='cat', job='tac')",
        "run_map_reduce(self.context, blocks.map_reduce, mapper='cat', map_job='tac', reducer='cat')",
        "run_map_reduce(self.context, blocks.map_reduce, mapper='cat', reducer='cat', reduce_job='tac')",
    ],
)
def test_two_values_for_one_leg_are_a_value_error(prepared: Pipeline, call: str) -> None:
    said = refused_in_code(prepared, call, "ValueError")
    assert "their values differ" in said


def refused_in_code(pipeline: Pipeline, call: str, error: str, before: str = "") -> str:
    """Return what a call says that must raise this error, before any job starts."""
    lines = (
        f"try:\n    {call}\nexcept {error} as error:\n    client.write_table('//t/said', [{{'text': str(error)}}])"
    )
    code(pipeline, before + lines)
    ran(pipeline)
    assert not (pipeline.root / ".dev/operations").exists() and not list(pipeline.root.glob(".dev/*.log"))
    return str(get(pipeline, "said")[0]["text"])


TYPED = """\
import yt.wrapper
class Typed(yt.wrapper.TypedJob):
    def __call__(self, row):
        yield row
"""


@pytest.mark.parametrize("legs", ["mapper='cat', reducer=Typed()", "map_job=Typed(), reduce_job='cat'"])
def test_a_command_beside_a_typed_job_is_a_value_error(prepared: Pipeline, legs: str) -> None:
    call = f"run_map_reduce(self.context, blocks.map_reduce, {legs})"
    said = refused_in_code(prepared, call, "ValueError", TYPED)
    assert "Typed" in said and "both legs are commands, or both are TypedJobs" in said


@pytest.mark.parametrize(
    "call",
    [
        "run_map(self.context, blocks.map, job=Typed())",
        "run_reduce(self.context, blocks.reduce, job=Typed())",
        "run_map_reduce(self.context, blocks.map_reduce, map_job=Typed(), reduce_job=Typed())",
    ],
)
def test_a_typed_job_is_refused_by_name(prepared: Pipeline, call: str) -> None:
    code(prepared, TYPED + call)
    said = refused(prepared)
    assert "was given Typed, a TypedJob" in said and "hint: " in said


@pytest.mark.parametrize("value", ["['cat']", "b'cat'"])
def test_a_job_that_is_no_command_is_a_type_error(prepared: Pipeline, value: str) -> None:
    said = refused_in_code(prepared, f"run_map(self.context, blocks.map, job={value})", "TypeError")
    assert "is a command (text)" in said
