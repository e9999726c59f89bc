"""Where `.ytignore` files may lie, which sources they govern, and what happens when one cannot be used."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tests.planning import SRC, link, members, plan, refused
from tests.support import Pipeline, clean_environment

PLACES = [".ytignore", "stages/.ytignore", "stages/first/.ytignore", f"{SRC}/.ytignore"]


@pytest.mark.parametrize("place", PLACES)
def test_an_ignore_file_counts_for_a_stage_from(pipeline: Pipeline, place: str) -> None:
    pipeline.write(f"{SRC}/deep/data.csv")
    pipeline.write(place, "*.csv\n")
    assert f"{SRC}/deep/data.csv" not in members(pipeline)


@pytest.mark.parametrize("place", [".ytignore", "libs/.ytignore", "libs/one/.ytignore", "libs/one/deep/.ytignore"])
def test_an_ignore_file_counts_for_an_upload_path_from(pipeline: Pipeline, place: str) -> None:
    pipeline.write("libs/one/deep/data.csv")
    pipeline.write("libs/one/deep/x.py")
    pipeline.write(place, "*.csv\n")
    pipeline.configure("upload_paths: [{source: libs/one}]")
    assert list(members(pipeline, "path:one")) == ["one/deep/x.py"]


def test_a_nested_ignore_file_counts_below_its_folder_only(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/one/.ytignore", "*.csv\n")
    pipeline.write(f"{SRC}/one/x.csv")
    pipeline.write(f"{SRC}/two/x.csv")
    found = members(pipeline)
    assert f"{SRC}/one/x.csv" not in found and f"{SRC}/two/x.csv" in found


def test_an_ignore_file_of_one_stage_does_not_count_for_another(pipeline: Pipeline) -> None:
    pipeline.write("stages/second/config.yaml", "job: {}\n")
    pipeline.write("stages/second/src/x.csv")
    pipeline.write("stages/first/.ytignore", "*.csv\n")
    pipeline.configure("mode: dev", stages="[first, second]")
    assert "stages/second/src/x.csv" in members(pipeline, "stage:second")


def test_an_ignore_file_above_the_pipeline_does_not_count(pipeline: Pipeline) -> None:
    pipeline.write("../.ytignore", "*.py\n")
    assert f"{SRC}/mapper.py" in members(pipeline)


def test_the_pipeline_s_ignore_file_counts_for_a_module_that_lies_in_the_pipeline(pipeline: Pipeline) -> None:
    pipeline.write("ours/__init__.py")
    pipeline.write("ours/data.csv")
    pipeline.write(".ytignore", "*.csv\n")
    pipeline.configure("upload_modules: [ours]")
    assert list(members(pipeline, "module:ours")) == ["ours/__init__.py"]


def test_an_ignore_file_of_a_module_counts_for_it(pipeline: Pipeline) -> None:
    pipeline.write("ours/__init__.py")
    pipeline.write("ours/deep/data.csv")
    pipeline.write("ours/.ytignore", "/deep\n")
    pipeline.configure("upload_modules: [ours]")
    assert list(members(pipeline, "module:ours")) == ["ours/__init__.py"]


def test_ignore_files_do_not_ship(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/.ytignore", "!.ytignore\n")
    pipeline.write(f"{SRC}/deep/.ytignore", "")
    pipeline.write(f"{SRC}/deep/x.txt")
    assert not [name for name in members(pipeline) if name.endswith(".ytignore")]


@pytest.mark.parametrize("path", ["__pycache__/x.py", "x.pyc", ".git/config", "deep/.build/x", ".dev/x"])
def test_no_line_brings_back_what_is_always_left_out(pipeline: Pipeline, path: str) -> None:
    pipeline.write(f"{SRC}/{path}")
    pipeline.write(f"{SRC}/.ytignore", f"!*\n!{path}\n!/{path}\n")
    assert f"{SRC}/{path}" not in members(pipeline)


@pytest.mark.parametrize(
    "path", [".venv/x.py", "x.swp", "x~", ".DS_Store", "node_modules/x.js", "x.egg-info/PKG-INFO"]
)
def test_the_default_rules_leave_out(pipeline: Pipeline, path: str) -> None:
    pipeline.write(f"{SRC}/{path}")
    assert f"{SRC}/{path}" not in members(pipeline)


def test_a_line_of_the_user_s_brings_back_what_the_default_rules_leave_out(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/node_modules/x.js")
    pipeline.write(".ytignore", "!node_modules/\n")
    assert f"{SRC}/node_modules/x.js" in members(pipeline)


@pytest.mark.parametrize("name", ["config.yaml", "requirements.txt"])
def test_the_stage_s_own_files_ship_whatever_an_ignore_file_says(pipeline: Pipeline, name: str) -> None:
    pipeline.write("stages/first/requirements.txt", "six\n")
    pipeline.write(".ytignore", "*.yaml\n*.txt\n")
    assert f"stages/first/{name}" in members(pipeline)


@pytest.mark.parametrize("place", PLACES)
def test_an_ignore_file_that_is_not_utf8_is_refused_with_file_and_line(pipeline: Pipeline, place: str) -> None:
    pipeline.write(place, b"*.csv\n\n\xff\n")
    assert f"{place}:3" in refused(pipeline)


@pytest.mark.parametrize("place", PLACES)
def test_an_ignore_file_that_holds_nul_is_refused(pipeline: Pipeline, place: str) -> None:
    pipeline.write(place, b"*.csv\0\n")
    assert place in refused(pipeline)


@pytest.mark.parametrize("place", PLACES)
def test_an_ignore_file_that_is_a_directory_is_refused(pipeline: Pipeline, place: str) -> None:
    (pipeline.root / place).mkdir()
    assert place in refused(pipeline)


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("aim", ["rules.txt", "nowhere"])
def test_an_ignore_file_that_is_a_link_is_refused(pipeline: Pipeline, place: str, aim: str) -> None:
    pipeline.write("rules.txt", "*.csv\n")
    link(pipeline, place, pipeline.root / aim)
    assert place in refused(pipeline)


def test_a_refused_ignore_file_ends_the_real_command(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/.ytignore", b"\xff")
    assert f"{SRC}/.ytignore:1" in pipeline.refused()


@pytest.mark.parametrize("place", [".ytignore", f"{SRC}/.ytignore"])
def test_an_ignore_file_that_is_a_fifo_is_refused_and_not_waited_for(pipeline: Pipeline, place: str) -> None:
    os.mkfifo(pipeline.root / place)
    command = [sys.executable, "-m", "ytbuild", "build"]
    try:
        result = subprocess.run(
            command, cwd=pipeline.root, env=clean_environment(), capture_output=True, text=True, timeout=10
        )
    except subprocess.TimeoutExpired:
        pytest.fail("the build waits for somebody to write into the fifo")
    assert result.returncode == 2 and place in result.stderr


def test_an_odd_folder_name_before_an_ignore_file_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/a\x07b/.ytignore", b"\xff")
    pipeline.write(f"{SRC}/a\x07b/x.txt")
    said = refused(pipeline)
    assert "\x07" not in said and "a\\ab/.ytignore" in said


def test_an_odd_ignore_line_in_an_error_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    pipeline.write("li\x07b/x.txt")
    pipeline.write(".ytignore", "li\x07b\n")
    pipeline.configure('upload_paths: [{source: "li\\ab", target: lib}]')
    assert "\x07" not in refused(pipeline)


@pytest.mark.parametrize("line", ["src/", "stages/first", "/stages/", "*"])
def test_a_stage_that_is_left_out_as_a_whole_is_refused(pipeline: Pipeline, line: str) -> None:
    pipeline.write(".ytignore", f"{line}\n")
    said = refused(pipeline)
    assert "stages/first" in said and ".ytignore:1" in said


@pytest.mark.parametrize("line", ["lib", "/lib/", "li*", "*"])
def test_an_upload_path_that_is_left_out_as_a_whole_is_refused(pipeline: Pipeline, line: str) -> None:
    pipeline.write("lib/x.txt")
    pipeline.write(".ytignore", f"# comment\n{line}\n!stages\n")
    pipeline.configure("upload_paths: [{source: lib}]")
    said = refused(pipeline)
    assert "lib" in said and ".ytignore:2" in said


def test_an_upload_path_inside_a_folder_that_is_left_out_is_refused(pipeline: Pipeline) -> None:
    pipeline.write("vendor/lib/x.txt")
    pipeline.write(".ytignore", "vendor/\n!vendor/lib/\n")
    pipeline.configure("upload_paths: [{source: vendor/lib}]")
    said = refused(pipeline)
    assert "vendor/lib" in said and ".ytignore:1" in said


@pytest.mark.parametrize("source", ["lib/__pycache__", "lib/.git", "lib/x.pyc"])
def test_an_upload_path_of_a_name_that_is_always_left_out_is_refused(pipeline: Pipeline, source: str) -> None:
    pipeline.write(source if source.endswith("c") else f"{source}/x.txt")
    pipeline.configure(f"upload_paths: [{{source: {source}, target: here}}]")
    assert source in refused(pipeline)


@pytest.mark.parametrize(
    "content", [{}, {"x.csv": ""}, {"deep/x.csv": ""}], ids=["empty", "ignored", "ignored below"]
)
def test_an_upload_path_of_which_nothing_ships_is_refused(pipeline: Pipeline, content: dict[str, str]) -> None:
    (pipeline.root / "lib").mkdir()
    for name in content:
        pipeline.write(f"lib/{name}")
    pipeline.write("lib/.ytignore", "*.csv\n")
    pipeline.configure("upload_paths: [{source: lib}]")
    assert "path:lib" in refused(pipeline)


def test_a_single_file_ships_under_its_target(pipeline: Pipeline) -> None:
    pipeline.write("data/words.txt", "a b").chmod(0o755)
    pipeline.configure("upload_paths: [{source: data/words.txt, target: lists/w}]")
    member = members(pipeline, "path:lists/w")["lists/w"]
    assert (member.size, member.executable) == (3, True)


def test_a_single_file_that_is_left_out_is_refused(pipeline: Pipeline) -> None:
    pipeline.write("data/words.txt")
    pipeline.write("data/.ytignore", "*.txt\n")
    pipeline.configure("upload_paths: [{source: data/words.txt}]")
    said = refused(pipeline)
    assert "data/words.txt" in said and "data/.ytignore:1" in said


def test_an_edit_of_an_ignore_file_counts_in_the_next_build(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/x.csv")
    pipeline.write(".ytignore", "# nothing\n")
    pipeline.build()
    pipeline.write(".ytignore", "*.csv\n")
    pipeline.build()
    assert f"{SRC}/x.csv" not in pipeline.names()


def test_an_ignore_line_that_changes_nothing_changes_no_key(pipeline: Pipeline) -> None:
    before = plan(pipeline).key
    pipeline.write(".ytignore", "*.nothing\n")
    assert plan(pipeline).key == before
