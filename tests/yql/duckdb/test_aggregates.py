"""Aggregate functions, GROUP BY and HAVING."""

from __future__ import annotations

from typing import Any

import pytest

from tests.yql.conftest import Yql, same


@pytest.fixture
def sales(yql: Yql) -> Yql:
    yql.table(
        "//t",
        {"k": "a", "n": 1, "x": 0.5, "b": True},
        {"k": "a", "n": 3, "x": None, "b": None},
        {"k": "b", "n": None, "x": 2.5, "b": False},
        {"k": None, "n": 3, "x": 1.0, "b": True},
    )
    return yql


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("COUNT(*)", 4),
        ("COUNT(1)", 4),
        ("COUNT(n)", 3),
        ("COUNT(DISTINCT n)", 2),
        ("SUM(n)", 7),
        ("SUM(x)", 4.0),
        ("SUM(DISTINCT n)", 4),
        ("AVG(n)", 2.3333333333333335),
        ("MIN(k)", "a"),
        ("MAX(x)", 2.5),
        ("COUNT_IF(n > 1)", 2),
        ("SUM_IF(n, b)", 4),
        ("AVG_IF(n, n > 1)", 3.0),
        ("MIN_BY(k, x)", "a"),
        ("MAX_BY(n, x)", None),
        ("AGGREGATE_LIST(n)", [1, 3, 3]),
        ("AGG_LIST(n, 2)", [1, 3]),
        ("ListSort(AGG_LIST_DISTINCT(n))", [1, 3]),
        ("String::JoinFromList(ListSort(AGGREGATE_LIST(k)), ',')", "a,a,b"),
        ("MEDIAN(n)", 3.0),
        ("PERCENTILE(n, 0.5)", 3.0),
        ("STDDEV(x)", 1.0408329997330663),
        ("VARIANCE_POPULATION(x)", 0.7222222222222222),
        ("BIT_OR(n)", 3),
        ("SOME(b)", True),
        ("SUM(n) + COUNT(*)", 11),
        ("COUNT(*) - 4", 0),
        ("MAX(n) - MIN(n)", 2),
        ("SUM(n + 1)", 10),
    ],
)
def test_aggregates(sales: Yql, expression: str, expected: Any) -> None:
    (row,) = sales.run(f"SELECT {expression} AS v FROM `//t`").rows
    assert same(row["v"], expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("COUNT(*)", 0),
        ("SUM(n)", None),
        ("AVG(n)", None),
        ("MAX(n)", None),
        ("AGG_LIST(n)", []),
        ("String::JoinFromList(AGG_LIST(k), ';')", ""),
        ("COUNT_IF(b)", 0),
    ],
)
def test_aggregates_of_nothing(sales: Yql, expression: str, expected: Any) -> None:
    (row,) = sales.run(f"SELECT {expression} AS v FROM `//t` WHERE n > 100").rows
    assert same(row["v"], expected)


@pytest.mark.parametrize(
    ("values", "conjunction", "disjunction", "parity"),
    [
        ("true false false", False, True, True),
        ("true NULL NULL", None, True, None),
        ("NULL NULL false", False, None, None),
        ("true NULL false", False, True, None),
        ("true true", True, True, False),
    ],
)
def test_aggregates_of_bools_do_not_pass_over_null(
    yql: Yql, values: str, conjunction: Any, disjunction: Any, parity: Any
) -> None:
    rows = ", ".join(f"({value})" for value in values.split())
    yql.gives(
        f"INSERT INTO `//b` (v) VALUES {rows}; COMMIT;"
        "SELECT BOOL_AND(v) AS a, BOOL_OR(v) AS o, BOOL_XOR(v) AS x FROM `//b`",
        {"a": conjunction, "o": disjunction, "x": parity},
    )


def test_a_sum_beyond_64_bits_is_an_error(yql: Yql) -> None:
    yql.table("//t", {"n": 2**63 - 1}, {"n": 1})
    assert "left its type's 64 bits" in yql.fails("SELECT SUM(n) FROM `//t`").message


def test_null_is_a_group_of_its_own(sales: Yql) -> None:
    sales.gives(
        "SELECT k, COUNT(*) AS c FROM `//t` GROUP BY k ORDER BY k",
        {"k": None, "c": 1},
        {"k": "a", "c": 2},
        {"k": "b", "c": 1},
    )


def test_a_key_can_be_an_expression_with_a_name(sales: Yql) -> None:
    sales.gives(
        "SELECT big, big + 1 AS next FROM `//t` GROUP BY n * 2 AS big ORDER BY big DESC",
        {"big": 6, "next": 7},
        {"big": 2, "next": 3},
        {"big": None, "next": None},
    )


def test_the_name_of_a_key_counts_in_where_too(yql: Yql) -> None:
    yql.table("//t", {"foo": -1, "bar": 5}, {"foo": 9, "bar": -5})
    yql.gives("SELECT foo FROM `//t` WHERE foo > 0 GROUP BY bar AS foo", {"foo": 5})


def test_having_filters_groups(sales: Yql) -> None:
    sales.gives("SELECT k FROM `//t` GROUP BY k HAVING COUNT(*) > 1", {"k": "a"})


def test_having_without_group_by_filters_the_one_group(sales: Yql) -> None:
    sales.gives("SELECT COUNT(*) AS c FROM `//t` HAVING COUNT(*) > 100")


def test_a_star_gives_the_keys(sales: Yql) -> None:
    sales.gives("SELECT * FROM `//t` WHERE n = 3 GROUP BY n", {"n": 3})


def test_order_by_an_aggregate(sales: Yql) -> None:
    sales.gives(
        "SELECT k FROM `//t` GROUP BY k ORDER BY COUNT(*) DESC, k LIMIT 2",
        {"k": "a"},
        {"k": None},
    )


def test_distinct_rows(sales: Yql) -> None:
    sales.gives("SELECT DISTINCT n FROM `//t` ORDER BY n", {"n": None}, {"n": 1}, {"n": 3})


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT n FROM `//t` GROUP BY k", "1:8: the column n is neither a key of GROUP BY nor inside"),
        ("SELECT n, COUNT(*) FROM `//t`", "1:8: the column n is neither a key"),
        ("SELECT n FROM `//t` WHERE COUNT(*) > 1", "1:27: the aggregate function COUNT stands outside of SELECT"),
        ("SELECT SUM(COUNT(*)) FROM `//t`", "1:12: the aggregate function COUNT stands inside another"),
        ("SELECT n FROM `//t` HAVING n > 1", "1:30: HAVING without GROUP BY"),
        ("SELECT k, COUNT(*) AS c FROM `//t` GROUP BY k HAVING c > 1", "1:54: unknown column c"),
        ("SELECT SUM(k) FROM `//t`", "1:8: SUM of String"),
        ("SELECT SUM(n, n) FROM `//t`", "1:8: SUM takes 1 arguments, not 2"),
        ("SELECT MEDIAN(DISTINCT n) FROM `//t`", "1:8: MEDIAN does not take DISTINCT"),
        ("SELECT SUM(*) FROM `//t`", "1:8: SUM(*)"),
        ("SELECT COUNT_IF(n) FROM `//t`", "the argument of COUNT_IF must be Bool, not Int64"),
        ("SELECT COUNT(*)", "there is nothing to aggregate"),
        ("SELECT t.* FROM `//t` AS t GROUP BY n", "1:8: * with GROUP BY"),
    ],
)
def test_what_groups_refuse(sales: Yql, query: str, problem: str) -> None:
    assert problem in sales.fails(query).message
