"""What is no YQL, or YQL that dev does not know: the message names it and its place."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from ytbuild.backends.dev.tables import TableStore
from ytbuild.base.errors import QueryError
from ytbuild.yql.duckdb.engine import check_query, run_query

pytestmark = pytest.mark.quick


def problem(query: str) -> str:
    with pytest.raises(QueryError) as caught:
        check_query(query)
    return caught.value.message


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("", "YQL: the query is empty"),
        (" -- only a comment", "YQL: the query is empty"),
        ("SELEC 1", "YQL, 1:1: expected a statement"),
        ("SELECT", "YQL, 1:7: expected an expression, found the end of the query"),
        ("SELECT 1 1", "YQL, 1:10: expected ; or the end of the query, found 1"),
        ("SELECT (1", "YQL, 1:10: expected ')', found the end of the query"),
        ("SELECT 1\n  FROM t", "YQL, 2:8: t is no table"),
        ("SELECT 1 FROM `t`", "YQL, 1:15: 't' does not begin with //"),
        ("SELECT 1 FROM `//t[:#5]`", "YQL, 1:15: '//t[:#5]' has attributes, columns or ranges"),
        ("SELECT 1 FROM hahn.`//t`", "YQL, 1:15: hahn.…: a cluster before a table is not supported"),
        ("SELECT 1 FROM CONCAT(`//t`, `//u`)", "YQL, 1:15: CONCAT(…) in FROM is not supported"),
        ("SELECT 'a", "YQL, 1:8: the text has no end"),
        ("SELECT @@a", "YQL, 1:8: the text has no end"),
        ("SELECT `a", "YQL, 1:8: unexpected '`'"),
        ("SELECT 1 /* x", "YQL, 1:10: the comment has no end"),
        ("SELECT 'a\\d'", "YQL, 1:8: \\d is no escape"),
        ("SELECT '\\xff'", "YQL, 1:8: the text is not UTF-8"),
        ("SELECT 'x'y", "YQL, 1:8: a literal with the suffix 'y' is not supported"),
        ("SELECT 12ab", "YQL, 1:8: 12ab is no number"),
        ("SELECT 256ut", "YQL, 1:8: 256ut does not fit Uint8"),
        ("SELECT 18446744073709551616", "YQL, 1:8: 18446744073709551616 does not fit Uint64"),
        ("SELECT 9223372036854775808l", "does not fit Int64"),
        ("SELECT -1u", "YQL, 1:8: -1 does not fit Uint32"),
        ("SELECT ;", "YQL, 1:8: expected an expression, found ;"),
        ("SELECT from FROM `//t`", "YQL, 1:8: expected an expression, found from"),
        ("SELECT - -1", "YQL, 1:10: expected an operand after -"),
        ("SELECT NOT NOT true", "YQL, 1:12: expected an operand after NOT"),
        ("SELECT a NOT b", "YQL, 1:14: expected IN, LIKE"),
        ("SELECT a IN 'x'", "YQL, 1:13: expected ( or $name after IN"),
        ("SELECT a IN ()", "YQL, 1:10: the list after IN is empty"),
        ("SELECT CASE WHEN true THEN 1 END", "YQL, 1:30: expected ELSE, found END"),
        ("SELECT CASE ELSE 1 END", "expected an expression, found ELSE"),
        ("SELECT CAST(1 AS)", "YQL, 1:17: expected a type"),
        ("SELECT (1, 2)", "YQL, 1:8: a tuple is not supported"),
        ("SELECT a.b.c", "YQL, 1:11: access to the items of a container"),
        ("SELECT a[0]", "YQL, 1:9: access to the items of a container"),
        ("SELECT f(1 AS x)", "YQL, 1:12: named arguments (AS) of a function"),
        ("SELECT EXISTS (SELECT 1)", "YQL, 1:8: EXISTS is not supported"),
        ("SELECT BITCAST(1 AS Int8)", "YQL, 1:8: BITCAST is not supported"),
        ("SELECT a GLOB 'x'", "YQL, 1:10: expected IN, LIKE"),
        ("SELECT ROW_NUMBER() OVER w FROM `//t`", "YQL, 1:21: window functions (OVER) are not supported"),
        ("$f = ($x) -> ($x + 1)", "YQL, 1:1: lambdas are not supported"),
        ("SELECT $f(1)", "YQL, 1:8: $f(…): lambdas are not supported"),
        ("$_ = 1", "YQL, 1:1: $_ is anonymous"),
        ("$a, $b = AsTuple(1, 2)", "YQL, 1:3: unpacking a tuple"),
        ("SELECT a FROM `//t` FLATTEN BY x", "YQL, 1:21: FLATTEN is not supported"),
        ("SELECT a FROM `//t` WITH SCHEMA X", "YQL, 1:21: WITH is not supported"),
        ("SELECT a FROM `//t` VIEW v", "YQL, 1:21: VIEW is not supported"),
        ("SELECT a FROM `//t` SAMPLE 0.1", "YQL, 1:21: SAMPLE is not supported"),
        ("SELECT a WITHOUT b FROM `//t`", "YQL, 1:10: WITHOUT is not supported"),
        ("SELECT a FROM `//t` GROUP BY a WINDOW w AS ()", "YQL, 1:32: WINDOW is not supported"),
        ("SELECT 1 INTERSECT SELECT 1", "YQL, 1:10: INTERSECT is not supported"),
        ("SELECT 1 EXCEPT SELECT 1", "YQL, 1:10: EXCEPT is not supported"),
        ("SELECT a FROM `//t` ORDER BY a WHERE a = 1", "YQL, 1:32: WHERE stands in the wrong place"),
        ("SELECT a FROM `//t` LIMIT 1, 2", "YQL, 1:28: LIMIT with a comma"),
        ("SELECT 1 AS a UNION ALL SELECT 2 AS a ORDER BY a", "YQL, 1:25: ORDER BY or LIMIT in a UNION"),
        ("SELECT 1 UNION SELECT 2 UNION ALL SELECT 3", "UNION and UNION ALL in one query"),
        ("UPDATE `//t` SET a = 1", "YQL, 1:1: UPDATE is not supported in dev"),
        ("DELETE FROM `//t`", "YQL, 1:1: DELETE is not supported in dev"),
        ("REPLACE INTO `//t` SELECT 1", "YQL, 1:1: REPLACE is not supported in dev"),
        ("UPSERT INTO `//t` SELECT 1", "YQL, 1:1: UPSERT is not supported in dev"),
        ("CREATE TABLE `//t` (a Int32)", "YQL, 1:1: CREATE is not supported in dev"),
        ("DROP TABLE `//t`", "YQL, 1:1: DROP is not supported in dev"),
        ("PROCESS `//t`", "YQL, 1:1: PROCESS is not supported in dev"),
        ("DECLARE $x AS String", "YQL, 1:1: DECLARE is not supported in dev"),
        ("INSERT INTO `//t` WITH KEEP_META SELECT 1", "YQL, 1:24: expected TRUNCATE after WITH"),
        ("INSERT INTO `//t` VALUES (1)", "YQL, 1:19: VALUES without column names"),
        ("INSERT INTO `//t` (a, b) VALUES (1)", "YQL, 1:33: a row of 1 values for 2 columns"),
        ("INSERT INTO `//t` (a, a) VALUES (1, 2)", "YQL, 1:23: the column a is named twice"),
        ("INSERT INTO `//t` (a) SELECT 1", "YQL, 1:23: expected VALUES"),
        ("PRAGMA yt.Nothing", "YQL, 1:1: dev does not know PRAGMA yt.Nothing"),
        ("PRAGMA TablePathPrefix = '//x'", "YQL, 1:1: PRAGMA TablePathPrefix is not supported"),
        ("--!ansi_lexer\nSELECT 1", "YQL, 1:1: --!ansi_lexer is not supported"),
        ("SELECT \ud800", "YQL: the query holds a lone surrogate"),
        ("SELECT \x00", "YQL, 1:8: unexpected '\\x00'"),
        ("SELECT 1 # 2", "YQL, 1:10: unexpected '#'"),
    ],
)
def test_the_message_names_construct_and_place(query: str, message: str) -> None:
    assert message in problem(query)


@pytest.mark.parametrize("depth", [100, 20_000])
def test_deep_parentheses_are_an_error(depth: int) -> None:
    assert "nested more than 60 levels deep" in problem("SELECT " + "(" * depth + "1" + ")" * depth)


@pytest.mark.parametrize("sign", ["+", "-", "??", "<"])
def test_a_chain_that_is_too_long_is_an_error(tmp_path: Path, sign: str) -> None:
    query = "SELECT " + f" {sign} ".join(["1"] * 5_000)
    with pytest.raises(QueryError, match=r"nested|Bool with"):
        run_query(query, TableStore(str(tmp_path)), str(tmp_path / "tmp"))


def test_names_that_grow_without_end_are_an_error(tmp_path: Path) -> None:
    query = "$x = 'a'; " + "$x = $x || $x; " * 50 + "SELECT $x"
    with pytest.raises(QueryError, match="too large once its"):
        run_query(query, TableStore(str(tmp_path)), str(tmp_path / "tmp"))


def test_a_column_after_wide_characters_is_counted_in_characters() -> None:
    assert "YQL, 2:13:" in problem("SELECT 1;\nSELECT 'éé' 5")


@pytest.mark.parametrize("slow", ["duckdb", "msgspec"])
def test_the_package_is_light(slow: str) -> None:
    code = f"import sys, ytbuild.yql, ytbuild.yql.duckdb.engine; assert {slow!r} not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
