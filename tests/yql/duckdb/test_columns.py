"""The columns of tables: names and types, from all rows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from tests.yql.conftest import Yql
from ytbuild.base.errors import TableError


def test_names_differ_by_case(yql: Yql) -> None:
    yql.table("//t", {"Key": 1, "key": "x", "KEY": True})
    yql.gives("SELECT key, Key, KEY AS `kEY` FROM `//t` WHERE Key = 1", {"key": "x", "Key": 1, "kEY": True})


@pytest.mark.parametrize(
    "name", ["a b", "_x", "a.b", "a/b", "~", "0", "$.x", 'q"uote', "it's", "`", "п", "\\n", "json"]
)
def test_any_name_can_be_a_column(yql: Yql, name: str) -> None:
    yql.table("//t", {name: 1, "other": 2})
    yql.gives("SELECT * FROM `//t`", {name: 1, "other": 2})


def test_a_name_in_backticks(yql: Yql) -> None:
    yql.table("//t", {"a ` b": 1, "select": 2})
    yql.gives("SELECT `a \\` b` AS x, `select` FROM `//t`", {"x": 1, "select": 2})


def test_a_column_that_only_a_later_row_has_is_kept(yql: Yql) -> None:
    yql.table("//t", {"a": 1}, {"a": 2, "_late": "x"})
    yql.gives("SELECT * FROM `//t`", {"a": 1, "_late": None}, {"a": 2, "_late": "x"})


@pytest.mark.parametrize(
    "value",
    [
        2**64 - 1,
        2**63,
        -(2**63),
        1.0,
        -0.0,
        1e300,
        5e-324,
        0.1,
        "",
        "2024-01-31",
        "d9c2f5b0-0000-0000-0000-000000000000",
        "12",
        "null",
        "a\u2028b\u0085c\x00\x01\n\t\"\\'é😀",
        True,
        None,
        [],
        {},
        [1, 2.0, "x", None, {"a": [True]}],
        {"z": 1, "a": "\u2028"},
    ],
)
def test_a_value_passes_through_unchanged(yql: Yql, value: Any) -> None:
    yql.table("//t", {"v": value})
    yql.gives("SELECT * FROM `//t`", {"v": value})


@pytest.mark.parametrize(
    ("values", "kind"),
    [
        ([1, -1], "Int64"),
        ([1, 2**63], "Uint64"),
        ([1, None, 2.5], "Double"),
        ([True, None], "Bool"),
        (["x"], "String"),
        ([1, "x"], "Yson"),
        ([1, True], "Yson"),
        ([-1, 2**63], "Yson"),
        ([[1]], "Yson"),
        ([{}], "Yson"),
    ],
)
def test_the_type_comes_from_all_rows(yql: Yql, values: list[Any], kind: str) -> None:
    yql.table("//t", *({"v": value} for value in values))
    assert kind in yql.fails("SELECT v = Date('2024-01-31') FROM `//t`").message


def test_integers_among_doubles_become_doubles(yql: Yql) -> None:
    yql.table("//t", {"v": 1}, {"v": 2.5})
    yql.gives("SELECT v FROM `//t`", {"v": 1.0}, {"v": 2.5})


def test_values_of_mixed_types_pass_through(yql: Yql) -> None:
    yql.table("//t", {"v": 1}, {"v": "x"}, {"v": [2]}, {"v": None})
    yql.gives("SELECT v FROM `//t`", {"v": 1}, {"v": "x"}, {"v": [2]}, {"v": None})


@pytest.mark.parametrize("query", ["WHERE v = v", "GROUP BY v", "ORDER BY v"])
def test_values_of_mixed_types_cannot_be_compared(yql: Yql, query: str) -> None:
    yql.table("//t", {"v": 1}, {"v": "x"})
    assert "Yson" in yql.fails(f"SELECT v FROM `//t` {query}").message


def test_a_column_of_nulls_goes_with_every_type(yql: Yql) -> None:
    yql.table("//t", {"v": None, "n": 1})
    yql.gives("SELECT v = 'x' AS a, v + 1 AS b, SUM(v) AS c FROM `//t` GROUP BY v", {"a": None, "b": None, "c": None})


def test_in_a_table_without_rows_every_column_is_null(yql: Yql) -> None:
    yql.table("//t")
    yql.gives("SELECT COUNT(*) AS n, SUM(a) AS s FROM `//t` WHERE b = 'x' AND c > 1", {"n": 0, "s": None})
    yql.gives("SELECT a, b || 'x' AS c FROM `//t` ORDER BY a")
    yql.gives("SELECT * FROM `//t`")


def test_null_comes_first_ascending_and_last_descending(yql: Yql) -> None:
    yql.table("//t", {"v": 2}, {"v": None}, {"v": 1})
    yql.gives("SELECT v FROM `//t` ORDER BY v", {"v": None}, {"v": 1}, {"v": 2})
    yql.gives("SELECT v FROM `//t` ORDER BY v DESC", {"v": 2}, {"v": 1}, {"v": None})


def test_texts_are_ordered_by_bytes(yql: Yql) -> None:
    yql.table("//t", *({"v": value} for value in ["é", "z", "Z", "a", "", "ab"]))
    yql.gives("SELECT v FROM `//t` ORDER BY v", *({"v": value} for value in ["", "Z", "a", "ab", "z", "é"]))


@pytest.mark.parametrize("line", ["[1]", "1", "{", '{"a":1} x', "not json"])
def test_a_line_that_is_no_object_is_named(yql: Yql, line: str) -> None:
    (yql.folder / "t.jsonl").write_text('{"a":1}\n' + line + "\n")
    with pytest.raises(TableError, match="//t: line 2 is no row: "):
        yql.run("SELECT a FROM `//t`")


def test_a_last_line_without_an_end_counts(yql: Yql) -> None:
    (yql.folder / "t.jsonl").write_text('{"a":1}\n{"a":2}')
    yql.gives("SELECT SUM(a) AS s FROM `//t`", {"s": 3})


def test_a_row_of_many_megabytes(yql: Yql) -> None:
    yql.table("//t", {"v": "é" * (20 << 20)}, {"v": "x"})
    yql.gives("SELECT LENGTH(v) AS n FROM `//t`", {"n": 40 << 20}, {"n": 1})


def test_a_missing_table_is_named(yql: Yql) -> None:
    with pytest.raises(TableError, match="there is no table //tmp/none"):
        yql.run("SELECT a FROM `//tmp/none`")


def test_a_folder_whose_name_is_a_pattern(yql: Yql) -> None:
    folder = yql.folder / "a[b]*{c}?"
    folder.mkdir()
    other = Yql(folder)
    other.table("//t", {"a": 1})
    other.run("INSERT INTO `//o` SELECT a + 1 AS a FROM `//t`; COMMIT; INSERT INTO `//p` SELECT * FROM `//o`")
    assert [json.dumps(row) for row in other.tables.read("//p")] == ['{"a": 2}']
