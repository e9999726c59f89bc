"""`stages/<name>/config.yaml`: operation blocks, resources, and complaints that name file, line and key."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.planning import members, plan, refused
from tests.support import Pipeline
from ytbuild.base.errors import ConfigError
from ytbuild.config.stage import Operation, required

CONFIG = "stages/first/config.yaml"


def _config(pipeline: Pipeline, text: str) -> None:
    pipeline.write(CONFIG, text)


def _operations(pipeline: Pipeline, **blocks: Any) -> None:
    """Write a stage's config with these operation blocks."""
    _config(pipeline, json.dumps({"client": {"operations": blocks}}))


def _operation(pipeline: Pipeline, name: str) -> Operation:
    return next(found for found in plan(pipeline).stages[0].operations if found.name == name)


BLOCK = "client:\n  operations:\n    map:\n      input_table: //tmp/a\n"
UNKNOWN_KEYS = [
    (BLOCK + "      output_tabel: //tmp/b\n", 5, "client.operations.map.output_tabel", "output_table"),
    (BLOCK + "      resources:\n        pol: x\n", 6, "client.operations.map.resources.pol", "pool"),
    (BLOCK + "      resources: {memory_limit: 4}\n", 5, "resources.memory_limit", "memory_limit_gb"),
    (BLOCK + "      map_job_count: 4\n", 5, "client.operations.map.map_job_count", "job_count"),
    (BLOCK + "\n\n      secert: [A]\n", 7, "client.operations.map.secert", "secrets"),
    (BLOCK + "      titel: x\n", 5, "client.operations.map.titel", "title"),
]


@pytest.mark.parametrize(("text", "line", "key", "near"), UNKNOWN_KEYS, ids=[case[2] for case in UNKNOWN_KEYS])
def test_an_unknown_key_is_refused_with_its_line_and_the_closest_one(
    pipeline: Pipeline, text: str, line: int, key: str, near: str
) -> None:
    _config(pipeline, text)
    said = refused(pipeline)
    assert f"{CONFIG}:{line}:" in said and key in said and f"'{near}'" in said


def test_an_unknown_key_ends_the_real_command(pipeline: Pipeline) -> None:
    _operations(pipeline, map={"output_tabel": "x"})
    said = pipeline.refused()
    assert f"{CONFIG}:1:" in said and "client.operations.map.output_tabel" in said


@pytest.mark.parametrize("mode", ["dev", "prod"])
def test_an_unknown_key_is_refused_in_both_modes(pipeline: Pipeline, mode: str) -> None:
    pipeline.configure(f"mode: {mode}\nbuild_folder: //x")
    _operations(pipeline, map={"reduce_by": ["key"]})
    assert "reduce_by" in refused(pipeline)


def test_a_key_of_another_kind_is_unknown(pipeline: Pipeline) -> None:
    _operations(pipeline, sort={"append": True})
    assert "client.operations.sort.append" in refused(pipeline)


@pytest.mark.parametrize(
    ("name", "block"),
    [
        (
            "map",
            {"input_table": "//a", "output_table": "//b", "append": True, "file_paths": ["//f"], "env": {"A": 1}},
        ),
        ("map", {"resources": {"pool": "x", "gpu_limit": 0, "cpu_limit": 0.5, "user_slots": 3}, "job_count": 2}),
        ("map", {"weight": 2.0, "title": "x", "spec": {"any": {"thing": 1}}, "max_row_weight": "64M"}),
        ("map_reduce", {"reduce_by": "k", "sort_by": ["k"], "map_job_count": 3, "tar_command_bootstrap": True}),
        ("reduce", {"reduce_by": ["k"], "join_by": ["k"]}),
        ("sort", {"input_table": "//a", "sort_by": ["k"]}),
        ("vanilla", {"secrets": "TOKEN", "operation_description": {"a": 1}, "environment_public_keys": ["A"]}),
        ("cook", {"kind": "map", "checkpoint": {"a": 1}, "tokenizer_artifact": {"a": 1}, "secure_vault": {"A": "b"}}),
    ],
)
def test_a_block_with_known_keys_is_accepted(pipeline: Pipeline, name: str, block: dict[str, Any]) -> None:
    _operations(pipeline, **{name: block})
    assert _operation(pipeline, name).settings == block


