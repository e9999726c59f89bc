"""Operations on a cluster: what their jobs get, and where their rows go."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backends.prod.place import Place
from ytbuild.backends.base import Resources
from ytbuild.base.errors import ClusterError, OperationFailed

# The client leaves the connections of requests that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_map_runs_with_the_code_of_the_archive(place: Place) -> None:
    result = place.start("map", "tar -xzf source.tar.gz && test $(cat hello.txt) = hello && cat").wait()
    assert (result.rows_in, result.rows_out) == (10, 10)
    assert [row["n"] for row in place.rows()] == list(range(10))


def test_a_map_reduce_runs_both_legs(place: Place) -> None:
    mapper = """python3 -c 'import json,sys
for line in sys.stdin: n = json.loads(line)["n"]; print(json.dumps({"k": n % 2, "n": n}))'"""
    reducer = """python3 -c 'import json,sys,collections
found = collections.Counter()
for line in sys.stdin: row = json.loads(line); found[row["k"]] += row["n"]
for k, n in sorted(found.items()): print(json.dumps({"k": k, "sum": n}))'"""
    result = place.start("map_reduce", mapper, reducer).wait()
    assert sorted((row["k"], row["sum"]) for row in place.rows()) == [(0, 20), (1, 25)]
    assert (result.rows_in, result.rows_out) == (10, 2)


def test_a_sort_is_in_place_and_a_reduce_takes_what_is_sorted(place: Place) -> None:
    result = place.start("sort", sort_by=("n",), descending=("n",)).wait()
    assert (result.rows_in, result.rows_out) == (10, 10)
    assert [row["n"] for row in place.rows("in")] == list(range(9, -1, -1))
    place.start("sort", sort_by=("n",)).wait()
    assert place.start("reduce", "cat", reduce_by=("n",)).wait().rows_out == 10


def test_a_reduce_of_an_unsorted_table_is_refused_by_the_cluster(place: Place) -> None:
    with pytest.raises((ClusterError, OperationFailed), match="sorted"):
        place.start("reduce", "cat", reduce_by=("n",)).wait()


def test_a_vanilla_operation_runs_its_jobs(place: Place) -> None:
    operation = place.start("vanilla", "test -f source.tar.gz")
    assert operation.wait().rows_out == 0
    assert operation.progress().jobs_done == 1


def test_appended_rows_are_counted_alone(place: Place) -> None:
    place.start("map", "cat").wait()
    assert place.start("map", "head -n 3", append=True).wait().rows_out == 3
    assert len(place.rows()) == 13


def test_without_append_the_output_is_replaced(place: Place) -> None:
    place.start("map", "cat").wait()
    assert place.start("map", "head -n 3").wait().rows_out == 3
    assert len(place.rows()) == 3


def test_the_folder_of_the_output_is_made(place: Place) -> None:
    place.start("map", "cat", output_table=f"{place.folder}/a/b/out").wait()
    assert len(place.rows("a/b/out")) == 10


def test_secrets_reach_the_job_and_only_the_vault_of_the_spec(place: Place) -> None:
    check = 'test "$KEY" = "hunter""22" && test "$MODE" = fast && test "$YT_STAGE_NAME" = stage && cat'
    place.start("map", check, environment={"KEY": "hunter22", "MODE": "fast"}, public_names=("MODE",)).wait()
    sent = place.sent()
    assert sent.pop("secure_vault")["KEY"] == "hunter22"
    assert "hunter22" not in str(sent)


def test_rows_that_are_no_ascii_travel_as_utf_8(place: Place) -> None:
    place.client.write_table(f"{place.folder}/in", [{"text": "жук 🐞"}], format=_json())
    place.start("map", "grep жук").wait()
    assert place.rows() == [{"text": "жук 🐞"}]


def _json() -> Any:
    from yt.wrapper import JsonFormat

    return JsonFormat(encode_utf8=False)


def test_an_output_schema_becomes_the_tables(place: Place) -> None:
    place.start("map", "cat", output_schema=[{"name": "n", "type": "int64"}]).wait()
    schema = place.client.get(f"{place.folder}/out/@schema")
    assert [(column["name"], column["type"]) for column in schema] == [("n", "int64")]


def test_an_operation_that_fails_leaves_the_output_as_it_was(place: Place) -> None:
    place.start("map", "head -n 2").wait()
    with pytest.raises(OperationFailed):
        place.start("map", "cat; exit 1").wait()
    assert len(place.rows()) == 2


def test_an_operation_that_fails_creates_no_output(place: Place) -> None:
    with pytest.raises(OperationFailed):
        place.start("map", "cat; exit 1").wait()
    assert not place.client.exists(f"{place.folder}/out")


def test_keys_of_a_patch_that_the_cluster_does_not_know_are_told(place: Place) -> None:
    place.start("vanilla", "true", passed_on={"spec": {"anotations": {}, "weight": 1}}).wait()
    assert place.heard.warnings == [
        "stage/vanilla (vanilla): the cluster does not know these keys of spec: anotations"
    ]


def test_resources_arrive(place: Place) -> None:
    place.start("vanilla", "true", resources=Resources("research", "default", None, 1 << 30, 1, 0, 5)).wait()
    sent = place.sent()
    assert (sent["pool"], sent["pool_trees"], sent["resource_limits"]) == ("research", ["default"], {"user_slots": 5})
    assert "python" not in str(sent["started_by"]["command"])
