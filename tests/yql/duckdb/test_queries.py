"""SELECT, subqueries, $names and UNION."""

from __future__ import annotations

import json

import pytest

from tests.yql.conftest import Yql

pytestmark = pytest.mark.quick


@pytest.fixture
def table(yql: Yql) -> Yql:
    yql.table("//t", {"a": 1, "b": "x"}, {"a": 2, "b": "y"}, {"a": 3, "b": "x"})
    return yql


def test_a_filter(table: Yql) -> None:
    table.gives("SELECT a FROM `//t` WHERE a > 1", {"a": 2}, {"a": 3})


def test_null_in_where_is_not_true(yql: Yql) -> None:
    yql.table("//t", {"a": None}, {"a": 1})
    yql.gives("SELECT a FROM `//t` WHERE NOT (a = 2)", {"a": 1})


def test_columns_without_a_name_get_their_position(table: Yql) -> None:
    table.gives("SELECT a, a + 1, -a AS m, 'x' FROM `//t` LIMIT 1", {"a": 1, "column1": 2, "m": -1, "column3": "x"})


def test_a_comma_may_follow_the_last_column(table: Yql) -> None:
    table.gives("SELECT a, b, FROM `//t` WHERE a = 1", {"a": 1, "b": "x"})


def test_an_alias_needs_no_as(table: Yql) -> None:
    table.gives("SELECT t.a x FROM `//t` t WHERE t.a = 2", {"x": 2})


def test_a_star_of_a_table_beside_columns(table: Yql) -> None:
    table.gives("SELECT t.*, a * 2 AS c FROM `//t` AS t WHERE a = 1", {"a": 1, "b": "x", "c": 2})


def test_limit_and_offset(table: Yql) -> None:
    table.gives("SELECT a FROM `//t` ORDER BY a DESC LIMIT 1 OFFSET 1", {"a": 2})


def test_order_by_a_name_of_the_result_before_a_column(table: Yql) -> None:
    table.gives("SELECT -a AS a FROM `//t` ORDER BY a", {"a": -3}, {"a": -2}, {"a": -1})


def test_order_by_a_column_that_is_not_selected(table: Yql) -> None:
    table.gives("SELECT b FROM `//t` ORDER BY a DESC", {"b": "x"}, {"b": "y"}, {"b": "x"})


def test_order_by_an_expression(table: Yql) -> None:
    table.gives("SELECT a FROM `//t` ORDER BY a % 2, a DESC", {"a": 2}, {"a": 3}, {"a": 1})


def test_without_from_there_is_one_row(yql: Yql) -> None:
    yql.gives("SELECT 1 AS a", {"a": 1})


def test_a_subquery(table: Yql) -> None:
    table.gives("SELECT c FROM (SELECT a * 10 AS c FROM `//t`) WHERE c > 20", {"c": 30})


def test_the_limit_of_a_subquery_takes_the_first_of_its_order(table: Yql) -> None:
    table.gives("SELECT a FROM (SELECT a FROM `//t` ORDER BY a DESC LIMIT 1)", {"a": 3})


def test_a_named_query(table: Yql) -> None:
    table.gives("$q = SELECT a FROM `//t` WHERE b = 'x'; SELECT SUM(a) AS s FROM $q", {"s": 4})


def test_a_named_query_is_one_value_where_one_is_wanted(table: Yql) -> None:
    table.gives("$m = (SELECT MAX(a) FROM `//t`); SELECT a FROM `//t` WHERE a = $m", {"a": 3})


def test_a_query_for_one_value_without_rows_is_null(table: Yql) -> None:
    table.gives("SELECT (SELECT a FROM `//t` WHERE a > 100) AS v", {"v": None})


def test_a_named_expression_takes_the_columns_of_where_it_stands(table: Yql) -> None:
    table.gives("$c = a * 2; SELECT $c AS c FROM `//t` WHERE $c > 5", {"c": 6})


