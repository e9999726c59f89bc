"""The helpers' queries in dev: each is accepted, and its table holds the rows that it should."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from ytbuild.backends.dev.tables import TableStore
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
from ytbuild.yql.duckdb.engine import check_query, run_query
from ytbuild.yql.requests.builder import query

Rows = list[dict[str, Any]]

OUT = "//tmp/out"
USERS = "//tmp/users"
ORDERS = "//tmp/orders"
EMPTY = "//tmp/empty"
TABLES: dict[str, Rows] = {
    USERS: [
        {"id": 1, "name": "Ann", "_note": "first"},
        {"id": 2, "name": "Bob", "later": True},
        {"id": 3, "name": "it's `odd`"},
    ],
    ORDERS: [
        {"id": 1, "user": 2, "price": 5},
        {"id": 2, "user": 1, "price": 7},
        {"id": 4, "user": 2, "price": 7},
    ],
    EMPTY: [],
}


@pytest.fixture
def tables(tmp_path: Path) -> TableStore:
    """A dev store with the tables above."""
    store = TableStore(str(tmp_path / ".dev"))
    for table, rows in TABLES.items():
        store.write(table, rows)
    return store


def result(tables: TableStore, tmp_path: Path, request: Request) -> Rows:
    """Run a request's query; return the rows of its table, without their nulls."""
    text = query(request)
    check_query(text)
    folder = tmp_path / "folder"
    folder.mkdir()
    run_query(text, tables, str(folder))
    return [{name: value for name, value in row.items() if value is not None} for row in tables.read(OUT)]


def sorted_rows(rows: Rows) -> Rows:
    return sorted(rows, key=lambda row: json.dumps(row, sort_keys=True))


def join(on: Any, how: str, columns: list[str] | None = None) -> JoinTablesRequest:
    return JoinTablesRequest(USERS, ORDERS, OUT, on, how, columns)


ANN, BOB, ODD = TABLES[USERS]

UNORDERED: dict[str, tuple[Request, Rows]] = {
    "a join has a join column of one name once": (
        join("id", "inner"),
        [ANN | {"user": 2, "price": 5}, BOB | {"user": 1, "price": 7}],
    ),
    "a left join keeps all of the left": (
        join("id", "left"),
        [ANN | {"user": 2, "price": 5}, BOB | {"user": 1, "price": 7}, ODD],
    ),
    "a right join takes the join column from the right": (
        join(["id"], "right"),
        [ANN | {"user": 2, "price": 5}, BOB | {"user": 1, "price": 7}, {"id": 4, "user": 2, "price": 7}],
    ),
    "a full join takes the join column from either side": (
        join("id", "full"),
        [ANN | {"user": 2, "price": 5}, BOB | {"user": 1, "price": 7}, ODD, {"id": 4, "user": 2, "price": 7}],
    ),
    "a full join with columns takes the join column from either side": (
        join("id", "full", ["id", "b.price"]),
        [{"id": 1, "price": 5}, {"id": 2, "price": 7}, {"id": 3}, {"id": 4, "price": 7}],
    ),
    "a right join with columns takes the join column from the right": (
        join("id", "right", ["id", "name"]),
        [{"id": 1, "name": "Ann"}, {"id": 2, "name": "Bob"}, {"id": 4}],
    ),
    "a join on columns of two names": (
        join(("id", "user"), "inner", ["a.name", "b.id AS order_id", "price * 2 AS twice"]),
        [
            {"name": "Bob", "order_id": 1, "twice": 10},
            {"name": "Ann", "order_id": 2, "twice": 14},
            {"name": "Bob", "order_id": 4, "twice": 14},
        ],
    ),
    "a join on several columns of which one has two names": (
        JoinTablesRequest(
            ORDERS, ORDERS, OUT, {"left": ["id", "price"], "right": ["user", "price"]}, "inner", ["b.id"]
        ),
        [{"id": 4}],
    ),
    "both whole tables are all columns once": (
        join("id", "inner", ["a.*", "b.*"]),
        [ANN | {"user": 2, "price": 5}, BOB | {"user": 1, "price": 7}],
    ),
    "one whole table and a column of the other": (
        join("id", "inner", ["b.*", "a.name"]),
        [{"id": 1, "user": 2, "price": 5, "name": "Ann"}, {"id": 2, "user": 1, "price": 7, "name": "Bob"}],
    ),
    "a filter": (FilterTableRequest(USERS, OUT, "name != 'Ann' -- not her"), [BOB, ODD]),
    "a filter with columns": (FilterTableRequest(ORDERS, OUT, "price > 5", ["id"]), [{"id": 2}, {"id": 4}]),
    "all columns are those of any row": (SelectColumnsRequest(USERS, OUT, None), [ANN, BOB, ODD]),
    "some columns": (SelectColumnsRequest(USERS, OUT, ["_note", "later"]), [{"_note": "first"}, {"later": True}, {}]),
    "aggregations by group": (
        GroupByAggregateRequest(
            ORDERS,
            OUT,
            "user",
            {"rows": "count", "total_price": "sum", "top": ("max", "price"), "low": ("min", "price")},
        ),
        [
            {"user": 2, "rows": 2, "total_price": 12, "top": 7, "low": 5},
            {"user": 1, "rows": 1, "total_price": 7, "top": 7, "low": 7},
        ],
    ),
    "aggregations of all rows": (
        GroupByAggregateRequest(
            ORDERS,
            OUT,
            [],
            {"avg_price": "avg", "count_distinct_price": "count_distinct", "notes": ("count", "id")},
        ),
        [{"avg_price": 19 / 3, "count_distinct_price": 2, "notes": 3}],
    ),
    "some value and all values": (
        GroupByAggregateRequest(
            ORDERS, OUT, ["price", "user"], {"one": ("some", "id"), "all": ("aggregate_list", "id")}
        ),
        [
            {"price": 5, "user": 2, "one": 1, "all": [1]},
            {"price": 7, "user": 1, "one": 2, "all": [2]},
            {"price": 7, "user": 2, "one": 4, "all": [4]},
        ],
    ),
    "a union has the columns of both": (UnionTablesRequest((USERS, ORDERS), OUT), TABLES[USERS] + TABLES[ORDERS]),
    "a union of a table with itself": (
        UnionTablesRequest([ORDERS, ORDERS], OUT, ["user"]),
        [{"user": 1}, {"user": 1}, {"user": 2}, {"user": 2}, {"user": 2}, {"user": 2}],
    ),
    "distinct rows of some columns": (DistinctRequest(ORDERS, OUT, ["price"]), [{"price": 5}, {"price": 7}]),
    "distinct whole rows": (DistinctRequest(ORDERS, OUT), TABLES[ORDERS]),
}

