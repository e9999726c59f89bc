"""Joins: which rows, and which columns under which names."""

from __future__ import annotations

import pytest

from tests.yql.conftest import Yql


@pytest.fixture
def tables(yql: Yql) -> Yql:
    yql.table("//l", {"k": 1, "a": "l1"}, {"k": 2, "a": "l2"}, {"k": None, "a": "l0"})
    yql.table("//r", {"k": 2, "b": "r2"}, {"k": 3, "b": "r3"}, {"k": None, "b": "r0"})
    return yql


L2_R2 = {"k": 2, "a": "l2", "b": "r2"}
L1 = {"k": 1, "a": "l1", "b": None}
L0 = {"k": None, "a": "l0", "b": None}
R3 = {"k": 3, "a": None, "b": "r3"}
R0 = {"k": None, "a": None, "b": "r0"}


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("JOIN", [L2_R2]),
        ("INNER JOIN", [L2_R2]),
        ("LEFT JOIN", [L0, L1, L2_R2]),
        ("LEFT OUTER JOIN", [L0, L1, L2_R2]),
        ("RIGHT JOIN", [R0, L2_R2, R3]),
        ("FULL JOIN", [L0, R0, L1, L2_R2, R3]),
        ("EXCLUSION JOIN", [L0, R0, L1, R3]),
    ],
)
def test_both_sides(tables: Yql, kind: str, rows: list[dict[str, object]]) -> None:
    """NULL keys match nothing, not even each other; the key of one name is one column, whichever side has it."""
    tables.gives(f"SELECT * FROM `//l` AS l {kind} `//r` AS r USING (k) ORDER BY k, a DESC", *rows)


@pytest.mark.parametrize(
    ("kind", "rows"),
    [
        ("LEFT SEMI", [{"k": 2, "a": "l2"}]),
        ("LEFT ONLY", [{"k": None, "a": "l0"}, {"k": 1, "a": "l1"}]),
        ("RIGHT SEMI", [{"k": 2, "b": "r2"}]),
        ("RIGHT ONLY", [{"k": None, "b": "r0"}, {"k": 3, "b": "r3"}]),
    ],
)
def test_one_side(tables: Yql, kind: str, rows: list[dict[str, object]]) -> None:
    tables.gives(f"SELECT * FROM `//l` AS l {kind} JOIN `//r` AS r ON l.k = r.k ORDER BY k", *rows)


def test_a_semi_join_does_not_multiply_rows(tables: Yql) -> None:
    tables.table("//twice", {"k": 2}, {"k": 2})
    tables.gives("SELECT * FROM `//l` AS l LEFT SEMI JOIN `//twice` AS t USING (k)", {"k": 2, "a": "l2"})


def test_a_cross_join_has_all_pairs(tables: Yql) -> None:
    tables.gives("SELECT COUNT(*) AS n FROM `//l` AS l CROSS JOIN `//r` AS r", {"n": 9})


def test_two_stars_give_a_common_key_once(tables: Yql) -> None:
    tables.gives("SELECT r.*, l.* FROM `//l` AS l RIGHT JOIN `//r` AS r ON r.k = l.k WHERE b = 'r3'", {
        "k": 3, "b": "r3", "a": None,
    })  # fmt: skip


def test_the_star_of_one_side_has_the_key_of_either(tables: Yql) -> None:
    tables.gives("SELECT l.* FROM `//l` AS l RIGHT JOIN `//r` AS r USING (k) WHERE r.b = 'r3'", {"k": 3, "a": None})


def test_a_qualified_column_keeps_its_tables_name(tables: Yql) -> None:
    tables.gives("SELECT l.k, b FROM `//l` AS l JOIN `//r` AS r USING (k)", {"l.k": 2, "b": "r2"})


def test_several_joins_and_conditions(tables: Yql) -> None:
    tables.table("//m", {"k": 2, "b": "r2", "c": 7}, {"k": 2, "b": "x", "c": 8})
    tables.gives(
        "SELECT l.a AS a, m.c AS c FROM `//l` AS l JOIN `//r` AS r ON l.k = r.k "
        "LEFT JOIN `//m` AS m ON m.k = l.k AND m.b = r.b",
        {"a": "l2", "c": 7},
    )


