"""Queries of the stand-in: recorded answers through the official client."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.cluster.job_support import json_rows, read, wait_until
from tests.cluster.running import Cluster

if TYPE_CHECKING:
    from yt.wrapper import YtClient


@pytest.fixture
def client(cluster: Cluster) -> YtClient:
    cluster.control("queries", clear=True)
    return cluster.client(query_tracker={"poll_period": 100})


def test_recorded_rows_and_tables(cluster: Cluster, client: YtClient, cypress: str) -> None:
    answer = {
        "contains": ["SELECT", "//tmp"],
        "rows": [{"n": 1, "text": "é"}],
        "tables": {f"{cypress}/out": [{"m": 2}]},
    }
    cluster.control("queries", record=[answer])
    query = client.run_query("yql", "SELECT * FROM `//tmp/t`", settings={"cluster": "here"})
    (result,) = query.get_results()
    assert list(result.read_rows(format=json_rows())) == [{"n": 1, "text": "é"}]
    assert not result.is_truncated()
    assert read(client, f"{cypress}/out") == [{"m": 2}]
    (ran,) = cluster.control("queries")
    assert (ran["state"], ran["settings"]) == ("completed", {"cluster": "here"})


def test_the_last_recorded_answer_wins(cluster: Cluster, client: YtClient) -> None:
    cluster.control(
        "queries", record=[{"contains": "S", "rows": [{"n": 1}]}, {"contains": "", "results": [[], [{"n": 2}]]}]
    )
    results = client.run_query("yql", "SELECT").get_results()
    assert [list(result.read_rows(format=json_rows())) for result in results] == [[], [{"n": 2}]]


def test_recorded_error(cluster: Cluster, client: YtClient, cypress: str) -> None:
    from yt.wrapper.errors import YtQueryFailedError

    tables = {f"{cypress}/out": []}
    cluster.control("queries", record=[{"contains": "x", "error": "Column not found: b", "tables": tables}])
    with pytest.raises(YtQueryFailedError, match="Column not found: b"):
        client.run_query("yql", "SELECT x")
    assert not client.exists(f"{cypress}/out")


def test_query_without_an_answer_fails(client: YtClient) -> None:
    from yt.wrapper.errors import YtQueryFailedError

    with pytest.raises(YtQueryFailedError, match="no answer is recorded for this query: SELECT 1"):
        client.run_query("yql", "SELECT 1")


def test_abort(cluster: Cluster, client: YtClient) -> None:
    cluster.control("queries", record=[{"contains": "", "seconds": 100}])
    query = client.run_query("yql", "SELECT 1", sync=False)
    assert query.get_state() == "running"
    assert client.list_queries(state="running")["queries"][0]["id"] == query.id
    query.abort(message="enough of it")
    assert wait_until(query.get_state) == "aborted"
    assert "enough of it" in str(query.get_error())


def test_wrong_recordings_are_refused(cluster: Cluster) -> None:
    from urllib.error import HTTPError

    with pytest.raises(HTTPError):
        cluster.control("queries", record=[{"row": []}])


def test_unknown_query(client: YtClient) -> None:
    from yt.wrapper import YtError

    with pytest.raises(YtError, match="is not found"):
        client.get_query("1-2-3-4")