@pytest.mark.parametrize("kind", ["map", "vanilla", "map_reduce", "reduce", "sort"])
def test_the_kind_defaults_to_the_block_s_name(pipeline: Pipeline, kind: str) -> None:
    _operations(pipeline, **{kind: {}})
    assert _operation(pipeline, kind).kind == kind


def test_the_kind_may_be_given(pipeline: Pipeline) -> None:
    _operations(pipeline, cook={"kind": "map"}, map={"kind": "reduce"})
    assert (_operation(pipeline, "cook").kind, _operation(pipeline, "map").kind) == ("map", "reduce")


def test_a_block_of_another_name_without_a_kind_is_the_stage_s_own(pipeline: Pipeline) -> None:
    _operations(pipeline, cook={"input_table": "//a"})
    assert _operation(pipeline, "cook").kind is None


@pytest.mark.parametrize("kind", ["mapp", "merge", "", 5, ["map"], True])
def test_an_unknown_kind_is_refused(pipeline: Pipeline, kind: Any) -> None:
    _operations(pipeline, cook={"kind": kind})
    assert "client.operations.cook.kind" in refused(pipeline)


@pytest.mark.parametrize("text", ["", "# nothing\n", "job:\n", "client:\n", "client: {operations: }\n", "other: 1\n"])
def test_a_stage_may_declare_no_operations(pipeline: Pipeline, text: str) -> None:
    _config(pipeline, text)
    assert plan(pipeline).stages[0].operations == ()


@pytest.mark.parametrize(
    "text", ["job: {a: {b: [1, 2]}, map_reduce_command: text}\n", "client: {mine: 1}\nmine: [2]\n"]
)
def test_other_sections_are_the_user_s_own(pipeline: Pipeline, text: str) -> None:
    _config(pipeline, text)
    assert CONFIG in members(pipeline)


@pytest.mark.parametrize("value", ["${oc.env:YTBUILD_NOWHERE}", "${my_resolver:x}"])
def test_the_job_section_may_hold_what_only_the_job_can_resolve(pipeline: Pipeline, value: str) -> None:
    _config(pipeline, f"job:\n  value: '{value}'\n")
    assert CONFIG in members(pipeline)


EXOTIC = [
    *(
        "{when: 2001-01-01, time: 12:30:45, octal: 0o17, hex: 0x1f, big: 123456789012345678901234567890}",
        "{1: a, 2.5: b}",
    ),
    *(
        "{true: a, 5: b}",
        "{a: .nan, b: -.inf, c: 1e3, d: 1_000}",
        "{a: !!binary aGk=}",
        "{a: !!str 5, b: !!int '5'}",
    ),
    *("{a: &x [1], b: *x}", "{a: &x {k: 1}, b: {<<: *x}}"),
]
REFUSED_EXOTIC = [
    *("{when: !!timestamp 2001-01-01}", "!!set {a, b}", "{a: !!set {a, b}}", "&x {a: *x}", "{a: &x [*x]}"),
    *(
        "{null: a}",
        "{? [a, b] : c}",
        "{? {a: b} : c}",
        "!!python/name:os.system {}",
        "{a: !!python/object/apply:os.getcwd []}",
    ),
]


@pytest.mark.parametrize("text", EXOTIC)
def test_plain_values_of_any_kind_are_accepted_and_remembered(pipeline: Pipeline, text: str) -> None:
    _config(pipeline, f"job: {text}\n")
    first, second = pipeline.build(), pipeline.build()
    assert first["key"] == second["key"]


