"""Queries on a cluster; the stand-in answers with what a test records."""

from __future__ import annotations

import threading
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.backends.prod.made import spec
from tests.cluster.job_support import read, wait_until
from tests.cluster.running import Cluster
from ytbuild.backends.base import OperationSpec
from ytbuild.backends.prod.operation import run_query, start
from ytbuild.backends.prod.query import QueryOperation
from ytbuild.base.errors import ClusterError, OperationFailed, QueryError
from ytbuild.cluster.connection import Connection

# The client leaves the connections of requests that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def record(cluster: Cluster, contains: str, **answer: Any) -> None:
    """Let the stand-in answer a query whose text contains something."""
    cluster.control("queries", record=[{"contains": contains, **answer}])


def asked(cluster: Cluster) -> dict[str, Any]:
    """The parameters of the query that was started last."""
    parameters: dict[str, Any] = cluster.control("queries")[-1]["parameters"]
    return parameters


def started(connection: Connection, operation: OperationSpec, logs: Path) -> QueryOperation:
    """Start the query of an operation."""
    query = start(connection, operation, None, lambda _: None, str(logs))
    assert isinstance(query, QueryOperation)
    return query


def test_a_select_gives_its_rows(cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    rows = [{"n": 1, "text": "жук", "f": 0.5}, {"n": None, "text": "", "f": 2.0}]
    record(cluster, "SELECT rows", rows=rows)
    assert run_query(connection, "SELECT rows", "research", str(tmp_path)) == rows
    assert asked(cluster)["settings"] == {"pool": "research"}
    assert asked(cluster)["engine"] == "yql"


def test_of_several_results_the_last_is_given(cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    record(cluster, "SELECT two", results=[[{"n": 1}], [{"n": 2}, {"n": 3}]])
    assert run_query(connection, "SELECT two", "default", str(tmp_path)) == [{"n": 2}, {"n": 3}]


def test_a_query_without_a_result_gives_no_rows(
    cluster: Cluster, connection: Connection, cypress: str, tmp_path: Path
) -> None:
    record(cluster, "INSERT", tables={f"{cypress}/out": [{"n": 1}]})
    assert run_query(connection, "INSERT INTO out", "default", str(tmp_path)) == []
    assert read(cluster.client(), f"{cypress}/out") == [{"n": 1}]


def test_an_empty_result_gives_no_rows(cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    record(cluster, "SELECT nothing", results=[[]])
    assert run_query(connection, "SELECT nothing", "default", str(tmp_path)) == []


def test_the_text_is_sent_as_it_is(cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    record(cluster, "SELECT plain")
    run_query(connection, "SELECT plain", "default", str(tmp_path))
    assert asked(cluster)["query"] == "SELECT plain"


def test_a_row_weight_is_put_before_a_text_without_one(
    cluster: Cluster, connection: Connection, tmp_path: Path
) -> None:
    record(cluster, "SELECT heavy")
    run_query(connection, "SELECT heavy", "default", str(tmp_path), max_row_weight="64M")
    assert asked(cluster)["query"] == 'PRAGMA yt.MaxRowWeight = "64M";\nSELECT heavy'


def test_a_failed_query_tells_the_innermost_reason_and_where_to_look(
    cluster: Cluster, connection: Connection, tmp_path: Path
) -> None:
    inner = {"code": 1, "message": "Column not found: hunter22 b", "attributes": {}, "inner_errors": []}
    outer = {"code": 1, "message": "Type annotation", "attributes": {}, "inner_errors": [inner]}
    record(cluster, "SELECT b", error={"message": "Failed to run query", "inner_errors": [outer]})
    with pytest.raises(QueryError) as caught:
        run_query(connection, "SELECT b", "default", str(tmp_path))
    assert caught.value.message == "run_yql failed: Column not found: *** b"
    (log,) = tmp_path.iterdir()
    assert str(log) in caught.value.hint and "/queries/" in caught.value.hint
    text = log.read_text()
    assert "Type annotation" in text and "SELECT b" in text and "hunter22" not in text


def test_an_answer_that_breaks_off_is_asked_for_again(
    cluster: Cluster, connection: Connection, tmp_path: Path
) -> None:
    rows = [{"n": number} for number in range(100)]
    record(cluster, "SELECT many", rows=rows)
    cluster.fault("read_query_result", "short_body")
    assert run_query(connection, "SELECT many", "default", str(tmp_path)) == rows


def test_an_interrupted_query_is_aborted(
    cluster: Cluster, connection: Connection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    record(cluster, "SELECT slow", seconds=60)

    def interrupted(_: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(QueryOperation, "wait", interrupted)
    with pytest.raises(KeyboardInterrupt):
        run_query(connection, "SELECT slow", "default", str(tmp_path))
    assert cluster.control("queries")[-1]["state"] == "aborted"


def test_an_operation_of_kind_yql_has_a_handle(cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    record(cluster, "SELECT handle", rows=[{"n": 1}], seconds=0.3)
    operation = started(connection, spec("yql", query="SELECT handle"), tmp_path)
    assert operation.state == "running"
    assert operation.progress().leg == "yql"
    assert operation.link.startswith(f"{operation.id}  http")
    assert operation.wait().rows_out == 1
    assert operation.state == "completed"


def test_a_failure_of_an_operation_names_it(cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    record(cluster, "SELECT broken", error="mismatched input")
    operation = started(connection, spec("yql", query="SELECT broken"), tmp_path)
    with pytest.raises(QueryError, match=r"^stage/yql \(yql\) failed: mismatched input$"):
        operation.wait()
    assert (tmp_path / f"stage.yql.{operation.id}.log").exists()


def test_an_aborted_query_ends_for_those_who_wait(cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    record(cluster, "SELECT long", seconds=60)
    operation = started(connection, spec("yql", query="SELECT long"), tmp_path)
    timer = threading.Timer(0.3, operation.abort)
    timer.start()
    with pytest.raises(OperationFailed, match="was aborted"):
        operation.wait()
    timer.join()
    operation.abort()


def test_aborting_a_query_that_has_ended_does_nothing(
    cluster: Cluster, connection: Connection, tmp_path: Path
) -> None:
    record(cluster, "SELECT quick")
    operation = started(connection, spec("yql", query="SELECT quick"), tmp_path)
    wait_until(lambda: cluster.control("queries")[-1]["state"] == "completed")
    operation.abort()
    assert operation.wait().rows_out == 0


def test_a_cluster_without_queries_is_an_error(cluster: Cluster, connection: Connection, tmp_path: Path) -> None:
    cluster.fault("start_query", "901")
    with pytest.raises(ClusterError, match=r"^stage/yql \(yql\): "):
        started(connection, spec("yql"), tmp_path)


def test_a_query_that_is_not_found_at_first_is_asked_for_again(
    cluster: Cluster, connection: Connection, tmp_path: Path
) -> None:
    record(cluster, "SELECT later", rows=[{"n": 1}], hidden=1)
    assert run_query(connection, "SELECT later", "default", str(tmp_path)) == [{"n": 1}]


def test_an_abort_of_a_query_that_is_ending_is_no_error(
    cluster: Cluster, connection: Connection, tmp_path: Path
) -> None:
    record(cluster, "SELECT ending", rows=[{"n": 1}], ending=1.5)
    query = started(connection, replace(spec("yql"), query="SELECT ending"), tmp_path)
    wait_until(lambda: query._ask()["state"] == "completing")
    query.abort()
    assert query.state == "completed"