ORDERED: dict[str, tuple[Request, Rows]] = {
    "a sort": (SortTableRequest(ORDERS, OUT, "user"), [TABLES[ORDERS][1], TABLES[ORDERS][0], TABLES[ORDERS][2]]),
    "a sort in two directions": (
        SortTableRequest(ORDERS, OUT, ["price", "id"], ["id"], [False, True]),
        [{"id": 2}, {"id": 4}, {"id": 1}],
    ),
    "a limit of none": (LimitTableRequest(ORDERS, OUT, 0), []),
    "a limit above all": (LimitTableRequest(ORDERS, OUT, 10, ["id"]), [{"id": 1}, {"id": 2}, {"id": 4}]),
}


@pytest.mark.parametrize("case", UNORDERED)
def test_a_query_gives_its_rows(tables: TableStore, tmp_path: Path, case: str) -> None:
    request, expected = UNORDERED[case]
    assert sorted_rows(result(tables, tmp_path, request)) == sorted_rows(expected)


@pytest.mark.parametrize("case", ORDERED)
def test_a_query_gives_its_rows_in_order(tables: TableStore, tmp_path: Path, case: str) -> None:
    request, expected = ORDERED[case]
    assert result(tables, tmp_path, request) == expected


def test_a_limit_keeps_as_many_rows(tables: TableStore, tmp_path: Path) -> None:
    assert len(result(tables, tmp_path, LimitTableRequest(ORDERS, OUT, 2))) == 2


def test_an_empty_result_replaces_the_old_one(tables: TableStore, tmp_path: Path) -> None:
    tables.write(OUT, [{"stale": True}])
    assert result(tables, tmp_path, FilterTableRequest(ORDERS, OUT, "price > 100")) == []


def test_odd_names_reach_the_table_as_they_are(tables: TableStore, tmp_path: Path) -> None:
    row = {"a b": 1, "select": 2, "a`b": 3, "back\\slash": 4, 'it\'s "x"': 5, "line\nbreak": 6, "\x1b": 7, "имя": 8}
    tables.write("//tmp/odd name's", [row])
    assert result(tables, tmp_path, SelectColumnsRequest("//tmp/odd name's", OUT, list(row))) == [row]


def test_tables_of_one_last_component_are_joined(tables: TableStore, tmp_path: Path) -> None:
    tables.write("//a/t", [{"k": 1, "x": 1}])
    tables.write("//b/t", [{"k": 1, "y": 2}])
    assert result(tables, tmp_path, JoinTablesRequest("//a/t", "//b/t", OUT, "k")) == [{"k": 1, "x": 1, "y": 2}]


def test_a_join_column_of_one_name_is_there_once_beside_one_of_two_names(tables: TableStore, tmp_path: Path) -> None:
    tables.write("//tmp/left", [{"k": 1, "x": 2}])
    tables.write("//tmp/right", [{"k": 1, "y": 2}, {"k": 3, "y": 4}])
    request = JoinTablesRequest("//tmp/left", "//tmp/right", OUT, (["k", "x"], ["k", "y"]), "full")
    assert sorted_rows(result(tables, tmp_path, request)) == [{"k": 1, "x": 2, "y": 2}, {"k": 3, "y": 4}]


def test_a_name_in_both_tables_that_is_no_join_column_is_an_error(tables: TableStore, tmp_path: Path) -> None:
    with pytest.raises(QueryError, match="id"):
        result(tables, tmp_path, join(("id", "user"), "inner"))