@pytest.mark.parametrize("text", REFUSED_EXOTIC)
@pytest.mark.parametrize("more", ["", "\nother: ${oc.env:HOME}"], ids=["plain", "with an interpolation"])
def test_what_no_plain_value_can_be_is_refused(pipeline: Pipeline, text: str, more: str) -> None:
    _config(pipeline, f"client: {text}{more}\n")
    assert CONFIG in refused(pipeline)


def test_a_missing_stage_config_is_refused_by_name(pipeline: Pipeline) -> None:
    (pipeline.root / CONFIG).unlink()
    assert CONFIG in pipeline.refused()


@pytest.mark.parametrize(
    ("text", "place"),
    [("job: [\n", ":2:"), ("a: 1\na: 2\n", ":2:"), ("client:\n  x: 'a\n", ":"), ("- a\n", " "), ("text\n", " ")],
)
def test_a_file_that_is_no_mapping_is_refused_by_place(pipeline: Pipeline, text: str, place: str) -> None:
    _config(pipeline, text)
    assert f"{CONFIG}{place}" in refused(pipeline)


@pytest.mark.parametrize("section", ["job", "client", "client.operations", "client.operations.map"])
@pytest.mark.parametrize("value", [5, "text", ["a"], True])
def test_a_section_that_is_no_mapping_is_refused(pipeline: Pipeline, section: str, value: Any) -> None:
    content: Any = value
    for name in reversed(section.split(".")):
        content = {name: content}
    _config(pipeline, json.dumps(content))
    said = refused(pipeline)
    assert f"{CONFIG}:1:" in said and section in said


@pytest.mark.parametrize("value", [5, "text", ["a"]])
@pytest.mark.parametrize("key", ["resources", "env"])
def test_a_block_s_section_that_is_no_mapping_is_refused(pipeline: Pipeline, key: str, value: Any) -> None:
    _operations(pipeline, map={key: value})
    assert f"client.operations.map.{key}" in refused(pipeline)


POSITIVE = ["memory_limit_gb", "job_count", "user_slots"]
NO_POSITIVE = [0, -1, 1.5, 4.0, "4", True, [4], float("inf")]


@pytest.mark.parametrize("value", NO_POSITIVE, ids=repr)
@pytest.mark.parametrize("key", POSITIVE)
def test_a_resource_that_is_no_whole_number_above_zero_is_refused(pipeline: Pipeline, key: str, value: Any) -> None:
    _config(pipeline, f"client: {{operations: {{map: {{resources: {{{key}: {_yaml(value)}}}}}}}}}\n")
    assert f"client.operations.map.resources.{key}" in refused(pipeline)


@pytest.mark.parametrize("key", [*POSITIVE, "max_failed_job_count"])
def test_a_number_on_the_block_itself_is_checked_too(pipeline: Pipeline, key: str) -> None:
    _operations(pipeline, map={key: 0})
    assert f"client.operations.map.{key}" in refused(pipeline)


@pytest.mark.parametrize("value", [0, "2"])
def test_the_number_of_mappers_is_checked(pipeline: Pipeline, value: Any) -> None:
    _operations(pipeline, map_reduce={"map_job_count": value})
    assert "client.operations.map_reduce.map_job_count" in refused(pipeline)


@pytest.mark.parametrize("value", [0, -0.5, "2", True, [1], float("nan"), float("inf")], ids=repr)
def test_a_cpu_limit_that_is_no_finite_number_above_zero_is_refused(pipeline: Pipeline, value: Any) -> None:
    _config(pipeline, f"client: {{operations: {{map: {{resources: {{cpu_limit: {_yaml(value)}}}}}}}}}\n")
    assert "client.operations.map.resources.cpu_limit" in refused(pipeline)


@pytest.mark.parametrize("value", [-1, 0.5, "1", True])
def test_a_gpu_limit_that_is_no_whole_number_is_refused(pipeline: Pipeline, value: Any) -> None:
    _operations(pipeline, map={"resources": {"gpu_limit": value}})
    assert "client.operations.map.resources.gpu_limit" in refused(pipeline)