def test_a_join_after_an_exclusion(tables: Yql) -> None:
    tables.gives(
        "SELECT l.a AS a, m.b AS b FROM `//l` AS l EXCLUSION JOIN `//r` AS r ON l.k = r.k "
        "JOIN `//r` AS m ON m.k = r.k",
        {"a": None, "b": "r3"},
    )


def test_keys_may_be_expressions(tables: Yql) -> None:
    tables.gives(
        "SELECT l.a AS a FROM `//l` AS l JOIN `//r` AS r ON CAST(l.k AS String) = CAST(r.k AS String)", {"a": "l2"}
    )


def test_keys_of_different_integer_types_match(yql: Yql) -> None:
    yql.table("//s", {"k": -1}, {"k": 5})
    yql.table("//u", {"k": 2**64 - 1}, {"k": 5})
    yql.gives("SELECT s.k AS k FROM `//s` AS s JOIN `//u` AS u ON s.k = u.k", {"k": 5})


def test_subqueries_join(tables: Yql) -> None:
    tables.gives(
        "$r = (SELECT k, COUNT(*) AS n FROM `//r` GROUP BY k);"
        "SELECT l.a AS a, r.n AS n FROM (SELECT * FROM `//l` WHERE k = 2) AS l JOIN $r AS r USING (k)",
        {"a": "l2", "n": 1},
    )


def test_a_table_joins_itself(tables: Yql) -> None:
    tables.gives("SELECT x.a AS a FROM `//l` AS x JOIN `//l` AS y ON x.k = y.k ORDER BY a", {"a": "l1"}, {"a": "l2"})


def test_a_table_without_rows_joins(tables: Yql) -> None:
    tables.table("//empty")
    tables.gives("SELECT l.a AS a, e.z AS z FROM `//l` AS l LEFT JOIN `//empty` AS e ON l.k = e.k WHERE l.k = 1", {
        "a": "l1", "z": None,
    })  # fmt: skip


@pytest.mark.parametrize(
    ("query", "problem"),
    [
        ("SELECT * FROM `//l` AS l JOIN `//r` AS r ON l.k > r.k", "1:49: ON is a conjunction of equalities"),
        ("SELECT * FROM `//l` AS l JOIN `//r` AS r ON l.k = r.k OR l.k = 1", "ON is a conjunction of equalities"),
        ("SELECT * FROM `//l` AS l JOIN `//r` AS r ON l.k = r.k AND l.a = 'x'", "1:65: each side of an equality"),
        ("SELECT * FROM `//l` AS l JOIN `//r` AS r ON l.k = k", "1:51: a column in ON needs its table's name"),
        ("SELECT * FROM `//l` AS l JOIN `//r` AS r ON l.k = l.k", "one side of an equality in ON must be of r"),
        ("SELECT * FROM `//l` AS l JOIN `//r` AS r ON l.a = r.k", "1:49: comparison of String with Int64"),
        ("SELECT * FROM `//l` AS l JOIN `//r` AS r", "1:41: expected ON or USING"),
        ("SELECT * FROM `//l` AS l CROSS JOIN `//r` AS r ON l.k = r.k", "1:48: a CROSS JOIN has no condition"),
        ("SELECT * FROM `//l` AS l JOIN `//l` AS m ON l.k = m.k", "1:8: two columns of the result are named a"),
        ("SELECT k FROM `//l` AS l JOIN `//r` AS r USING (k)", "1:8: the column k is in l and r"),
        ("SELECT * FROM `//l` AS l JOIN `//r` AS l USING (k)", "1:31: two tables are named l here"),
        ("SELECT r.b FROM `//l` AS l LEFT SEMI JOIN `//r` AS r USING (k)", "1:8: r.b: a LEFT SEMI JOIN gives the"),
        ("SELECT * FROM `//l` AS l JOIN (SELECT 1 AS k) USING (k)", "1:31: a query in a join needs a name"),
        ("SELECT * FROM `//l` AS l, `//r` AS r", "1:25: a comma between tables"),
        ("SELECT * FROM ANY `//l` AS l JOIN `//r` AS r USING (k)", "1:15: ANY before a table"),
        (
            "SELECT * FROM `//l` AS l JOIN `//r` AS r USING (k) JOIN `//r` AS s USING (k)",
            "1:26: USING joins two tables only",
        ),
    ],
)
def test_what_joins_refuse(tables: Yql, query: str, problem: str) -> None:
    assert problem in tables.fails(query).message
