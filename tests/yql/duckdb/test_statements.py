"""INSERT, COMMIT, several statements: what is published, and when."""

from __future__ import annotations

import json
import os

import pytest

from tests.yql.conftest import Yql


@pytest.fixture
def table(yql: Yql) -> Yql:
    yql.table("//t", {"a": 1}, {"a": 2})
    return yql


def content(yql: Yql, path: str) -> list[str]:
    return [json.dumps(row) for row in yql.tables.read(path)]


def test_insert_appends(table: Yql) -> None:
    result = table.run("INSERT INTO `//t` SELECT 3 AS a")
    assert content(table, "//t") == ['{"a": 1}', '{"a": 2}', '{"a": 3}']
    assert (result.rows, result.written) == ((), (("//t", 3),))


def test_insert_with_truncate_replaces(table: Yql) -> None:
    assert table.run("INSERT INTO `//t` WITH TRUNCATE SELECT 3 AS a").written == (("//t", 1),)
    assert content(table, "//t") == ['{"a": 3}']


def test_insert_creates_a_table(table: Yql) -> None:
    table.run("INSERT INTO `//new` SELECT a, NULL AS n, 'x' AS b FROM `//t` WHERE a = 1")
    assert content(table, "//new") == ['{"a": 1, "n": null, "b": "x"}']


def test_a_result_without_rows_empties_the_table(table: Yql) -> None:
    assert table.run("INSERT INTO `//t` WITH TRUNCATE SELECT a FROM `//t` WHERE a > 5").written == (("//t", 0),)
    assert content(table, "//t") == []


def test_a_result_without_rows_creates_the_table(table: Yql) -> None:
    table.run("INSERT INTO `//new` WITH TRUNCATE SELECT a FROM `//t` WHERE a > 5")
    assert table.tables.exists("//new")


def test_a_statement_reads_the_table_that_it_writes(table: Yql) -> None:
    table.run("INSERT INTO `//t` WITH TRUNCATE SELECT a * 10 AS a FROM `//t` ORDER BY a DESC")
    assert content(table, "//t") == ['{"a": 20}', '{"a": 10}']


def test_the_order_of_rows_is_kept(yql: Yql) -> None:
    yql.table("//big", *({"n": n * 7919 % 30011, "pad": "x" * 50} for n in range(30011)))
    yql.run("INSERT INTO `//sorted` WITH TRUNCATE SELECT n FROM `//big` ORDER BY n")
    assert [row["n"] for row in yql.tables.read("//sorted")] == list(range(30011))


def test_values(yql: Yql) -> None:
    yql.run("INSERT INTO `//t` (a, b) VALUES (1, 'x'), (NULL, 'y'), (2.5, NULL)")
    assert content(yql, "//t") == ['{"a": 1.0, "b": "x"}', '{"a": null, "b": "y"}', '{"a": 2.5, "b": null}']


def test_two_inserts_into_one_table(yql: Yql) -> None:
    result = yql.run("INSERT INTO `//o` WITH TRUNCATE SELECT 1 AS a; INSERT INTO `//p` SELECT 2 AS a;"
                     "INSERT INTO `//o` SELECT 3 AS a;")  # fmt: skip
    assert content(yql, "//o") == ['{"a": 1}', '{"a": 3}']
    assert result.written == (("//o", 2), ("//p", 1))


def test_after_commit_statements_see_what_was_written(table: Yql) -> None:
    table.gives("INSERT INTO `//t` SELECT 3 AS a; COMMIT; SELECT SUM(a) AS s FROM `//t`", {"s": 6})


def test_auto_commit(table: Yql) -> None:
    table.gives("PRAGMA AutoCommit; INSERT INTO `//t` SELECT 'x' AS b; SELECT COUNT(b) AS n FROM `//t`", {"n": 1})


def test_without_commit_a_written_table_cannot_be_read(table: Yql) -> None:
    error = table.fails("INSERT INTO `//t` SELECT 3 AS a;\nSELECT * FROM `//t`")
    assert "2:15: //t was written by an earlier statement" in error.message
    assert error.hint == "write COMMIT; in between"


def test_nothing_is_published_when_a_later_statement_fails(table: Yql) -> None:
    table.fails("INSERT INTO `//t` WITH TRUNCATE SELECT 9 AS a; COMMIT; INSERT INTO `//new` SELECT 1 / 0.0 AS a")
    assert content(table, "//t") == ['{"a": 1}', '{"a": 2}']
    assert not table.tables.exists("//new")


def test_only_the_rows_of_the_last_statement_are_given(table: Yql) -> None:
    assert table.run("SELECT 1 AS a; SELECT 2 AS a").rows == ({"a": 2},)
    assert table.run("SELECT 1 AS a; INSERT INTO `//o` SELECT 1 AS a").rows == ()


def test_every_statement_is_checked(table: Yql) -> None:
    assert "unknown column b" in table.fails("SELECT b FROM `//t`; SELECT a FROM `//t`").message


def test_a_row_heavier_than_allowed_is_named(yql: Yql) -> None:
    yql.table("//t", {"a": "x"}, {"a": "y" * 1000})
    with pytest.raises(Exception, match="row 1 of //o weighs 1008 bytes, more than 1000"):
        yql.run("INSERT INTO `//o` SELECT * FROM `//t`", max_row_weight=1000)
    assert not yql.tables.exists("//o")
    yql.run("INSERT INTO `//o` SELECT * FROM `//t`", max_row_weight=1008)


def test_tables_of_one_last_component_are_apart(yql: Yql) -> None:
    yql.table("//a/t", {"k": 1, "v": "a"})
    yql.table("//b/t", {"k": 1, "v": "b"})
    yql.gives("SELECT x.v AS x, y.v AS y FROM `//a/t` AS x JOIN `//b/t` AS y USING (k)", {"x": "a", "y": "b"})


def test_known_pragmas_and_use_change_nothing(table: Yql) -> None:
    table.gives(
        "USE hahn; PRAGMA yt.MaxRowWeight = '128M'; PRAGMA yt.InferSchema = '1'; PRAGMA yt.Pool('x');"
        "PRAGMA SimpleColumns; PRAGMA yt.Pool = default; SELECT a FROM `//t` WHERE a = 1",
        {"a": 1},
    )


def test_the_folder_is_made_and_left_empty(table: Yql) -> None:
    table.run("INSERT INTO `//o` SELECT a FROM `//t` ORDER BY a")
    assert os.listdir(table.folder / "tmp") == []


@pytest.mark.parametrize(
    ("order", "columns"),
    [("a, b", ("a", "b")), ("a, b DESC", ("a",)), ("a DESC", ()), ("a + 1", ()), ("c", ()), ("b, c, a", ("b",))],
)
def test_the_order_of_a_new_table_is_recorded(yql: Yql, order: str, columns: tuple[str, ...]) -> None:
    yql.table("//t", {"a": 1, "b": 2, "c": 3})
    yql.run(f"INSERT INTO `//o` WITH TRUNCATE SELECT a, b FROM `//t` ORDER BY {order}")
    assert yql.tables.sorted_by("//o") == columns


def test_two_inserts_have_no_order_together(yql: Yql) -> None:
    yql.run("INSERT INTO `//o` SELECT 2 AS a ORDER BY a; INSERT INTO `//o` SELECT 1 AS a ORDER BY a")
    assert yql.tables.sorted_by("//o") == ()
