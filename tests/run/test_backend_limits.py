"""What a backend refuses or takes no notice of: a run and a dry run ask it, and say where in the file it stands."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.run.stages import operation
from tests.support import Pipeline
from ytbuild.base.errors import YtbuildError
from ytbuild.graph.plan import Planner
from ytbuild.run.planned_run import PlannedRun, RunOptions, plan_run

TABLES = "input_table: //t/in, output_table: //t/out"


def plan_of(pipeline: Pipeline, mode: str, block: str, options: RunOptions | None = None) -> PlannedRun:
    """Return what a run of one block would do."""
    operation(pipeline, block)
    planner = Planner(str(pipeline.root), None, (f"pipeline.mode={mode}", "pipeline.build_folder=//home/me/build"))
    return plan_run(planner, options or RunOptions())


def refusal(pipeline: Pipeline, mode: str, block: str) -> str:
    """Return what is said of a block that cannot run."""
    with pytest.raises(YtbuildError) as caught:
        plan_of(pipeline, mode, block)
    assert caught.value.exit_code == 2 and caught.value.hint
    return caught.value.message


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    made = Pipeline.create(tmp_path / "pipeline")
    made.write("stages/first/src/reducer.py", "")
    return made


OF_DEV = {
    "a range": ("map: {input_table: '//t/in[#0:#100]', output_table: //t/out}", "input_table"),
    "columns": ("map: {input_table: '//t/in{a,b}', output_table: //t/out}", "input_table"),
    "attributes of an input": ("map: {input_table: '<foreign=%true>//t/in', output_table: //t/out}", "input_table"),
    "attributes of an output": ("map: {input_table: //t/in, output_table: '<append=%true>//t/out'}", "output_table"),
    "attributes of a file": (f"map: {{{TABLES}, file_paths: ['<executable=%true>//t/f']}}", "file_paths"),
    "a descending key": ("sort: {input_table: //t/in, sort_by: [{name: a, sort_order: descending}]}", "sort_by"),
    "a query outside of its grammar": ("yql: {query: 'SELECT * FROM ANY `//t/in`'}", "query"),
}


@pytest.mark.parametrize("name", OF_DEV)
def test_what_dev_cannot_run_is_refused_there_and_taken_in_prod(pipeline: Pipeline, name: str) -> None:
    block, key = OF_DEV[name]
    kind = block.partition(":")[0]
    said = refusal(pipeline, "dev", block)
    assert said.startswith("stages/first/config.yaml:") and f"client.operations.{kind}.{key} " in said
    assert plan_of(pipeline, "prod", block).stages[0].operations[0].kind == kind


NOWHERE = {
    "an empty name": "map: {input_table: //t//in, output_table: //t/out}",
    "a name that moves up": "map: {input_table: //t/in, output_table: //t/../out}",
    "a slash at the end": "map: {input_table: //t/in, output_table: //t/out/}",
    "an attribute": "map: {input_table: //t/in/@type, output_table: //t/out}",
    "a link itself": "map: {input_table: //t/in&, output_table: //t/out}",
    "an object's id": "map: {input_table: '#1-2-3-4', output_table: //t/out}",
    "no text": "map: {input_table: 7, output_table: //t/out}",
    "a relative path": "map: {input_table: t/in, output_table: //t/out}",
    "a wrong escape": r"map: {input_table: '//t/\q', output_table: //t/out}",
    "NUL": r'map: {input_table: "//t/\0", output_table: //t/out}',
    "a file of no path": f"map: {{{TABLES}, file_paths: [//t//f]}}",
    "a range of what is written": "map: {input_table: //t/in, output_table: '//t/out[#1]'}",
    "a part of what is sorted in place": "sort: {input_table: '//t/in[#0:#100]', sort_by: a}",
}


@pytest.mark.parametrize("name", NOWHERE)
def test_what_is_no_path_is_refused_in_the_same_words_in_both(pipeline: Pipeline, name: str) -> None:
    assert refusal(pipeline, "dev", NOWHERE[name]) == refusal(pipeline, "prod", NOWHERE[name])


@pytest.mark.parametrize("mode", ["dev", "prod"])
def test_a_node_has_one_name_however_it_is_written(pipeline: Pipeline, mode: str) -> None:
    block = r"map: {input_table: '//t/\x41', output_table: '//t/a\/b', file_paths: ['//t/\x66.bin']}"
    spec = plan_of(pipeline, mode, block).stages[0].operations[0]
    assert (spec.input_table, spec.output_table) == ("//t/A", r"//t/a\x2fb")
    assert spec.files == (("//t/f.bin", "f.bin"),)


@pytest.mark.parametrize(
    ("path", "key"),
    [("<append=>//t/in", "input_table"), ("//t/in{1}", "input_table"), ("//t/in[#a]", "input_table")],
)
def test_attributes_and_ranges_that_are_no_yson_are_refused_in_prod(pipeline: Pipeline, path: str, key: str) -> None:
    said = refusal(pipeline, "prod", f"map: {{input_table: '{path}', output_table: //t/out}}")
    assert f"client.operations.map.{key} has {path!r} cannot be read: Unexpected token" in said


@pytest.mark.parametrize(
    ("mode", "block", "jobs"),
    [
        ("dev", f"map: {{{TABLES}}}", [1]),
        ("prod", f"map: {{{TABLES}}}", [1]),
        ("dev", f"map: {{{TABLES}, job_count: 3}}", [3]),
        ("prod", f"map: {{{TABLES}, job_count: 3}}", [3]),
        ("dev", f"reduce: {{{TABLES}, reduce_by: a, job_count: 3}}", [1]),
        ("prod", f"reduce: {{{TABLES}, reduce_by: a, job_count: 3}}", [3]),
        ("prod", f"reduce: {{{TABLES}, reduce_by: a}}", [0]),
        ("dev", f"map_reduce: {{{TABLES}, reduce_by: a, map_job_count: 3}}", [3, 1]),
        ("prod", f"map_reduce: {{{TABLES}, reduce_by: a, map_job_count: 3}}", [3, 0]),
        ("dev", f"map_reduce: {{{TABLES}, reduce_by: a}}", [1, 1]),
        ("prod", f"map_reduce: {{{TABLES}, reduce_by: a}}", [0, 0]),
    ],
)
def test_a_backend_says_how_many_jobs_a_leg_gets(pipeline: Pipeline, mode: str, block: str, jobs: list[int]) -> None:
    spec = plan_of(pipeline, mode, block).stages[0].operations[0]
    assert [leg.job_count for leg in spec.legs] == jobs


@pytest.mark.parametrize(
    ("mode", "expected"),
    [
        ("dev", ["stage first: dev takes no notice of map.checkpoint, map.input_query"]),
        (
            "prod",
            [
                "prod takes no notice of --strict",
                "prod takes no notice of --keep-sandboxes",
                "stage first: prod takes no notice of map.checkpoint",
            ],
        ),
    ],
)
def test_what_has_no_effect_is_warned_of(pipeline: Pipeline, mode: str, expected: list[str]) -> None:
    block = f"map: {{{TABLES}, checkpoint: {{a: 1}}, input_query: '*'}}"
    options = RunOptions(strict=True, keep_sandboxes=True)
    assert list(plan_of(pipeline, mode, block, options).warnings) == expected


@pytest.mark.parametrize("order", ["{name: a}", "{name: a, sort_order: ascending}"])
def test_an_ascending_key_may_say_so_in_dev(pipeline: Pipeline, order: str) -> None:
    assert plan_of(pipeline, "dev", f"sort: {{input_table: //t/in, sort_by: [{order}]}}").stages
