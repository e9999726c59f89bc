"""Which wrappers a pipeline gets, and which scripts they may start."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.planning import SRC, link, members, plan, refused
from tests.support import Pipeline
from ytbuild.base.text import quote


def _stage(pipeline: Pipeline, *scripts: str, job: Any = None, **operations: Any) -> None:
    """Make stage `first` anew from these files under src/ and operation blocks."""
    (pipeline.root / SRC / "mapper.py").unlink()
    for script in scripts:
        pipeline.write(f"{SRC}/{script}")
    pipeline.write("stages/first/config.yaml", json.dumps({"job": job, "client": {"operations": operations}}))


def _started(pipeline: Pipeline) -> dict[str, str]:
    """Return the script that each wrapper starts."""
    return {
        wrapper.arcname.removeprefix("operation_wrapper_first_").removesuffix(".sh"): wrapper.script
        for wrapper in plan(pipeline).wrappers
    }


DEFAULTS: list[tuple[list[str], dict[str, str]]] = [
    ([], {}),
    (["other.py"], {}),
    (["deep/mapper.py"], {}),
    (["mapper.py/x.py"], {}),
    (["mapper.py"], {"map": "mapper.py", "map_reduce_mapper": "mapper.py"}),
    (["vanilla.py"], {"vanilla": "vanilla.py"}),
    (["reducer.py"], {"map_reduce_reducer": "reducer.py", "reduce": "reducer.py"}),
    (
        ["reducer_main.py", "reducer_index.py"],
        {"map_reduce_reducer": "reducer_main.py", "reduce": "reducer_index.py"},
    ),
    (
        ["reducer_mds.py", "reducer_main.py", "reducer_index.py"],
        {"map_reduce_reducer": "reducer_mds.py", "reduce": "reducer_index.py"},
    ),
    (["reducer_mds.py", "reducer_main.py"], {"map_reduce_reducer": "reducer_mds.py", "reduce": "reducer_mds.py"}),
    (
        ["reducer.py", "reducer_mds.py", "reducer_main.py", "reducer_index.py"],
        {"map_reduce_reducer": "reducer.py", "reduce": "reducer.py"},
    ),
]


@pytest.mark.parametrize(("scripts", "expected"), DEFAULTS, ids=[" ".join(names) for names, _ in DEFAULTS])
def test_the_default_scripts_that_exist_get_wrappers(
    pipeline: Pipeline, scripts: list[str], expected: dict[str, str]
) -> None:
    _stage(pipeline, "x.txt", *scripts)
    assert _started(pipeline) == expected


def test_a_stage_without_src_gets_no_wrapper(pipeline: Pipeline) -> None:
    _stage(pipeline)
    (pipeline.root / SRC).rmdir()
    assert _started(pipeline) == {}
    assert list(members(pipeline)) == ["stages/first/config.yaml"]


def test_every_stage_gets_wrappers_of_its_own(pipeline: Pipeline) -> None:
    pipeline.write("stages/second/config.yaml", "job: {}\n")
    pipeline.write("stages/second/src/vanilla.py")
    pipeline.configure("mode: dev", stages="[first, second]")
    names = {wrapper.arcname for wrapper in plan(pipeline).wrappers}
    assert {"operation_wrapper_first_map.sh", "operation_wrapper_second_vanilla.sh"} <= names


CONFIGURED: list[tuple[str, dict[str, Any], str]] = [
    ("map", {"script": "x.py"}, "map"),
    ("vanilla", {"script": "x.py"}, "vanilla"),
    ("map_reduce", {"mapper_script": "x.py"}, "map_reduce_mapper"),
    ("map_reduce", {"reducer_script": "x.py"}, "map_reduce_reducer"),
    ("reduce", {"reducer_script": "x.py"}, "reduce"),
    ("reduce", {"script": "x.py"}, "reduce"),
    ("cook", {"kind": "map", "script": "x.py"}, "map"),
]


@pytest.mark.parametrize(("name", "block", "leg"), CONFIGURED)
def test_a_configured_script_wins_over_the_default_one(
    pipeline: Pipeline, name: str, block: dict[str, Any], leg: str
) -> None:
    _stage(pipeline, "x.py", "mapper.py", "reducer.py", "vanilla.py", **{name: block})
    assert _started(pipeline)[leg] == "x.py"


@pytest.mark.parametrize("script", ["deep/er/x.py", "./deep/er/x.py", "deep//er/x.py", "deep/../deep/er/x.py"])
def test_a_script_in_a_folder_is_started_by_its_plain_path(pipeline: Pipeline, script: str) -> None:
    _stage(pipeline, "deep/er/x.py", map={"script": script})
    assert _started(pipeline) == {"map": "deep/er/x.py"}


def test_two_operations_with_different_scripts_get_two_wrappers(pipeline: Pipeline) -> None:
    _stage(pipeline, "x.py", "y.py", one={"kind": "map", "script": "x.py"}, two={"kind": "map", "script": "y.py"})
    assert _started(pipeline) == {"map": "x.py", "map-two": "y.py"}


def test_two_operations_with_one_script_share_a_wrapper(pipeline: Pipeline) -> None:
    _stage(pipeline, "x.py", one={"kind": "map", "script": "x.py"}, two={"kind": "map", "script": "./x.py"})
    assert _started(pipeline) == {"map": "x.py"}
    assert plan(pipeline).wrappers[0].operations == ("one", "two")


def test_an_operation_without_a_script_keeps_the_default_beside_one_that_has_another(pipeline: Pipeline) -> None:
    _stage(pipeline, "x.py", "mapper.py", map={}, two={"kind": "map", "script": "x.py"})
    started = _started(pipeline)
    assert (started["map"], started["map-two"]) == ("mapper.py", "x.py")


def test_scripts_under_job_are_still_read(pipeline: Pipeline) -> None:
    job = {
        "map_reduce_command": {"mapper_script": "m.py", "reducer_script": "r.py"},
        "reduce_command": {"reducer_script": "s.py"},
    }
    _stage(pipeline, "m.py", "r.py", "s.py", job=job, map_reduce={}, reduce={})
    assert _started(pipeline) == {"map_reduce_mapper": "m.py", "map_reduce_reducer": "r.py", "reduce": "s.py"}


BAD_SCRIPTS = [
    *("nowhere.py", "deep", "deep/nowhere.py", ".", "..", "../config.yaml", "deep/../../config.yaml"),
    *("/etc/hostname", "../../../configs/config.yaml", "x.py/y.py", "a\0b.py", "out.py", "loop.py", "outside/x.py"),
]


@pytest.mark.parametrize("script", BAD_SCRIPTS)
def test_the_configured_script_is_refused_by_name(pipeline: Pipeline, script: str) -> None:
    pipeline.write("../outside/x.py")
    _stage(pipeline, "x.py", "deep/x.py", map={"script": script})
    if script == "out.py":
        link(pipeline, f"{SRC}/out.py", "../../../../outside/x.py")
    if script == "outside/x.py":
        link(pipeline, f"{SRC}/outside", "../../../../outside")
    if script == "loop.py":
        link(pipeline, f"{SRC}/loop.py", "loop.py")
    said = refused(pipeline)
    assert quote(script) in said and "first" in said


def test_an_absolute_script_is_refused_even_inside_src(pipeline: Pipeline) -> None:
    script = str(pipeline.root / SRC / "x.py")
    _stage(pipeline, "x.py", map={"script": script})
    assert script in refused(pipeline)


def test_a_missing_script_ends_the_real_command(pipeline: Pipeline) -> None:
    _stage(pipeline, "x.py", map={"script": "nowhere.py"})
    said = pipeline.refused()
    assert "nowhere.py" in said and "stages/first" in said


def test_a_missing_script_under_job_is_refused_by_name(pipeline: Pipeline) -> None:
    _stage(pipeline, "x.py", job={"reduce_command": {"reducer_script": "nowhere.py"}}, reduce={})
    assert "nowhere.py" in refused(pipeline)


@pytest.mark.parametrize("line", ["x.py", "/x.py", "*.py", "/stages/first/src/x.py"])
def test_a_configured_script_that_is_left_out_is_refused_with_the_line(pipeline: Pipeline, line: str) -> None:
    _stage(pipeline, "x.py", "x.txt", map={"script": "x.py"})
    place = ".ytignore" if line.startswith("/stages") else f"{SRC}/.ytignore"
    pipeline.write(place, f"\n{line}\n")
    said = refused(pipeline)
    assert f"{SRC}/x.py" in said and f"{place}:2" in said


def test_a_script_in_a_folder_that_is_left_out_is_refused_with_the_line(pipeline: Pipeline) -> None:
    _stage(pipeline, "deep/x.py", "x.txt", map={"script": "deep/x.py"})
    pipeline.write(f"{SRC}/.ytignore", "deep/\n")
    said = refused(pipeline)
    assert f"{SRC}/deep/x.py" in said and f"{SRC}/.ytignore:1" in said


def test_a_default_script_that_is_left_out_is_refused(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/x.txt")
    pipeline.write(f"{SRC}/.ytignore", "mapper.py\n")
    assert f"{SRC}/mapper.py" in refused(pipeline)


def test_a_script_that_is_left_out_later_is_refused_then(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/x.txt")
    pipeline.build()
    pipeline.write(f"{SRC}/.ytignore", "mapper.py\n")
    assert f"{SRC}/mapper.py" in refused(pipeline)


def test_a_script_may_be_a_link_to_another_one(pipeline: Pipeline) -> None:
    _stage(pipeline, "x.py", map={"script": "alias.py"})
    link(pipeline, f"{SRC}/alias.py", "x.py")
    assert _started(pipeline)["map"] in ("alias.py", "x.py")


def test_a_script_may_lie_behind_a_link_to_a_folder_of_src(pipeline: Pipeline) -> None:
    _stage(pipeline, "deep/x.py", map={"script": "alias/x.py"})
    link(pipeline, f"{SRC}/alias", "deep")
    assert _started(pipeline)["map"] in ("alias/x.py", "deep/x.py")


def test_a_default_script_may_be_a_link_to_a_file_elsewhere_in_the_pipeline(pipeline: Pipeline) -> None:
    _stage(pipeline)
    pipeline.write("shared/mapper.py")
    link(pipeline, f"{SRC}/mapper.py", "../../../shared/mapper.py")
    assert _started(pipeline)["map"] == "mapper.py"


@pytest.mark.parametrize("name", ["a/b", "../x", "../../x", "/x", "a\nb", "a\0b", "a/../../b"])
def test_an_operation_s_name_cannot_put_a_wrapper_elsewhere(pipeline: Pipeline, name: str) -> None:
    _stage(pipeline, "x.py", "mapper.py", **{"map": {}, name: {"kind": "map", "script": "x.py"}})
    assert quote(name) in refused(pipeline)


def test_two_wrappers_with_one_name_are_refused(pipeline: Pipeline) -> None:
    _stage(pipeline, "x.py", "mapper.py", map={}, x_map={"kind": "map", "script": "x.py"})
    pipeline.write("stages/first_map-x/config.yaml", "job: {}\n")
    pipeline.write("stages/first_map-x/src/mapper.py")
    pipeline.configure("mode: dev", stages="[first, first_map-x]")
    said = refused(pipeline)
    assert "operation_wrapper_first_map-x_map.sh" in said and "first_map-x" in said


def test_a_wrapper_is_executable_and_begins_with_its_interpreter(pipeline: Pipeline) -> None:
    for member in members(pipeline, "wrappers").values():
        assert member.executable
        assert isinstance(member.origin, bytes) and member.origin.startswith(b"#!/bin/bash\n")


def test_wrappers_are_the_same_in_dev_and_prod(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev")
    before = plan(pipeline).key
    pipeline.configure("mode: prod\nbuild_folder: //home/x")
    assert plan(pipeline).key == before
