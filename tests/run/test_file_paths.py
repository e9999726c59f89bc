"""`file_paths`: files of the pipeline's paths in the sandboxes of jobs."""

from __future__ import annotations

import pytest

from tests.run.stages import code, failed, get, log, operation, put, ran
from tests.support import Pipeline

MAP = "map:\n  input_table: //t/input\n  output_table: //t/output\n  file_paths: {}"
UPLOAD = "client.upload_file('local.bin', '//t/files/model.bin', create_parent_dir=True)\n"
RUN = "run_map(self.context, blocks.map, job={!r})\n"


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A pipeline with a local file to upload, and an input table of four rows."""
    pipeline.write("local.bin", '{"from": "file"}\n')
    put(pipeline, "input", [{"n": number} for number in range(4)])
    return pipeline


@pytest.mark.parametrize(
    ("paths", "name"), [("[//t/files/model.bin]", "model.bin"), ("[[//t/files/model.bin, 'it is']]", "'it is'")]
)
def test_every_job_finds_the_file_under_its_name(prepared: Pipeline, paths: str, name: str) -> None:
    operation(prepared, MAP.format(paths) + "\n  resources: {job_count: 2}")
    code(prepared, UPLOAD + RUN.format(f"cat {name}"))
    ran(prepared)
    assert get(prepared, "output") == [{"from": "file"}] * 2


def test_a_file_is_there_beside_the_unpacked_archive(prepared: Pipeline) -> None:
    prepared.write("stages/first/src/mapper.py", "print(open('model.bin').read(), end='')\n")
    operation(prepared, MAP.format("[//t/files/model.bin]"))
    code(prepared, UPLOAD + "run_map(self.context, blocks.map)")
    ran(prepared)
    assert get(prepared, "output") == [{"from": "file"}]


def test_a_job_that_replaces_its_file_does_not_change_what_was_uploaded(prepared: Pipeline) -> None:
    operation(prepared, MAP.format("[//t/files/model.bin]"))
    code(prepared, UPLOAD + RUN.format("rm model.bin; echo changed > model.bin"))
    ran(prepared)
    assert (prepared.root / ".dev/files/t/files/model.bin").read_text() == '{"from": "file"}\n'


def test_a_job_finds_its_file_read_only(prepared: Pipeline) -> None:
    # Nobody may write: root could all the same, so only the mode can be looked at.
    operation(prepared, MAP.format("[//t/files/model.bin]"))
    code(prepared, UPLOAD + RUN.format("stat -L -c %A model.bin >&2"))
    ran(prepared)
    assert log(prepared, "first.map") == "-r--r--r--\n"


def test_an_executable_file_stays_executable(prepared: Pipeline) -> None:
    prepared.write("local.bin", "#!/bin/sh\necho '{}'\n").chmod(0o755)
    operation(prepared, MAP.format("[//t/files/model.bin]"))
    code(prepared, UPLOAD + RUN.format("./model.bin"))
    ran(prepared)
    assert get(prepared, "output") == [{}]


def test_a_missing_file_is_an_error_before_any_job(prepared: Pipeline) -> None:
    operation(prepared, MAP.format("[//t/files/nothing]"))
    said = failed(prepared)
    assert "there is no file //t/files/nothing" in said and "Traceback" not in said
    assert not list(prepared.root.glob(".dev/*.log"))


@pytest.mark.parametrize("path", ["<executable=%true>//t/a", "//t/../../secret"])
def test_an_odd_path_is_an_error_before_any_job(prepared: Pipeline, path: str) -> None:
    operation(prepared, MAP.format(f"[[{path!r}, own]]"))
    result = prepared.run("run")
    assert result.returncode in (1, 2) and "Traceback" not in result.stderr
    assert not list(prepared.root.glob(".dev/*.log"))


@pytest.mark.parametrize("entry", ["[//t/a, source.tar.gz]", "[//t/a, ../x]", "[//t/a]", "{a: b}"])
def test_an_odd_entry_is_refused(prepared: Pipeline, entry: str) -> None:
    operation(prepared, MAP.format(f"[{entry}]"))
    assert "file_paths" in prepared.refused("run")


@pytest.mark.parametrize("names", ["[[//t/files/model.bin, same], [//t/same, same]]", "[//t/x/same, //t/y/same]"])
def test_two_files_of_one_name_are_refused(prepared: Pipeline, names: str) -> None:
    operation(prepared, MAP.format(names))
    assert "same" in prepared.refused("run")


@pytest.mark.parametrize("name", ["stages"])
def test_a_file_in_the_place_of_the_archives_own_folder_fails_the_job(prepared: Pipeline, name: str) -> None:
    operation(prepared, MAP.format(f"[[//t/files/model.bin, {name}]]"))
    code(prepared, UPLOAD + "run_map(self.context, blocks.map)")
    assert name in failed(prepared)


def test_a_vanilla_job_finds_its_files(prepared: Pipeline) -> None:
    operation(prepared, "vanilla:\n  file_paths: [//t/files/model.bin]")
    code(prepared, UPLOAD + "run_vanilla(self.context, blocks.vanilla, job='cat model.bin')")
    ran(prepared)
    assert log(prepared, "first.vanilla") == '{"from": "file"}\n'
