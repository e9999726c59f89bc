"""`configs/config.yaml`: what is accepted, and that every complaint names file, line and key."""

from __future__ import annotations

import json
import sys

import pytest

from tests.planning import link, members, plan, refused
from tests.support import Pipeline
from ytbuild.base.text import quote
from ytbuild.graph.plan import Planner

pytestmark = pytest.mark.quick

CONFIG = "configs/config.yaml"


def _config(pipeline: Pipeline, text: str | bytes) -> None:
    pipeline.write(CONFIG, text)


UNKNOWN_KEYS = [
    ("stages:\n  enabled_stages: [first]\n  enable_stages: []\n", 3, "stages.enable_stages", "enabled_stages"),
    ("stages: {enabled_stages: [first]}\npipeline:\n  mode: dev\n  moed: dev\n", 4, "pipeline.moed", "mode"),
    (
        "stages: {enabled_stages: [first]}\npipeline:\n\n  build_foldr: //x\n",
        4,
        "pipeline.build_foldr",
        "build_folder",
    ),
    (
        "stages: {enabled_stages: [first]}\npipeline: {upload_module: []}\n",
        2,
        "pipeline.upload_module",
        "upload_modules",
    ),
    ("stages: {enabled_stages: [first]}\npipeline:\n  dev:\n    pyton: x\n", 4, "pipeline.dev.pyton", "python"),
    (
        "stages: {enabled_stages: [first]}\npipeline:\n  pickling:\n    ignore_system_module: true\n",
        4,
        "pipeline.pickling.ignore_system_module",
        "ignore_system_modules",
    ),
    (
        "stages: {enabled_stages: [first]}\npipeline:\n  upload_paths:\n  - source: lib\n  - tagret: x\n",
        5,
        "pipeline.upload_paths[1].tagret",
        "target",
    ),
]


@pytest.mark.parametrize(("text", "line", "key", "near"), UNKNOWN_KEYS, ids=[case[2] for case in UNKNOWN_KEYS])
def test_an_unknown_key_is_refused_with_its_line_and_the_closest_one(
    pipeline: Pipeline, text: str, line: int, key: str, near: str
) -> None:
    pipeline.write("lib/x.py")
    _config(pipeline, text)
    said = refused(pipeline)
    assert f"{CONFIG}:{line}:" in said and key in said and f"'{near}'" in said


def test_an_unknown_key_like_no_other_is_answered_with_all_keys(pipeline: Pipeline) -> None:
    pipeline.configure("zzz: 1")
    said = refused(pipeline)
    assert "pipeline.zzz" in said and "upload_paths" in said and "build_folder" in said


