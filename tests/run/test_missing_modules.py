"""A module that a job cannot import: the run says which line of the configuration to look at, and the right one."""

from __future__ import annotations

import pytest

from tests.run.stages import failed, operation, put, ran
from tests.support import Pipeline


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A map over one row."""
    operation(pipeline, "map:\n  input_table: //t/input\n  output_table: //t/output")
    put(pipeline, "input", [{"n": 1}])
    return pipeline


def hint(pipeline: Pipeline, statement: str) -> str:
    """Return the first line of advice about a mapper with this import; it must have failed in the job."""
    pipeline.write("stages/first/src/mapper.py", f"{statement}\n")
    said = failed(pipeline)
    assert "ModuleNotFoundError" in said
    return said.split("\nhint: ")[1].split("\n")[0]


def test_a_helper_that_an_ignore_line_leaves_out(prepared: Pipeline) -> None:
    prepared.write("stages/first/src/helper.py")
    prepared.write("stages/first/src/.ytignore", "# notes\n\nhelp*.py\n")
    said = hint(prepared, "import helper")
    assert said.startswith("stages/first/src/helper.py is left out of the archive by stages/first/src/.ytignore:3: ")


def test_a_helper_that_the_pipelines_ignore_file_leaves_out(prepared: Pipeline) -> None:
    prepared.write("stages/first/src/helper.py")
    prepared.write(".ytignore", "helper.py\n")
    assert hint(prepared, "import helper").startswith(
        "stages/first/src/helper.py is left out of the archive by .ytignore:1"
    )


@pytest.mark.parametrize("statement", ["import shared.part", "from shared.part import x"])
def test_a_part_of_a_module_that_an_ignore_line_leaves_out(prepared: Pipeline, statement: str) -> None:
    prepared.write("shared/__init__.py")
    prepared.write("shared/part.py")
    prepared.write("shared/.ytignore", "part.py\n")
    prepared.configure("mode: dev\nupload_modules: [shared]")
    assert hint(prepared, statement).startswith("shared/part.py is left out of the archive by shared/.ytignore:1")


def test_a_subpackage_that_an_ignore_line_leaves_out(prepared: Pipeline) -> None:
    prepared.write("shared/__init__.py")
    prepared.write("shared/inner/__init__.py")
    prepared.write("shared/.ytignore", "inner/\n")
    prepared.configure("mode: dev\nupload_modules: [shared]")
    assert hint(prepared, "import shared.inner").startswith(
        "shared/inner is left out of the archive by shared/.ytignore:1"
    )


def test_a_part_of_a_path_that_an_ignore_line_leaves_out(prepared: Pipeline) -> None:
    prepared.write("libraries/shared/__init__.py")
    prepared.write("libraries/shared/part.py")
    prepared.write("libraries/shared/.ytignore", "part.py\n")
    prepared.configure("mode: dev\nupload_paths: [{source: libraries/shared}]")
    assert hint(prepared, "import shared.part").startswith(
        "libraries/shared/part.py is left out of the archive by libraries/shared/.ytignore:1"
    )


@pytest.mark.parametrize("statement", ["import shared.helper", "import nowhere.helper"])
def test_an_ignored_file_of_the_same_last_name_is_not_blamed(prepared: Pipeline, statement: str) -> None:
    prepared.write("shared/__init__.py")
    prepared.configure("mode: dev\nupload_modules: [shared]")
    prepared.write("stages/first/src/helper.py")
    prepared.write("stages/first/src/.ytignore", "helper.py\n")
    assert "helper.py" not in hint(prepared, statement)


def test_an_ignored_file_that_is_no_module_is_not_blamed(prepared: Pipeline) -> None:
    prepared.write("stages/first/src/data/nowhere/readme.txt")
    prepared.write("stages/first/src/nowhere.txt")
    prepared.write("stages/first/src/.ytignore", "*.txt\n")
    assert "nowhere is neither in the archive nor installed" in hint(prepared, "import nowhere")


@pytest.mark.parametrize(
    ("file", "statement"),
    [
        ("shared/__init__.py", "import shared"),
        ("shared/__init__.py", "from shared.part import x"),
        ("shared.py", "import shared"),
    ],
)
def test_a_module_of_the_pipeline_that_is_not_uploaded(prepared: Pipeline, file: str, statement: str) -> None:
    prepared.write(file)
    said = hint(prepared, statement)
    assert said == f"{file.split('/')[0]} is not in the archive: add shared to pipeline.upload_modules"


@pytest.mark.parametrize("file", ["libraries/shared/__init__.py", "libraries/shared.py"])
def test_a_module_in_a_subfolder_that_is_not_uploaded(prepared: Pipeline, file: str) -> None:
    prepared.write(file)
    where = file.removesuffix("/__init__.py")
    assert hint(prepared, "import shared") == (
        f"{where} is not in the archive: add {{source: {where}}} to pipeline.upload_paths"
    )


@pytest.mark.parametrize("file", ["libraries/shared/__init__.py", "libraries/shared.py"])
def test_what_is_advised_helps(prepared: Pipeline, file: str) -> None:
    prepared.write(file)
    advice = hint(prepared, "import shared").split("add ")[1].split(" to ")[0]
    prepared.configure(f"mode: dev\nupload_paths: [{advice}]")
    ran(prepared)


def test_the_module_of_another_stage(prepared: Pipeline) -> None:
    prepared.write("stages/other/src/shared.py")
    said = hint(prepared, "import shared")
    assert said.startswith("stages/other/src/shared.py ") and "pipeline.upload_paths" in said


@pytest.mark.parametrize("statement", ["import nowhere", "from nowhere.part import x"])
def test_a_package_that_is_not_installed(prepared: Pipeline, statement: str) -> None:
    said = hint(prepared, statement)
    assert (
        said.startswith("nowhere is neither in the archive nor installed for the jobs") and "requirements.txt" in said
    )


@pytest.mark.parametrize("folder", [".venv/lib", ".git", ".build/x", ".dev/x"])
def test_a_copy_in_a_folder_that_is_nobodys_source_is_not_advised(prepared: Pipeline, folder: str) -> None:
    prepared.write(f"{folder}/nowhere/__init__.py")
    assert hint(prepared, "import nowhere").startswith("nowhere is neither")


def test_a_module_missing_in_a_reducer(prepared: Pipeline) -> None:
    prepared.write("shared.py")
    prepared.write("stages/first/src/reducer.py", "import shared\n")
    operation(prepared, "map_reduce:\n  input_table: //t/input\n  output_table: //t/output\n  reduce_by: n")
    assert "hint: shared.py is not in the archive: add shared to pipeline.upload_modules" in failed(prepared)


def test_a_missing_module_that_the_job_survives_is_not_blamed_for_another_failure(prepared: Pipeline) -> None:
    prepared.write(
        "stages/first/src/mapper.py",
        "import traceback\ntry:\n    import nowhere\nexcept ImportError:\n    traceback.print_exc()\n"
        "raise SystemExit('out of luck')\n",
    )
    said = failed(prepared)
    assert "out of luck" in said and "nowhere is neither" not in said


def test_a_failure_without_a_missing_module_has_no_advice_about_one(prepared: Pipeline) -> None:
    prepared.write("stages/first/src/mapper.py", "raise SystemExit('out of luck')\n")
    assert failed(prepared).split("\nhint: ")[1].startswith("its log is ")
