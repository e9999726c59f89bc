"""`stage.py`: which class is the stage, and what its failures end in."""

from __future__ import annotations

import pytest

from tests.support import Pipeline

IMPORT = "from ytbuild import BaseStage\n"
STAGE = IMPORT + "class Only(BaseStage):\n    def run(self, debug):\n        {}\n"


def failed(pipeline: Pipeline, code: str) -> tuple[int, str]:
    pipeline.write("stages/first/stage.py", code)
    result = pipeline.run("run")
    return result.returncode, result.stderr


def test_the_leaf_class_is_the_stage(pipeline: Pipeline) -> None:
    code = (
        IMPORT
        + "class A(BaseStage):\n    def run(self, debug):\n        raise SystemExit('the base ran')\n"
        + "class B(A):\n    def run(self, debug):\n        return None\n"
    )
    assert failed(pipeline, code)[0] == 0


def test_two_leaf_classes_are_refused_by_name(pipeline: Pipeline) -> None:
    code = IMPORT + "class A(BaseStage):\n    pass\nclass B(BaseStage):\n    pass\n"
    status, said = failed(pipeline, code)
    assert status == 2 and "more than one stage: A, B" in said


def test_a_file_without_a_stage_is_refused(pipeline: Pipeline) -> None:
    status, said = failed(pipeline, "x = 1\n")
    assert status == 2 and "stages/first/stage.py defines no stage" in said


def test_an_exception_fails_the_run_with_the_users_own_traceback(pipeline: Pipeline) -> None:
    status, said = failed(pipeline, STAGE.format("return 1 / 0"))
    assert status == 1 and "ZeroDivisionError" in said and "stages/first/stage.py" in said
    assert "ytbuild/run" not in said and "bug in ytbuild" not in said


def test_sys_exit_0_does_not_end_the_run_as_a_success(pipeline: Pipeline) -> None:
    status, said = failed(pipeline, "import sys\n" + STAGE.format("sys.exit(0)"))
    assert status == 1 and "called sys.exit(0)" in said


def test_a_stage_that_is_not_enabled_is_not_imported(pipeline: Pipeline) -> None:
    pipeline.write("stages/broken/config.yaml", "job: {}\n")
    pipeline.write("stages/broken/stage.py", "raise SystemExit(9)\n")
    assert failed(pipeline, STAGE.format("return None"))[0] == 0


def test_no_bytecode_is_written_beside_stage_files(pipeline: Pipeline) -> None:
    pipeline.write("helper_of_stage.py", "value = 1\n")
    assert failed(pipeline, "import helper_of_stage\n" + STAGE.format("return None"))[0] == 0
    assert not list(pipeline.root.rglob("__pycache__"))


@pytest.mark.parametrize("rows", ["[{'a': float('nan')}]", "[{'b': {1, 2}}]", "[{'c': b'x'}]", "[3]", "[{1: 2}]"])
def test_a_row_that_no_table_can_hold_is_named(pipeline: Pipeline, rows: str) -> None:
    status, said = failed(pipeline, STAGE.format(f"self.deps.yt_client.write_table('//t/x', {rows})"))
    assert status == 1 and "//t/x: row 0" in said
    assert not (pipeline.root / ".dev/x.jsonl").exists()


def test_reading_a_missing_table_is_an_error_that_names_it(pipeline: Pipeline) -> None:
    status, said = failed(pipeline, STAGE.format("self.deps.yt_client.read_table('//t/nothing')"))
    assert status == 1 and "there is no table //t/nothing" in said