def test_a_name_keeps_what_it_was_made_of(yql: Yql) -> None:
    yql.gives("$x = 1; $y = $x + 1; $x = 10; SELECT $x AS x, $y AS y", {"x": 10, "y": 2})


def test_a_named_path(table: Yql) -> None:
    table.gives("$path = '//t'; SELECT COUNT(*) AS n FROM $path", {"n": 3})


def test_in_a_query(table: Yql) -> None:
    table.table("//u", {"b": "y"}, {"b": None})
    table.gives("SELECT a FROM `//t` WHERE b IN (SELECT b FROM `//u`)", {"a": 2})
    table.gives("$u = SELECT b FROM `//u`; SELECT a FROM `//t` WHERE b NOT IN $u", {"a": 1}, {"a": 3})


def test_in_a_named_list(table: Yql) -> None:
    table.gives("$l = AsList(1, 3); SELECT a FROM `//t` WHERE a IN $l", {"a": 1}, {"a": 3})


def test_union_all_is_by_name(yql: Yql) -> None:
    yql.gives(
        "SELECT 1 AS x, 'a' AS y UNION ALL SELECT 'b' AS y, 2.5 AS x UNION ALL SELECT 3 AS x, true AS z",
        {"x": 1.0, "y": "a", "z": None},
        {"x": 2.5, "y": "b", "z": None},
        {"x": 3.0, "y": None, "z": True},
    )


def test_union_drops_what_is_twice(yql: Yql) -> None:
    yql.gives(
        "SELECT x FROM (SELECT 1 AS x UNION SELECT 1 AS x UNION SELECT NULL AS x) ORDER BY x", {"x": None}, {"x": 1}
    )


def test_a_part_of_a_union_in_parentheses_has_its_own_order(table: Yql) -> None:
    table.gives("(SELECT a FROM `//t` ORDER BY a DESC LIMIT 1) UNION ALL SELECT 9 AS a", {"a": 3}, {"a": 9})


def test_a_long_chain_of_conditions(table: Yql) -> None:
    chain = " OR ".join(f"a = {number}" for number in range(2, 3000))
    table.gives(f"SELECT a FROM `//t` WHERE {chain}", {"a": 2}, {"a": 3})


def test_comments_are_no_part_of_a_query(table: Yql) -> None:
    table.gives("SELECT /* 'a' -- */ a -- the rest\nFROM `//t` /* ; */ WHERE a = 1 --", {"a": 1})


