"""The query of every request, to the letter."""

from __future__ import annotations

import pytest

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

pytestmark = pytest.mark.quick

HEAD = """\
PRAGMA yt.MaxRowWeight = "128M";
PRAGMA yt.InferSchema = '1';
INSERT INTO `//out` WITH TRUNCATE
"""


def select(request: Request) -> str:
    """Return a query's text without the lines that every query begins with."""
    text = query(request)
    assert text.startswith(HEAD)
    return text.removeprefix(HEAD)


def join(on: object = "key", how: str = "left", columns: object = None) -> str:
    return select(JoinTablesRequest("//left", "//right", "//out", on, how, columns))  # type: ignore[arg-type]


def test_a_join_has_all_columns_of_both_tables() -> None:
    assert join() == "SELECT *\nFROM `//left` AS a\nLEFT JOIN `//right` AS b\nUSING (`key`)"


@pytest.mark.parametrize("how", ["inner", "left", "right", "full", "FULL", "Inner"])
def test_a_join_is_of_its_kind(how: str) -> None:
    assert f"\n{how.upper()} JOIN `//right` AS b\n" in join(how=how)


@pytest.mark.parametrize(
    ("on", "condition"),
    [
        ("key", "USING (`key`)"),
        (["key"], "USING (`key`)"),
        (["key", "day"], "USING (`key`, `day`)"),
        ({"left": "id", "right": "user"}, "ON a.`id` = b.`user`"),
        ({"left": ["id", "day"], "right": ("user", "day")}, "ON a.`id` = b.`user` AND a.`day` = b.`day`"),
        ({"left": "key", "right": "key"}, "USING (`key`)"),
        (("id", "user"), "ON a.`id` = b.`user`"),
        ((["id", "x"], ["user", "y"]), "ON a.`id` = b.`user` AND a.`x` = b.`y`"),
    ],
)
def test_a_join_has_one_condition_for_each_column(on: object, condition: str) -> None:
    assert join(on).endswith(f"\n{condition}")


@pytest.mark.parametrize(
    ("columns", "selected"),
    [
        (["*"], "*"),
        (["a.*"], "a.*"),
        (["b.*", "a.*"], "*"),
        (["a.*", "b.name AS other"], "a.*, b.`name` AS `other`"),
        (("value",), "`value` AS `value`"),
        (["value AS v"], "`value` AS `v`"),
        (["a.value", "b.value as other"], "a.`value` AS `value`, b.`value` AS `other`"),
        (["a.имя"], "a.`имя` AS `имя`"),
        (["a.x + b.y AS total", "a.`odd name` AS x"], "a.x + b.y AS total, a.`odd name` AS x"),
        (["c.x"], "c.x"),
        (["a.x -- the x", "b.y"], "a.x -- the x\n, b.`y` AS `y`"),
    ],
)
def test_the_columns_of_a_join(columns: object, selected: str) -> None:
    assert join("key", "inner", columns).startswith(f"SELECT {selected}\nFROM ")


@pytest.mark.parametrize(
    ("how", "source"),
    [("inner", "a.`key`"), ("left", "a.`key`"), ("right", "b.`key`"), ("full", "COALESCE(a.`key`, b.`key`)")],
)
def test_a_join_column_comes_from_the_side_that_has_it(how: str, source: str) -> None:
    assert join("key", how, ["key"]).startswith(f"SELECT {source} AS `key`\n")


def test_a_join_column_of_two_names_is_found_by_its_name() -> None:
    assert join(("id", "user"), "full", ["id"]).startswith("SELECT `id` AS `id`\n")


def test_a_filter() -> None:
    request = FilterTableRequest("//in", "//out", " value > 10 AND name = 'x;)' ")
    assert select(request) == "SELECT *\nFROM `//in`\nWHERE value > 10 AND name = 'x;)'"


def test_a_filter_with_columns() -> None:
    request = FilterTableRequest("//in", "//out", "value > 10", ["value", "_hidden"])
    assert select(request) == "SELECT `value`, `_hidden`\nFROM `//in`\nWHERE value > 10"


@pytest.mark.parametrize("columns", [["value", "name"], ("value", "name")])
def test_a_selection_of_columns(columns: object) -> None:
    request = SelectColumnsRequest("//in", "//out", columns)  # type: ignore[arg-type]
    assert select(request) == "SELECT `value`, `name`\nFROM `//in`"


@pytest.mark.parametrize("columns", [None, ["*"]])
def test_no_columns_means_all_of_them(columns: list[str] | None) -> None:
    assert select(SelectColumnsRequest("//in", "//out", columns)) == "SELECT *\nFROM `//in`"


def test_an_aggregation() -> None:
    request = GroupByAggregateRequest("//in", "//out", ["day", "name"], {"rows": "count", "top": ("max", "price")})
    assert select(request) == (
        "SELECT `day`, `name`, COUNT(*) AS `rows`, MAX(`price`) AS `top`\nFROM `//in`\nGROUP BY `day`, `name`"
    )


def test_an_aggregation_by_one_column() -> None:
    request = GroupByAggregateRequest("//in", "//out", "day", {})
    assert select(request) == "SELECT `day`\nFROM `//in`\nGROUP BY `day`"


