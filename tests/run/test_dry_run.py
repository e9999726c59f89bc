"""`ytbuild run --dry-run`: all that would run, and nothing that is secret; nothing is written or imported."""

from __future__ import annotations

import pytest

from tests.run.stages import operation, put
from tests.support import Pipeline
from tests.trees import snapshot

TABLES = "  input_table: //t/input\n  output_table: //t/output\n"


def plan(pipeline: Pipeline, *arguments: str, **environment: str) -> str:
    """Return what a dry run prints, which leaves the pipeline's folder as it was."""
    before = snapshot(pipeline.root)
    result = pipeline.run("run", "--dry-run", *arguments, check=True, **environment)
    assert snapshot(pipeline.root) == before
    return result.stdout


def test_nothing_is_written(pipeline: Pipeline) -> None:
    plan(pipeline)
    assert not (pipeline.root / ".build").exists() and not (pipeline.root / ".dev").exists()


@pytest.fixture(scope="module")
def plan_lines(tmp_path_factory: pytest.TempPathFactory) -> list[str]:
    """The lines that a dry run prints of a map with every setting, and of a map_reduce."""
    pipeline = Pipeline.create(tmp_path_factory.mktemp("planned"))
    pipeline.write("configs/secrets.env", "TOKEN=planted\n")
    pipeline.write("stages/first/src/reducer.py", "")
    operation(
        pipeline,
        "work:\n  kind: map\n" + TABLES + "  append: true\n  resources: {job_count: 3}\n  env: {OWN: x}\n"
        "  secrets: [TOKEN]\n  file_paths: [//t/files/model.bin, [//t/files/other.bin, own.bin]]\n"
        "map_reduce:\n" + TABLES + "  reduce_by: n\n  sort_by: [n, m]\n  map_job_count: 2",
    )
    return plan(pipeline).splitlines()


@pytest.mark.parametrize(
    "line",
    [
        "stage first",
        "  work (map)",
        "    input: //t/input",
        "    output: //t/output (append)",
        "    map: 3 jobs: tar -xzf source.tar.gz && ./operation_wrapper_first_map.sh",
        "    file: //t/files/model.bin as model.bin",
        "    file: //t/files/other.bin as own.bin",
        "    env: OWN, TOKEN (secret)",
        "    reduce by: n",
        "    sort by: n, m",
        "    map_reduce_mapper: 2 jobs: tar -xzf source.tar.gz && ./operation_wrapper_first_map_reduce_mapper.sh",
        "    map_reduce_reducer: 1 job: tar -xzf source.tar.gz && ./operation_wrapper_first_map_reduce_reducer.sh",
    ],
)
def test_an_operation_is_shown_as_it_would_run(plan_lines: list[str], line: str) -> None:
    assert line in plan_lines


def test_a_query_is_shown(pipeline: Pipeline) -> None:
    operation(pipeline, "yql:\n  query: |\n    SELECT *\n    FROM `//t/input`")
    assert "    query: SELECT * FROM `//t/input`" in plan(pipeline).splitlines()


@pytest.mark.parametrize(("source", "with_code"), [("file", False), ("environment", True)])
def test_the_value_of_a_secret_is_never_shown(pipeline: Pipeline, source: str, with_code: bool) -> None:
    environment = {"TOKEN": "planted-value"} if source == "environment" else {}
    pipeline.write("configs/secrets.env", "" if environment else "TOKEN=planted-value\nOTHER=planted-value\n")
    operation(pipeline, "map:\n" + TABLES + "  env: {OWN: visible-value}\n  secrets: [TOKEN]")
    if with_code:
        pipeline.write("stages/first/stage.py", "")
    result = pipeline.run("run", "--dry-run", "-v", check=True, **environment)
    assert "TOKEN (secret)" in result.stdout
    assert "-value" not in result.stdout + result.stderr


def test_only_the_chosen_stages_are_shown(pipeline: Pipeline) -> None:
    pipeline.write("stages/second/config.yaml", "client: {operations: {vanilla: {}}}\n")
    pipeline.write("stages/second/src/vanilla.py", "")
    pipeline.configure("mode: dev", "[first, second]")
    said = plan(pipeline, "second")
    assert "stage second" in said and "stage first" not in said


def test_user_code_is_not_imported(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/stage.py", f"open({str(pipeline.root / 'imported')!r}, 'w')\nraise SystemExit(9)\n")
    said = plan(pipeline)
    assert "stage first: runs stage.py; declared for it:" in said and "  map (map)" in said


def test_a_modules_code_is_not_imported(pipeline: Pipeline) -> None:
    pipeline.write("shared/__init__.py", "raise SystemExit(9)\n")
    pipeline.configure("mode: dev\nupload_modules: [shared]")
    plan(pipeline)


def test_what_code_may_complete_is_no_error(pipeline: Pipeline) -> None:
    operation(pipeline, "map:\n  output_table: //t/output")
    pipeline.write("stages/first/stage.py", "")
    assert plan(pipeline) == "stage first: runs stage.py\n"


@pytest.mark.parametrize(
    ("block", "said"),
    [
        ("map:\n  output_table: //t/output", "input_table is missing"),
        ("vanilla: {}", "no script"),
        ("map:\n" + TABLES + "  secrets: [NOPE]", "NOPE"),
        ("map:\n" + TABLES + "  apend: true", "did you mean 'append'?"),
    ],
)
def test_what_would_not_run_is_refused(pipeline: Pipeline, block: str, said: str) -> None:
    operation(pipeline, block)
    assert said in pipeline.refused("run", "--dry-run")


def test_a_table_that_an_earlier_stage_may_write_need_not_exist(pipeline: Pipeline) -> None:
    operation(pipeline, "map:\n  input_table: //t/not-yet\n  output_table: //t/output")
    assert "    input: //t/not-yet" in plan(pipeline)


def test_a_dry_run_beside_a_run_disturbs_nothing(pipeline: Pipeline) -> None:
    put(pipeline, "input", [{"n": 1}])
    pipeline.run("run", check=True)
    assert "  map (map)" in plan(pipeline)


def test_a_path_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    operation(pipeline, 'vanilla:\n  file_paths: [["//t/a\\u001b\\\\[31mred", own]]')
    pipeline.write("stages/first/src/vanilla.py", "")
    result = pipeline.run("run", "--dry-run")
    assert result.returncode == 0 and "\x1b" not in result.stdout + result.stderr
