"""What is sent to start an operation, as a dry run shows it."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import replace
from typing import Any

import pytest

from tests.backends.prod.made import ARCHIVE, START, spec
from ytbuild.backends.base import LegCommand, OperationSpec, Resources
from ytbuild.backends.prod.spec import rendered, with_row_weight
from ytbuild.cluster import yson

pytestmark = pytest.mark.quick

WITH_JOBS = ("map", "reduce", "map_reduce", "vanilla")
JOB_IO = {
    "map": ["job_io"],
    "reduce": ["job_io"],
    "map_reduce": ["map_job_io", "sort_job_io", "reduce_job_io"],
    "sort": ["partition_job_io", "sort_job_io", "merge_job_io"],
}


def body(operation: OperationSpec, **options: Any) -> dict[str, Any]:
    """The spec of an operation as it is rendered."""
    sent: dict[str, Any] = rendered(operation, ARCHIVE, **options)["spec"]
    return sent


def jobs(sent: Mapping[str, Any]) -> list[Any]:
    """The job sections of a spec."""
    sections = [sent[name] for name in ("mapper", "reducer") if name in sent]
    return sections + list(sent.get("tasks", {}).values())


def job(operation: OperationSpec) -> Any:
    """The first job section of an operation."""
    return jobs(body(operation))[0]


@pytest.mark.parametrize("kind", WITH_JOBS)
def test_a_leg_runs_its_command_in_bash_and_nothing_else(kind: str) -> None:
    operation = spec(kind)
    commands = [section["command"] for section in jobs(body(operation))]
    assert commands == [f"bash -c '{START.format(leg.leg)}'" for leg in operation.legs]


@pytest.mark.parametrize("kind", WITH_JOBS)
def test_every_leg_gets_the_archive_and_then_its_files(kind: str) -> None:
    operation = spec(kind, files=(("//home/words.txt", "words"), ("<executable=%true>//home/tool", "tool")))
    for section in jobs(body(operation)):
        assert section["file_paths"] == [
            {"$value": ARCHIVE, "$attributes": {"file_name": "source.tar.gz"}},
            {"$value": "//home/words.txt", "$attributes": {"file_name": "words"}},
            {"$value": "//home/tool", "$attributes": {"executable": True, "file_name": "tool"}},
        ]


def test_a_pipeline_without_code_has_no_archive_to_give() -> None:
    sent = rendered(spec(files=(("//home/a", "a"),)), None)["spec"]
    assert [path["$value"] for path in sent["mapper"]["file_paths"]] == ["//home/a"]


@pytest.mark.parametrize("kind", ("map", "reduce", "map_reduce"))
def test_rows_are_json_in_utf_8(kind: str) -> None:
    json_rows = {"$value": "json", "$attributes": {"encode_utf8": False}}
    for section in jobs(body(spec(kind))):
        assert (section["input_format"], section["output_format"]) == (json_rows, json_rows)


def test_variables_go_into_the_vault_unless_they_are_named_public() -> None:
    operation = spec(environment={"COLOUR": "red", "MODE": "fast", "KEY": "secret"}, public_names=("MODE",))
    sent = body(operation)
    assert sent["secure_vault"] == {"COLOUR": "red", "KEY": "secret"}
    assert sent["mapper"]["environment"] == {
        "MODE": "fast",
        "YT_STAGE_NAME": "stage",
        "YT_ALLOW_HTTP_REQUESTS_TO_YT_FROM_JOB": "0",
    }


def test_a_secret_that_is_named_public_stays_in_the_vault() -> None:
    operation = spec(environment={"KEY": "secret"}, secret_names=("KEY",), public_names=("KEY",))
    assert body(operation)["secure_vault"] == {"KEY": "secret"}
    assert "secret" not in json.dumps(job(operation))


def test_a_job_that_may_ask_the_cluster_is_told_so_in_public() -> None:
    name = "YT_ALLOW_HTTP_REQUESTS_TO_YT_FROM_JOB"
    assert job(spec(environment={name: "1"}))["environment"][name] == "1"
    assert "secure_vault" not in body(spec(environment={name: "1"}))


def test_the_blocks_own_vault_wins_over_variables() -> None:
    operation = spec(
        environment={"A": "1", "B": "2"},
        secure_vault={"B": "3", "nested": {"C": 1}},
        passed_on={"secure_vault_variable": {"D": 4}, "spec": {"secure_vault": {"A": "5"}}},
    )
    assert body(operation)["secure_vault"] == {"A": "5", "B": "3", "nested": {"C": 1}, "D": "4"}


def test_the_vaults_entries_get_their_plain_names_in_a_job(tmp_path: Any) -> None:
    operation = spec("map", 'printf "%s|" "$KEY" "$MORE" "${nested-unset}"', environment={"KEY": 'it\'s "$x"'})
    operation = replace(operation, secure_vault={"MORE": "2", "nested": {"a": 1}, "not-a-name": "3"})
    variables = {"PATH": os.environ["PATH"], "YT_SECURE_VAULT_KEY": 'it\'s "$x"', "YT_SECURE_VAULT_MORE": "2"}
    command = ["bash", "-c", job(operation)["command"]]
    ran = subprocess.run(command, env=variables, cwd=tmp_path, capture_output=True, text=True, check=True)
    assert ran.stdout == 'it\'s "$x"|2|unset|'


def test_no_value_of_the_vault_is_in_a_command() -> None:
    operation = spec(environment={"KEY": "very-secret"})
    assert "export KEY=" in job(operation)["command"]
    assert "very-secret" not in job(operation)["command"]


def test_the_registrys_login_needs_an_image() -> None:
    login = {"username": "u", "password": "p"}
    with_image = spec(docker_auth=login, resources=Resources(docker_image="registry/image:1"))
    assert body(with_image)["secure_vault"] == {"docker_auth": login}
    assert "docker_auth" not in job(with_image)["command"]
    assert "secure_vault" not in body(spec(docker_auth=login))


def test_a_masked_spec_shows_names_and_no_values() -> None:
    operation = spec(
        environment={"KEY": "secret-1"},
        docker_auth={"username": "u", "password": "secret-2"},
        resources=Resources(docker_image="image"),
        passed_on={"spec": {"secure_vault": {"MORE": "secret-3"}}},
    )
    sent = body(operation, mask=True)
    assert sent["secure_vault"] == {"KEY": "***", "docker_auth": "***", "MORE": "***"}
    assert "secret-" not in json.dumps(sent)


def test_resources_go_where_the_cluster_looks_for_them() -> None:
    resources = Resources("research", "gpu", "image", 8 << 30, 1.5, 2, user_slots=7)
    sent = body(spec(resources=resources, max_failed_job_count=3, job_time_limit=1.5, time_limit=60))
    assert sent["pool"] == "research"
    assert sent["pool_trees"] == ["gpu"]
    assert sent["resource_limits"] == {"user_slots": 7}
    assert sent["max_failed_job_count"] == 3
    assert sent["time_limit"] == 60_000
    keys = ("memory_limit", "cpu_limit", "gpu_limit", "docker_image", "job_time_limit")
    assert [sent["mapper"][key] for key in keys] == [8 << 30, 1.5, 2, "image", 1500]


def test_what_was_not_asked_for_is_not_there() -> None:
    sent = body(spec())
    assert not {"pool_trees", "resource_limits", "time_limit", "description", "secure_vault"} & set(sent)
    assert not {"docker_image", "job_time_limit"} & set(sent["mapper"])


@pytest.mark.parametrize(
    ("kind", "section", "key"),
    [("map", None, "job_count"), ("reduce", None, "job_count"), ("map_reduce", None, "map_job_count")],
)
def test_the_first_legs_jobs_are_counted(kind: str, section: None, key: str) -> None:
    operation = spec(kind)
    first = LegCommand(operation.legs[0].leg, "true", 5)
    assert body(replace(operation, legs=(first, *operation.legs[1:])))[key] == 5


def test_the_jobs_of_a_vanilla_operation_are_counted_in_its_task() -> None:
    sent = body(replace(spec("vanilla"), legs=(LegCommand("vanilla", "true", 4),)))
    assert sent["tasks"]["stage"]["job_count"] == 4


def test_zero_jobs_leave_their_number_to_the_cluster() -> None:
    assert "job_count" not in body(replace(spec(), legs=(LegCommand("map", "true", 0),)))


@pytest.mark.parametrize("kind", sorted(JOB_IO))
def test_the_weight_of_rows_is_in_every_section_that_writes(kind: str) -> None:
    sent = body(spec(kind, max_row_weight=64 << 20))
    for section in JOB_IO[kind]:
        assert sent[section]["table_writer"]["max_row_weight"] == 64 << 20


def test_a_users_job_io_and_ours_are_joined_and_the_users_values_win() -> None:
    own = {"table_writer": {"block_size": 1000}, "control_attributes": {"enable_row_index": True}}
    job_io = body(spec(passed_on={"job_io": own}))["job_io"]
    assert job_io == {
        "table_writer": {"block_size": 1000, "max_row_weight": 128 << 20},
        "control_attributes": {"enable_row_index": True},
    }
    smaller = body(spec(passed_on={"job_io": {"table_writer": {"max_row_weight": 1000}}}))
    assert smaller["job_io"]["table_writer"]["max_row_weight"] == 1000


def test_keys_that_are_passed_on_reach_the_spec_and_win() -> None:
    sent = body(spec(passed_on={"weight": 2.5, "title": "Mine", "pool_trees": ["a", "b"], "ordered": True}))
    assert (sent["weight"], sent["title"], sent["pool_trees"], sent["ordered"]) == (2.5, "Mine", ["a", "b"], True)


def test_limits_that_are_passed_on_join_the_slots() -> None:
    operation = spec(resources=Resources(user_slots=7), passed_on={"resource_limits": {"cpu": 3}})
    assert body(operation)["resource_limits"] == {"user_slots": 7, "cpu": 3}


def test_a_raw_patch_goes_deep_and_over_everything() -> None:
    patch = {"mapper": {"tmpfs_size": 5, "memory_limit": 7}, "annotations": {"team": "x"}}
    sent = body(spec(passed_on={"weight": 1, "spec": {**patch, "weight": 2}}))
    assert sent["mapper"]["tmpfs_size"] == 5
    assert sent["mapper"]["memory_limit"] == 7
    assert "command" in sent["mapper"]
    assert (sent["annotations"], sent["weight"]) == ({"team": "x"}, 2)


def test_a_description_is_a_title_when_it_is_a_text() -> None:
    assert body(spec(description="Nightly"))["title"] == "Nightly"
    sent = body(spec(description={"ticket": "T-1"}))
    assert (sent["title"], sent["description"]) == ("stage/map (map)", {"ticket": "T-1"})


def test_the_cluster_creates_the_output_and_appends_when_asked() -> None:
    assert body(spec())["output_table_paths"] == [{"$value": "//t/out", "$attributes": {"create": True}}]
    output = body(spec(append=True))["output_table_paths"][0]
    assert output["$attributes"] == {"create": True, "append": True}


def test_attributes_of_a_tables_path_stay() -> None:
    operation = spec(input_table="//t/in[#0:#10]", output_table="<compression_codec=lz4>//t/out")
    sent = body(operation)
    assert sent["input_table_paths"][0]["$value"] == "//t/in"
    assert sent["input_table_paths"][0]["$attributes"]["ranges"][0]["upper_limit"] == {"row_index": 10}
    assert sent["output_table_paths"][0]["$attributes"] == {"compression_codec": "lz4", "create": True}


def test_a_schema_is_given_as_columns_or_as_the_clients_own_value() -> None:
    from yt.wrapper.schema import TableSchema

    columns = [{"name": "a", "type": "string"}]
    given = body(spec(output_schema=columns))["output_table_paths"][0]["$attributes"]
    assert given["schema"] == columns
    schema = TableSchema.from_yson_type(yson.typed({"$value": columns, "$attributes": {"strict": True}}))
    given = body(spec(output_schema=schema))["output_table_paths"][0]["$attributes"]
    assert given["schema"]["$attributes"] == {"strict": True, "unique_keys": False}
    assert given["schema"]["$value"][0]["name"] == "a"


def test_columns_that_go_downwards_say_so() -> None:
    down = {"name": "b", "sort_order": "descending"}
    assert body(spec("sort", sort_by=("a", "b"), descending=("b",)))["sort_by"] == ["a", down]
    sent = body(spec("map_reduce", reduce_by=("b",), sort_by=("b", "a"), descending=("b",)))
    assert sent["sort_by"] == [down, "a"]


def test_a_map_reduces_groups_are_plain_names_whichever_way_their_columns_go() -> None:
    sent = body(spec("map_reduce", reduce_by=("b",), sort_by=("b", "a"), descending=("b",)))
    assert sent["reduce_by"] == ["b"]
    sent = body(spec("reduce", reduce_by=("b",), sort_by=("b", "a"), descending=("b",)))
    assert sent["reduce_by"] == [{"name": "b", "sort_order": "descending"}]


def test_reducers_rows_are_sorted_by_their_groups_unless_said_otherwise() -> None:
    assert body(spec("reduce"))["sort_by"] == ["k"]


def test_a_sort_is_in_place_and_has_no_code() -> None:
    sent = body(spec("sort"))
    assert (sent["input_table_paths"], sent["output_table_path"]) == (["//t/in"], "//t/in")
    assert not jobs(sent)


def test_a_query_has_its_text_and_its_pool() -> None:
    assert rendered(spec("yql"), ARCHIVE) == {"engine": "yql", "query": "SELECT 1", "settings": {"pool": "research"}}


def test_a_querys_own_row_weight_becomes_a_pragma() -> None:
    request = rendered(spec("yql", max_row_weight=1 << 20), ARCHIVE)
    assert request["query"] == 'PRAGMA yt.MaxRowWeight = "1048576";\nSELECT 1'


def test_a_query_that_says_how_long_rows_may_be_keeps_its_word() -> None:
    text = 'pragma yt.maxRowWeight = "1M"; SELECT 1'
    assert with_row_weight(text, "64M") == text


def test_rendering_needs_no_official_client() -> None:
    code = (
        "import sys; from tests.backends.prod.made import spec; from ytbuild.backends.prod.spec import rendered;"
        "[rendered(spec(kind), '//a') for kind in ('map', 'reduce', 'map_reduce', 'vanilla', 'sort', 'yql')];"
        "assert not [name for name in sys.modules if name.split('.')[0] == 'yt'], 'the client was imported'"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