def test_an_aggregation_of_all_rows_has_no_group_by() -> None:
    request = GroupByAggregateRequest("//in", "//out", [], {"rows": "count"})
    assert select(request) == "SELECT COUNT(*) AS `rows`\nFROM `//in`"


def aggregated(name: str, what: object) -> str:
    text = select(GroupByAggregateRequest("//in", "//out", [], {name: what}))  # type: ignore[dict-item]
    return text.removeprefix("SELECT ").removesuffix(f" AS `{name}`\nFROM `//in`")


@pytest.mark.parametrize(
    ("what", "call"),
    [
        ("count", "COUNT(*)"),
        (("count", "*"), "COUNT(*)"),
        (("count", "x"), "COUNT(`x`)"),
        (("count_distinct", "x"), "COUNT(DISTINCT `x`)"),
        (("sum", "x"), "SUM(`x`)"),
        (["AVG", "x"], "AVG(`x`)"),
        (("min", "x"), "MIN(`x`)"),
        (("some", "x"), "SOME(`x`)"),
        (("aggregate_list", "x"), "AGGREGATE_LIST(`x`)"),
    ],
)
def test_the_call_of_an_aggregation(what: object, call: str) -> None:
    assert aggregated("new", what) == call


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("price", "price"),
        ("total_price", "price"),
        ("sum_price", "price"),
        ("avg_price", "price"),
        ("min_price", "price"),
        ("max_price", "price"),
        ("count_price", "price"),
        ("count_distinct_price", "price"),
        ("max_sum_price", "sum_price"),
        ("summary", "summary"),
    ],
)
def test_a_function_alone_takes_the_column_that_the_new_one_is_named_for(name: str, column: str) -> None:
    assert aggregated(name, "sum") == f"SUM(`{column}`)"


def test_a_union() -> None:
    request = UnionTablesRequest(["//x", "//y"], "//out")
    assert select(request) == "SELECT *\nFROM `//x`\nUNION ALL\nSELECT *\nFROM `//y`"


def test_a_union_of_some_columns() -> None:
    request = UnionTablesRequest(("//x", "//y", "//x"), "//out", ("n",))
    part = "SELECT `n`\nFROM `//{}`"
    assert select(request) == "\nUNION ALL\n".join(part.format(name) for name in "xyx")


def test_distinct_rows() -> None:
    assert select(DistinctRequest("//in", "//out")) == "SELECT DISTINCT *\nFROM `//in`"


def test_distinct_rows_of_some_columns() -> None:
    assert select(DistinctRequest("//in", "//out", ["x", "y"])) == "SELECT DISTINCT `x`, `y`\nFROM `//in`"


@pytest.mark.parametrize(
    ("order_by", "ascending", "order"),
    [
        ("x", True, "`x`"),
        (["x", "y"], True, "`x`, `y`"),
        (["x", "y"], False, "`x` DESC, `y` DESC"),
        (("x", "y"), [True, False], "`x`, `y` DESC"),
        ("x", (False,), "`x` DESC"),
    ],
)
def test_the_order_of_a_sort(order_by: object, ascending: object, order: str) -> None:
    request = SortTableRequest("//in", "//out", order_by, ascending=ascending)  # type: ignore[arg-type]
    assert select(request) == f"SELECT *\nFROM `//in`\nORDER BY {order}"


def test_a_sort_with_columns() -> None:
    request = SortTableRequest("//in", "//out", "x", ["x", "y"])
    assert select(request) == "SELECT `x`, `y`\nFROM `//in`\nORDER BY `x`"


@pytest.mark.parametrize("limit", [0, 7])
def test_a_limit(limit: int) -> None:
    assert select(LimitTableRequest("//in", "//out", limit)) == f"SELECT *\nFROM `//in`\nLIMIT {limit}"


def test_a_limit_with_columns() -> None:
    assert select(LimitTableRequest("//in", "//out", 7, ["x"])) == "SELECT `x`\nFROM `//in`\nLIMIT 7"


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("a b", "`a b`"),
        ("select", "`select`"),
        ("a`b", r"`a\`b`"),
        ("a\\", r"`a\\`"),
        ("a\\`", r"`a\\\``"),
        ('it\'s "x"', '`it\'s "x"`'),
        ("a\nb\r\t", r"`a\nb\r\t`"),
        ("\x00\x1b\x7f", r"`\x00\x1b\x7f`"),
        ("имя", "`имя`"),
        ("a; DROP TABLE x --", "`a; DROP TABLE x --`"),
    ],
)
def test_an_odd_name_is_escaped(name: str, written: str) -> None:
    assert select(SelectColumnsRequest("//in", "//out", [name])) == f"SELECT {written}\nFROM `//in`"


def test_an_odd_path_is_escaped() -> None:
    assert "\nINSERT INTO `//a\\`b\\\\\\\\` WITH TRUNCATE\n" in query(DistinctRequest("//in", r"//a`b\\"))


@pytest.mark.parametrize(
    ("given", "written"), [(None, "128M"), ("64m", "64M"), (" 131072k ", "131072K"), ("1024", "1024")]
)
def test_the_row_weight_is_written_as_the_cluster_takes_it(given: str | None, written: str) -> None:
    text = query(DistinctRequest("//in", "//out"), given)
    assert text.splitlines()[0] == f'PRAGMA yt.MaxRowWeight = "{written}";'
