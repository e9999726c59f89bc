"""What start_operation of the stand-in refuses, and what it only reports."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.job_support import json_rows, numbers, wait_until
from tests.cluster.running import Cluster

if TYPE_CHECKING:
    from yt.wrapper import YtClient


@pytest.fixture
def client(cluster: Cluster) -> YtClient:
    return cluster.client()


@pytest.mark.parametrize("missing", ["in", "out", "file"])
def test_what_is_missing_fails_the_operation_after_its_start(client: YtClient, cypress: str, missing: str) -> None:
    numbers(client, f"{cypress}/in", 1)
    client.create("table", f"{cypress}/out")
    client.write_file(f"{cypress}/file", b"content")
    client.remove(f"{cypress}/{missing}")
    spec = {
        "input_table_paths": [f"{cypress}/in"],
        "output_table_paths": [f"{cypress}/out"],
        "mapper": {"command": "cat", "file_paths": [f"{cypress}/file"], "format": "json"},
    }
    operation = start(client, "map", spec)
    failed = wait_until(lambda: ended(client, operation))
    assert failed["state"] == "failed"
    (reason,) = failed["result"]["error"]["inner_errors"]
    assert failed["result"]["error"]["message"] == "Operation failed to prepare"
    assert reason["message"] == f"Error resolving path {cypress}/{missing}"


def ended(client: YtClient, operation: str) -> Any:
    """What the cluster says of an operation, once it has ended."""
    told = client.get_operation(operation, attributes=["state", "result"])
    return told if told["state"] in ("completed", "failed", "aborted") else None


def start(client: YtClient, kind: str, spec: dict[str, Any]) -> str:
    """start_operation as it is, without the spec builders."""
    from yt.wrapper.driver import make_formatted_request

    parameters = {"operation_type": kind, "spec": spec}
    return str(make_formatted_request("start_operation", parameters, format=None, client=client)["operation_id"])


def test_wrong_specs_are_refused(client: YtClient, cypress: str) -> None:
    from yt.wrapper import YtError

    numbers(client, f"{cypress}/in", 1)
    tables = {"input_table_paths": [f"{cypress}/in"], "output_table_paths": [f"<create=%true>{cypress}/out"]}
    for spec, message in [
        ({}, "Missing required parameter /input_table_paths"),
        ({**tables}, "Missing required parameter /mapper"),
        ({**tables, "mapper": {"command": 5}}, "expected a string"),
        ({**tables, "mapper": {"command": "cat", "environment": {"A": 1}}}, "/mapper/environment/A"),
        ({**tables, "max_failed_job_count": -1}, "expected >= 0"),
        ({**tables, "job_io": {"table_writer": {"max_row_weight": 2**28}}}, "max_row_weight: expected <= 134217728"),
        ({**tables, "mapper": {"command": "cat", "job_time_limit": 999}}, "job_time_limit: expected >= 1000"),
        ({**tables, "join_by": ["k"]}, "does not model"),
        ({**tables, "alias": "me"}, 'should start with "*"'),
    ]:
        with pytest.raises(YtError, match=r"(?s).*" + message.replace("*", r"\*")):
            start(client, "map", spec)
    with pytest.raises(YtError, match="not modelled"):
        start(client, "remote_copy", {})


def test_unrecognized_spec_names_unknown_keys(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 1)
    spec = {"jobcount": 3, "mapper": {"memory_limit": 1000, "memorylimit": 5}}
    operation = client.run_map("cat", f"{cypress}/in", f"{cypress}/out", format=json_rows(), sync=False, spec=spec)
    operation.wait()
    found = client.get_operation(operation.id, attributes=["unrecognized_spec"])
    assert json.loads(json.dumps(found)) == {"unrecognized_spec": {"jobcount": 3, "mapper": {"memorylimit": 5}}}
