"""The helpers: what they run, and what they return."""

from __future__ import annotations

from typing import Any

import pytest

from ytbuild.backends.yql_helpers import YqlHelpers
from ytbuild.base.errors import QueryError
from ytbuild.yql import (
    DistinctRequest,
    FilterTableRequest,
    GroupByAggregateRequest,
    JoinTablesRequest,
    LimitTableRequest,
    Request,
    SelectColumnsRequest,
    SortTableRequest,
    UnionTablesRequest,
)
from ytbuild.yql.requests.builder import query

REQUESTS: dict[str, Request] = {
    "join_tables_request": JoinTablesRequest("//l", "//r", "//out", "key"),
    "filter_table_request": FilterTableRequest("//in", "//out", "x > 1"),
    "select_columns_request": SelectColumnsRequest("//in", "//out", ["x"]),
    "group_by_aggregate_request": GroupByAggregateRequest("//in", "//out", "x", {"n": "count"}),
    "union_tables_request": UnionTablesRequest(("//x", "//y"), "//out"),
    "distinct_request": DistinctRequest("//in", "//out"),
    "sort_table_request": SortTableRequest("//in", "//out", "x"),
    "limit_table_request": LimitTableRequest("//in", "//out", 7),
}


class Recorder(YqlHelpers):
    """A client that notes what it was asked to run."""

    def __init__(self) -> None:
        self.ran: list[tuple[str, str, str | None]] = []

    def run_yql(self, query: str, pool: str = "default", max_row_weight: str | None = None) -> list[dict[str, Any]]:
        self.ran.append((query, pool, max_row_weight))
        return []


@pytest.mark.parametrize("name", REQUESTS)
def test_a_helper_runs_the_query_of_its_request(name: str) -> None:
    client = Recorder()
    getattr(client, name)(REQUESTS[name])
    assert client.ran == [(query(REQUESTS[name]), "default", None)]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_helper_returns_the_text(name: str) -> None:
    assert getattr(Recorder(), name)(REQUESTS[name]) == query(REQUESTS[name])


@pytest.mark.parametrize("name", REQUESTS)
def test_a_dry_run_returns_the_text_and_runs_nothing(name: str) -> None:
    client = Recorder()
    assert getattr(client, name)(REQUESTS[name], dry_run=True) == query(REQUESTS[name])
    assert client.ran == []


@pytest.mark.parametrize("name", REQUESTS)
def test_the_row_weight_is_that_of_the_call(name: str) -> None:
    client = Recorder()
    getattr(client, name)(REQUESTS[name], max_row_weight="64M")
    assert client.ran == [(query(REQUESTS[name], "64M"), "default", "64M")]


@pytest.mark.parametrize("name", REQUESTS)
def test_a_helper_takes_no_other_request(name: str) -> None:
    other = REQUESTS["distinct_request" if name != "distinct_request" else "limit_table_request"]
    with pytest.raises(QueryError) as caught:
        getattr(Recorder(), name)(other)
    assert caught.value.message == f"the request is a {type(other).__name__}"
    assert caught.value.hint == f"give a {type(REQUESTS[name]).__name__}"


def test_a_failed_query_fails_the_helper() -> None:
    class Broken(Recorder):
        def run_yql(self, *_: Any, **__: Any) -> list[dict[str, Any]]:
            raise QueryError("no such table")

    with pytest.raises(QueryError, match="no such table"):
        Broken().distinct_request(DistinctRequest("//in", "//out"))


def test_a_client_has_to_run_queries() -> None:
    with pytest.raises(TypeError, match="run_yql"):
        YqlHelpers()  # type: ignore[abstract]
