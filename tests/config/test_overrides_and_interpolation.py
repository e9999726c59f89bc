"""`-o KEY=VALUE`, and interpolations that are resolved anew although the file itself is remembered."""

from __future__ import annotations

import pytest

from tests.planning import members, plan, refused
from tests.support import Pipeline
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.graph.plan import Planner


def _with(pipeline: Pipeline, *overrides: str) -> PipelineConfig:
    return Planner(str(pipeline.root), overrides=overrides).config


def test_an_override_wins_over_the_file(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev\nbuild_folder: //x")
    assert _with(pipeline, "pipeline.mode=prod").mode == "prod"


def test_an_override_adds_what_the_file_lacks(pipeline: Pipeline) -> None:
    assert _with(pipeline, "pipeline.build_folder=//home/x").build_folder == "//home/x"


def test_the_last_of_two_overrides_wins(pipeline: Pipeline) -> None:
    assert _with(pipeline, "pipeline.build_folder=//a", "pipeline.build_folder=//b").build_folder == "//b"


def test_an_override_may_be_a_list(pipeline: Pipeline) -> None:
    pipeline.write("stages/second/config.yaml", "job: {}\n")
    assert _with(pipeline, "stages.enabled_stages=[second,first]").enabled_stages == ("second", "first")


def test_an_override_may_hold_an_equals_sign(pipeline: Pipeline) -> None:
    assert _with(pipeline, "pipeline.build_folder=//a=b").build_folder == "//a=b"


def test_an_override_may_change_a_section_of_the_user_s_own(pipeline: Pipeline) -> None:
    _with(pipeline, "mine.deep.key=1")


def test_overrides_count_before_and_after_the_command(pipeline: Pipeline) -> None:
    pipeline.write("lib/x.py")
    pipeline.write("stages/second/config.yaml", "job: {}\n")
    entry = "pipeline.upload_paths=[{source: lib}]"
    pipeline.run("-o", "stages.enabled_stages=[second]", "build", "-o", entry, check=True)
    assert "lib/x.py" in pipeline.names() and "stages/first/config.yaml" not in pipeline.names()


def test_an_override_of_one_run_is_forgotten_in_the_next(pipeline: Pipeline) -> None:
    pipeline.write("stages/second/config.yaml", "job: {}\n")
    pipeline.run("-o", "stages.enabled_stages=[second]", "build", check=True)
    pipeline.build()
    assert "stages/first/config.yaml" in pipeline.names()


@pytest.mark.parametrize("override", ["x", "", "=", "=x", " =x", "pipeline.mode", "pipeline.mode=["])
def test_a_bad_override_is_refused(pipeline: Pipeline, override: str) -> None:
    assert f"-o {override}" in refused(pipeline, "-o", override, "build")


@pytest.mark.parametrize("override", ["pipeline.moed=prod", "stages.enabled=[first]", "pipeline.dev.pyton=x"])
def test_an_unknown_key_in_an_override_is_refused_by_name(pipeline: Pipeline, override: str) -> None:
    assert override.split("=")[0] in refused(pipeline, "-o", override, "build")


def test_a_wrong_value_in_an_override_is_refused_by_name(pipeline: Pipeline) -> None:
    assert "pipeline.mode" in refused(pipeline, "-o", "pipeline.mode=prd", "build")


def test_a_bad_override_ends_the_real_command(pipeline: Pipeline) -> None:
    assert "-o x" in pipeline.refused("build", "-o", "x")


def test_an_interpolation_between_keys_is_resolved(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev\nbuild_folder: //home/${pipeline.mode}")
    assert plan(pipeline).config.build_folder == "//home/dev"


def test_an_override_counts_in_interpolations(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev\nbuild_folder: //home/${pipeline.mode}")
    assert _with(pipeline, "pipeline.mode=prod").build_folder == "//home/prod"


@pytest.mark.parametrize("text", ["${oc.env:YTBUILD_TEST_LIB}", "${oc.env:YTBUILD_TEST_LIB,one}"])
def test_an_environment_variable_counts_anew_in_every_run(pipeline: Pipeline, text: str) -> None:
    pipeline.write("one/x.py")
    pipeline.write("two/y.py")
    pipeline.configure(f"upload_paths: [{{source: '{text}', target: here}}]")
    pipeline.build(YTBUILD_TEST_LIB="one")
    pipeline.build(YTBUILD_TEST_LIB="two")
    assert "here/y.py" in pipeline.names() and "here/x.py" not in pipeline.names()


def test_an_environment_variable_of_a_stage_counts_anew_in_every_run(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/other.py")
    pipeline.write(
        "stages/first/config.yaml", "client: {operations: {map: {script: '${oc.env:YTBUILD_TEST_SCRIPT}'}}}\n"
    )
    pipeline.build(YTBUILD_TEST_SCRIPT="mapper.py")
    pipeline.build(YTBUILD_TEST_SCRIPT="other.py")
    assert b"src/other.py" in pipeline.content("operation_wrapper_first_map.sh")


def test_an_environment_variable_in_an_override_counts_anew(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders = []
    for value in ("a", "b"):
        monkeypatch.setenv("YTBUILD_TEST_FOLDER", value)
        planner = Planner(str(pipeline.root), overrides=("pipeline.build_folder=//${oc.env:YTBUILD_TEST_FOLDER}",))
        folders.append(planner.config.build_folder)
        (pipeline.root / ".build").mkdir(exist_ok=True)
        planner.save()
    assert folders == ["//a", "//b"]


def test_an_edit_of_the_configuration_counts_in_the_next_run(pipeline: Pipeline) -> None:
    pipeline.build()
    pipeline.write("lib/x.py")
    pipeline.configure("upload_paths: [{source: lib}]")
    pipeline.build()
    assert "lib/x.py" in pipeline.names()


BROKEN = [
    *("${nowhere}", "${pipeline.nowhere}", "${oc.env:YTBUILD_NOWHERE}", "${nowhere:x}", "${unclosed", "???"),
    *("${pipeline.build_folder}", "${.mode.deep}"),
]


@pytest.mark.parametrize("text", BROKEN)
def test_an_interpolation_that_does_not_resolve_is_refused(pipeline: Pipeline, text: str) -> None:
    pipeline.configure(f"mode: dev\nbuild_folder: '{text}'")
    said = refused(pipeline)
    assert "configs/config.yaml" in said


def test_the_value_of_a_variable_does_not_ship(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/config.yaml", "job: {token: '${oc.env:YTBUILD_TEST_TOKEN}'}\n")
    pipeline.build(YTBUILD_TEST_TOKEN="s3cret")
    assert b"s3cret" not in pipeline.content("stages/first/config.yaml")


def test_the_stage_s_config_ships_as_it_is(pipeline: Pipeline) -> None:
    text = "# comment\njob:\n  a: ${job.b}   # kept\n  b: 'x'\n"
    pipeline.write("stages/first/config.yaml", text)
    assert members(pipeline)["stages/first/config.yaml"].size == len(text)