def test_keywords_have_no_case(table: Yql) -> None:
    table.gives("select A.a As `A` from `//t` as A where A.a = 1 Order bY a limit 1", {"A": 1})


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT c FROM `//t`", "1:8: unknown column c"),
        ("SELECT A FROM `//t`", "1:8: unknown column A"),
        ("SELECT t.a FROM `//t`", "1:8: there is no table t in this SELECT"),
        ("SELECT a FROM `//t`\nWHERE a", "2:7: the condition of WHERE must be Bool, not Int64"),
        ("SELECT a FROM `//t` WHERE a = 'x'", "1:29: comparison of Int64 with String"),
        ("SELECT a FROM `//t` WHERE NOT a = 1", "1:31: the operand of NOT must be Bool, not Int64"),
        ("SELECT a FROM `//t` WHERE a AND true", "1:27: an operand of AND must be Bool, not Int64"),
        ("SELECT a + b FROM `//t`", "1:10: + between Int64 and String"),
        ("SELECT b + b FROM `//t`", "1:10: + between String and String"),
        ("SELECT a || 'x' FROM `//t`", "1:8: || joins texts, not Int64"),
        ("SELECT a & 1 FROM `//t`", "1:10: & of Int64"),
        ("SELECT a LIKE 'x' FROM `//t`", "1:8: LIKE matches texts, not Int64"),
        ("SELECT IF(a > 1, a, b) FROM `//t`", "1:8: IF has values of the types Int64 and String"),
        ("SELECT COALESCE(a, 'x') FROM `//t`", "1:8: COALESCE has values of the types Int64 and String"),
        ("SELECT a IN ('x') FROM `//t`", "1:10: comparison of Int64 with String"),
        ("SELECT a FROM `//t` UNION ALL SELECT b AS a FROM `//t`", "the column a of UNION has values of the types"),
        ("SELECT LENGTH(a) FROM `//t`", "1:8: the argument must be String, not Int64"),
        ("SELECT LENGHT(b) FROM `//t`", "1:8: dev does not know the function LENGHT"),
        ("SELECT CAST(a AS Strin) FROM `//t`", "1:18: dev does not have the type Strin"),
        ("SELECT CAST(0.5 AS Date)", "1:8: dev cannot CAST Double AS Date"),
        ("SELECT Date('2024-02-30')", "1:8: '2024-02-30' is no Date"),
        ("SELECT Date(b) FROM `//t`", "1:8: Date wants literals"),
        ("SELECT 'a' REGEXP '['", "YQL: a pattern is no regular expression"),
        ("SELECT 1.0 / 0 AS x", 'YQL: the column "x" holds NaN or infinity, which JSON cannot hold'),
        ("SELECT [0.0 / 0.0] AS x", 'YQL: the column "x" holds NaN or infinity'),
        ("SELECT *, a FROM `//t`", "1:8: * beside other columns"),
        ("SELECT a, b AS a FROM `//t`", "1:11: two columns of the result are named a"),
        ("SELECT t.*, a FROM `//t` AS t", "1:13: two columns of the result are named a"),
        ("SELECT a FROM `//t` ORDER BY 1", "1:30: ORDER BY a constant"),
        ("SELECT DISTINCT b FROM `//t` ORDER BY a", "1:39: unknown column a: with DISTINCT"),
        ("SELECT a FROM `//t` LIMIT 'x'", "1:27: LIMIT must be a whole number"),
        ("SELECT a FROM `//t` LIMIT -1", "1:27: LIMIT must be a whole number, not -1"),
        ("SELECT a FROM `//t` LIMIT a", "1:27: there is no column a here"),
        ("SELECT (SELECT a, b FROM `//t`)", "1:8: a query that stands for one value must have one column, not 2"),
        ("SELECT a IN (SELECT a, b FROM `//t`) FROM `//t`", "1:10: the query after IN must have one column, not 2"),
        ("SELECT $x", "1:8: $x is not defined"),
        ("$x = $x + 1; SELECT $x", "1:6: $x is not defined"),
        ("$q = 5; SELECT * FROM $q", "1:23: $q is neither a query nor a table's path"),
        ("SELECT x", "1:8: there is no column x here: the SELECT has no FROM"),
    ],
)
def test_what_does_not_fit_is_an_error_with_its_place(table: Yql, query: str, problem: str) -> None:
    assert problem in table.fails(query).message


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("SELECT bb FROM `//t`", "did you mean 'b'?"),
        ("SELECT LENGHT(b) FROM `//t`", "did you mean 'LENGTH'?"),
        ("SELECT tt.a FROM `//t` AS t", "did you mean 't'?"),
        ("PRAGMA yt.MaxRowWeigth = '1M'; SELECT 1", "did you mean 'yt.MaxRowWeight'?"),
        ("$table = 1; SELECT $tabel", "did you mean 'table'?"),
        ("SELECT b + b FROM `//t`", "texts are joined with ||"),
    ],
)
def test_hints(table: Yql, query: str, hint: str) -> None:
    assert table.fails(query).hint == hint


def test_rows_without_an_order_come_in_the_same_one_each_time(yql: Yql) -> None:
    yql.table("//t/many", *({"key": f"k{number * 7919 % 5003}"} for number in range(20_000)))
    query = "SELECT key, COUNT(*) AS count FROM `//t/many` GROUP BY key"
    assert len({json.dumps(yql.run(query).rows) for _ in range(4)}) == 1