@pytest.mark.parametrize("value", [None, 1, 64])
def test_a_resource_may_be_a_whole_number_or_absent(pipeline: Pipeline, value: Any) -> None:
    _operations(pipeline, map={"resources": {"memory_limit_gb": value, "cpu_limit": value, "gpu_limit": value}})
    assert _operation(pipeline, "map").settings["resources"]["memory_limit_gb"] == value


def _yaml(value: Any) -> str:
    special = {"inf": ".inf", "nan": ".nan"}
    return special.get(repr(value), json.dumps(value))


@pytest.mark.parametrize("value", [True, "yes", 1])
def test_plain_environment_for_secrets_is_refused(pipeline: Pipeline, value: Any) -> None:
    _operations(pipeline, map={"use_plain_environment_for_secrets": value})
    said = refused(pipeline)
    assert "client.operations.map.use_plain_environment_for_secrets" in said and "secrets" in said


@pytest.mark.parametrize("value", [5, {"A": 1}, [5], [["A"]], True])
def test_secrets_that_are_no_list_of_names_are_refused(pipeline: Pipeline, value: Any) -> None:
    _operations(pipeline, map={"secrets": value})
    assert "client.operations.map.secrets" in refused(pipeline)


@pytest.mark.parametrize("key", ["script", "mapper_script", "reducer_script"])
@pytest.mark.parametrize("value", ["", " ", 5, ["mapper.py"], {"a": 1}, True])
def test_a_script_that_is_no_text_is_refused(pipeline: Pipeline, key: str, value: Any) -> None:
    kind = "map" if key == "script" else "map_reduce"
    _operations(pipeline, **{kind: {key: value}})
    assert f"client.operations.{kind}.{key}" in refused(pipeline)


@pytest.mark.parametrize("name", ["a\x07b", "a\x1b]0;xb", "a\nb"])
def test_an_odd_block_name_cannot_write_to_the_terminal(pipeline: Pipeline, name: str) -> None:
    _operations(pipeline, **{name: {"kind": "nothing"}})
    said = refused(pipeline)
    assert not set(said) & {"\x07", "\x1b"} and said.count("\n") == 2


@pytest.mark.parametrize("value", [None, "", []])
def test_a_setting_that_an_operation_needs_is_named_when_it_is_missing(pipeline: Pipeline, value: Any) -> None:
    _operations(pipeline, map={"input_table": value})
    with pytest.raises(ConfigError, match=r"client\.operations\.map\.input_table is missing"):
        required(_operation(pipeline, "map"), "input_table")


@pytest.mark.parametrize("weight", ["512M", "129M", "1G", "0", "-1", "x", "1.5M", "true", "[1]"])
def test_a_row_weight_over_the_clusters_limit_is_refused(pipeline: Pipeline, weight: str) -> None:
    pipeline.write("stages/first/config.yaml", f"client: {{operations: {{map: {{max_row_weight: {weight}}}}}}}\n")
    assert "max_row_weight" in refused(pipeline)


@pytest.mark.parametrize("weight", ["128M", "64m", "1024K", "100"])
def test_a_row_weight_within_the_limit_is_accepted(pipeline: Pipeline, weight: str) -> None:
    pipeline.write("stages/first/config.yaml", f"client: {{operations: {{map: {{max_row_weight: {weight}}}}}}}\n")
    plan(pipeline)


@pytest.mark.parametrize("key", ["append", "tar_command_bootstrap"])
def test_a_truth_value_in_quotes_is_refused(pipeline: Pipeline, key: str) -> None:
    kind = "map" if key == "append" else "reduce"
    pipeline.write("stages/first/config.yaml", f"client: {{operations: {{{kind}: {{{key}: 'true'}}}}}}\n")
    assert f"client.operations.{kind}.{key}" in refused(pipeline)


def test_a_time_limit_below_a_second_is_refused_as_the_cluster_would(pipeline: Pipeline) -> None:
    _operations(pipeline, map={"job_time_limit": 999})
    assert "job_time_limit is 999 ms" in refused(pipeline)