def test_an_unknown_key_ends_the_real_command(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev\nmoed: prod")
    said = pipeline.refused()
    assert f"{CONFIG}:5:" in said and "pipeline.moed" in said


@pytest.mark.parametrize("mode", ["dev", "prod"])
def test_an_unknown_key_is_refused_in_both_modes(pipeline: Pipeline, mode: str) -> None:
    pipeline.configure(f"mode: {mode}\nbuild_folder: //x\nmoed: prod")
    assert "pipeline.moed" in refused(pipeline)


@pytest.mark.parametrize("text", ["job: {x: 1}\n", "anything: [1, {a: b}]\n", "user_section:\n  deep: {er: 1}\n"])
def test_other_sections_are_the_user_s_own(pipeline: Pipeline, text: str) -> None:
    _config(pipeline, f"stages: {{enabled_stages: [first]}}\n{text}")
    plan(pipeline)


@pytest.mark.parametrize("value", ["${oc.env:YTBUILD_NOWHERE}", "${my_resolver:x}"])
def test_a_section_of_the_user_s_own_may_hold_what_only_their_code_can_resolve(
    pipeline: Pipeline, value: str
) -> None:
    _config(pipeline, f"stages: {{enabled_stages: [first]}}\nmine:\n  value: '{value}'\n")
    plan(pipeline)


@pytest.mark.parametrize("key", ["\x07", "a\x1b]0;xb", "a\nb"])
def test_an_odd_key_cannot_write_to_the_terminal(pipeline: Pipeline, key: str) -> None:
    pipeline.configure(f"{json.dumps(key)}: 1")
    said = refused(pipeline)
    assert not set(said) & {"\x07", "\x1b"} and said.count("\n") == 2


def test_a_missing_configuration_is_refused_by_name(pipeline: Pipeline) -> None:
    (pipeline.root / CONFIG).unlink()
    assert CONFIG in pipeline.refused()


@pytest.mark.parametrize("directory", ["nowhere", CONFIG])
def test_a_pipeline_that_is_no_directory_is_refused_by_name(pipeline: Pipeline, directory: str) -> None:
    assert directory in refused(pipeline, "-C", str(pipeline.root / directory), "build")


def test_another_configuration_is_read_when_asked_for(pipeline: Pipeline) -> None:
    pipeline.write(
        "configs/other.yaml", "stages: {enabled_stages: [first]}\npipeline: {mode: prod, build_folder: //x}\n"
    )
    assert Planner(str(pipeline.root), "configs/other.yaml").config.mode == "prod"


def test_another_configuration_is_named_in_complaints(pipeline: Pipeline) -> None:
    pipeline.write("configs/other.yaml", "stages: {enabled_stages: [first]}\npipeline: {moed: prod}\n")
    assert "configs/other.yaml:2:" in refused(pipeline, "--config", "configs/other.yaml", "build")


def test_another_configuration_that_does_not_exist_is_refused_by_name(pipeline: Pipeline) -> None:
    assert "configs/nowhere.yaml" in refused(pipeline, "--config", "configs/nowhere.yaml", "build")


def test_a_configuration_that_is_a_dangling_link_is_refused(pipeline: Pipeline) -> None:
    (pipeline.root / CONFIG).unlink()
    link(pipeline, CONFIG, "nowhere")
    assert CONFIG in refused(pipeline)


SYNTAX_ERRORS = [
    ("stages: [first\npipeline: {}\n", 2),
    ("stages:\n  enabled_stages: [first]\n bad: 1\n", 3),
    ("stages:\n\tenabled_stages: [first]\n", 2),
    ("a: 'x\n", 2),
    ("a: 1\na: 2\n", 2),
    ("stages:\n  enabled_stages: [first]\n  enabled_stages: [second]\n", 3),
    ("a: *nowhere\n", 1),
    ("a: !mine x\n", 1),
    ("a: @x\n", 1),
]


@pytest.mark.parametrize(("text", "line"), SYNTAX_ERRORS, ids=[json.dumps(text) for text, _ in SYNTAX_ERRORS])
def test_a_syntax_error_is_refused_with_line_and_column(pipeline: Pipeline, text: str, line: int) -> None:
    _config(pipeline, text)
    assert f"{CONFIG}:{line}:" in refused(pipeline)


@pytest.mark.parametrize("text", ["- a\n- b\n", "just text\n", "5\n", "a: 1\n---\nb: 2\n"])
def test_a_file_that_is_no_mapping_is_refused(pipeline: Pipeline, text: str) -> None:
    _config(pipeline, text)
    assert CONFIG in refused(pipeline)


@pytest.mark.parametrize("text", ["", "# nothing\n", "pipeline: {}\n", "stages:\n", "stages: {}\n"])
def test_a_file_without_enabled_stages_is_refused(pipeline: Pipeline, text: str) -> None:
    _config(pipeline, text)
    said = refused(pipeline)
    assert CONFIG in said and "stages.enabled_stages" in said


@pytest.mark.parametrize(
    "data", [b"a: \xff\n", b"a: 1\0\n", "a: é\n".encode("utf-16")], ids=["latin", "nul", "utf-16"]
)
def test_a_file_that_is_no_text_is_refused(pipeline: Pipeline, data: bytes) -> None:
    _config(pipeline, data)
    assert CONFIG in refused(pipeline)


def test_a_byte_order_mark_and_carriage_returns_do_no_harm(pipeline: Pipeline) -> None:
    _config(pipeline, "\ufeffstages:\r\n  enabled_stages: [first]\r\n".encode())
    assert plan(pipeline).config.enabled_stages == ("first",)


@pytest.mark.parametrize("section", ["stages", "pipeline", "pipeline.dev", "pipeline.pickling"])
@pytest.mark.parametrize("value", ["5", "text", "[a]", "true"])
def test_a_section_that_is_no_mapping_is_refused(pipeline: Pipeline, section: str, value: str) -> None:
    said = refused(pipeline, "-o", f"{section}={value}", "build")
    assert section in said


@pytest.mark.parametrize("value", ["null", "[]", "['']", "[' ']", "''"])
def test_enabled_stages_that_is_empty_is_refused(pipeline: Pipeline, value: str) -> None:
    _config(pipeline, f"stages: {{enabled_stages: {value}}}\n")
    said = refused(pipeline)
    assert f"{CONFIG}:1:" in said and "enabled_stages" in said


@pytest.mark.parametrize("value", ["5", "[first, 5]", "{first: 1}", "[[first]]", "[first, null]", "true"])
def test_enabled_stages_that_is_no_list_of_texts_is_refused(pipeline: Pipeline, value: str) -> None:
    _config(pipeline, f"stages: {{enabled_stages: {value}}}\n")
    assert "enabled_stages" in refused(pipeline)


def test_enabled_stages_may_be_one_text(pipeline: Pipeline) -> None:
    _config(pipeline, "stages: {enabled_stages: first}\n")
    assert plan(pipeline).config.enabled_stages == ("first",)


def test_an_unknown_stage_is_refused_with_the_closest_one(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev", stages="[frist]")
    said = refused(pipeline)
    assert "'frist'" in said and "'first'" in said


def test_a_stage_listed_twice_is_refused(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev", stages="[first, first]")
    said = refused(pipeline)
    assert "'first'" in said and "twice" in said


def test_stages_keep_the_order_of_the_configuration(pipeline: Pipeline) -> None:
    for name in ("b", "a"):
        pipeline.write(f"stages/{name}/config.yaml", "job: {}\n")
    pipeline.configure("mode: dev", stages="[first, b, a]")
    assert [stage.name for stage in plan(pipeline).stages] == ["first", "b", "a"]


def test_a_stage_that_is_not_enabled_does_not_ship(pipeline: Pipeline) -> None:
    pipeline.write("stages/second/config.yaml", "not: [yaml\n")
    assert "stage:second" not in {target.name for target in plan(pipeline).targets}


HOSTILE_NAMES = [
    *("a b", "a$(x)", "../x", "..", ".", "-x", ".x", "é", "a\nb", "a'b", 'a"b', "a/b", "/a", "a\\b", "a;b", "a`b`"),
    *("a\0b", "a\x1b[31mb", "a*", "first/", "a\u202eb", "a:b", "~", "a@b", "a+b", "a\u00a0b", "²"),
]


@pytest.mark.parametrize("name", HOSTILE_NAMES)
def test_the_name_is_refused_for_a_stage(pipeline: Pipeline, name: str) -> None:
    if "\0" not in name and "/" not in name:
        pipeline.write(f"stages/{name}/config.yaml", "job: {}\n")
    pipeline.configure("mode: dev", stages=f"[first, {json.dumps(name)}]")
    said = refused(pipeline)
    assert quote(name) in said and "stage" in said
    assert "\x1b" not in said


def test_an_empty_name_among_others_is_no_stage(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev", stages="[first, '']")
    assert plan(pipeline).config.enabled_stages == ("first",)


@pytest.mark.parametrize("name", ["a", "A9", "_a", "0", "a.b", "a-b", "a_b", "9-._", "con", "a" * 100])
def test_the_name_is_allowed_for_a_stage(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"stages/{name}/config.yaml", "job: {}\n")
    pipeline.configure("mode: dev", stages=f"[{json.dumps(name)}]")
    assert f"stages/{name}/config.yaml" in members(pipeline, f"stage:{name}")


@pytest.mark.parametrize(("value", "mode"), [("dev", "dev"), ("prod", "prod"), ("PROD", "prod"), ("' Dev '", "dev")])
def test_the_mode_is_read_without_regard_to_case_and_spaces(pipeline: Pipeline, value: str, mode: str) -> None:
    pipeline.configure(f"mode: {value}\nbuild_folder: //x")
    assert plan(pipeline).config.mode == mode


def test_the_mode_is_dev_unless_given(pipeline: Pipeline) -> None:
    assert plan(pipeline).config.mode == "dev"


@pytest.mark.parametrize("value", ["prd", "production", "5", "''", "[dev]", "true", "{a: 1}"])
def test_another_mode_is_refused(pipeline: Pipeline, value: str) -> None:
    pipeline.configure(f"mode: {value}")
    said = refused(pipeline)
    assert f"{CONFIG}:4:" in said and "pipeline.mode" in said


@pytest.mark.parametrize(
    "value",
    ["home/x", "/home/x", "5", "''", "[//x]", "//x//y", "//x/../y", "//x//", "'//x/@y'", "'//x[#1]'", "'#1-2-3-4'"],
)
def test_a_build_folder_that_is_no_cypress_path_is_refused(pipeline: Pipeline, value: str) -> None:
    pipeline.configure(f"build_folder: {value}")
    assert "pipeline.build_folder" in refused(pipeline)


def test_the_interpreter_for_dev_is_read(pipeline: Pipeline) -> None:
    pipeline.configure(f"dev: {{python: {sys.executable}}}")
    assert plan(pipeline).config.dev_python == sys.executable


def test_prod_needs_a_build_folder_for_a_stage_with_code(pipeline: Pipeline) -> None:
    pipeline.configure("mode: prod")
    said = refused(pipeline)
    assert "pipeline.build_folder" in said and "first" in said


def test_prod_needs_no_build_folder_where_no_stage_has_code(pipeline: Pipeline) -> None:
    pipeline.configure("mode: prod")
    (pipeline.root / "stages/first/src/mapper.py").unlink()
    (pipeline.root / "stages/first/src").rmdir()
    pipeline.write("stages/first/config.yaml", "client: {operations: {sort: {input_table: //t, sort_by: a}}}\n")
    plan(pipeline)
