"""Requests that make no query: each is refused with the field and what to do."""

from __future__ import annotations

from typing import Any

import pytest

from ytbuild.base.errors import QueryError
from ytbuild.yql import (
    DistinctRequest,
    FilterTableRequest,
    GroupByAggregateRequest,
    JoinTablesRequest,
    LimitTableRequest,
    SelectColumnsRequest,
    SortTableRequest,
    UnionTablesRequest,
)
from ytbuild.yql.requests.builder import query


def refused(request: Any, max_row_weight: Any = None) -> str:
    """Return what the builder says of a request that it must refuse."""
    with pytest.raises(QueryError) as caught:
        query(request, max_row_weight)
    assert caught.value.hint
    return f"{caught.value.message}; {caught.value.hint}"


def join(on: Any = "key", how: Any = "left", columns: Any = None) -> JoinTablesRequest:
    return JoinTablesRequest("//left", "//right", "//out", on, how, columns)


def group(by: Any, aggregations: Any) -> GroupByAggregateRequest:
    return GroupByAggregateRequest("//in", "//out", by, aggregations)


@pytest.mark.parametrize("path", ["", "tmp/x", "/tmp/x", "//tmp/", "//tmp//x", "//x[#1]", None, b"//x", 7])
def test_what_is_no_path(path: Any) -> None:
    said = refused(DistinctRequest(path, "//out"))
    assert (
        said.startswith(f"DistinctRequest: input_table is {path!r}, which ") and "write a whole Cypress path" in said
    )


def test_an_output_that_is_no_path() -> None:
    assert "output_table is 'out'" in refused(DistinctRequest("//in", "out"))


@pytest.mark.parametrize("field", ["left_table", "right_table"])
def test_a_side_of_a_join_that_is_no_path(field: str) -> None:
    tables = {"left_table": "//l", "right_table": "//r"} | {field: "x"}
    assert f"{field} is 'x'" in refused(JoinTablesRequest(**tables, output_table="//out", on="key"))


def test_a_name_that_is_not_utf_8() -> None:
    assert "not valid UTF-8" in refused(SelectColumnsRequest("//in", "//out", ["\udc80"]))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("value", "columns is 'value', not a list"),
        ({"value"}, "columns is {'value'}, not a list"),
        ([], "columns is empty"),
        ([""], "columns has '', which is no name"),
        ([None], "columns has None, which is no name"),
        (["x", "y", "x"], "columns has the column 'x' twice"),
        (["x", "*"], "columns has '*' beside other columns"),
    ],
)
def test_wrong_columns(columns: Any, said: str) -> None:
    assert said in refused(SelectColumnsRequest("//in", "//out", columns))


@pytest.mark.parametrize(
    ("on", "said"),
    [
        (None, "on is None"),
        ("", "on has ''"),
        ([], "on is empty"),
        ([""], "on has ''"),
        (["x", "x"], "on has the column 'x' twice"),
        ({"left": "x"}, "on has no 'right'"),
        ({"left": "x", "rihgt": "y"}, "on has the key 'rihgt'; did you mean 'right'?"),
        ({"left": ["x", "y"], "right": "z"}, "on has 2 columns for the left table and 1 for the right one"),
        (("x",), "on is ('x',); a tuple is one pair"),
        (("x", "y", "z"), "on is ('x', 'y', 'z'); a tuple is one pair"),
        (("x", 7), "on is 7"),
    ],
)
def test_a_wrong_condition_of_a_join(on: Any, said: str) -> None:
    assert said in refused(join(on))


@pytest.mark.parametrize(
    ("how", "said"), [("outer", "how is 'outer'"), ("lefft", "did you mean 'left'?"), (None, "how is None")]
)
def test_a_join_of_an_unknown_kind(how: Any, said: str) -> None:
    assert said in refused(join(how=how))


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ("a.x", "select_columns is 'a.x', not a list"),
        ([], "select_columns is empty"),
        ([" "], "select_columns is ' '; give a YQL expression"),
        (["*", "a.x"], "select_columns has '*'; '*' stands alone"),
        (["a.* AS x"], "select_columns has 'a.* AS x'; '*' stands alone"),
        (["a.x", "b.x"], "select_columns has the column 'x' twice"),
        (["a.x AS y", "y"], "select_columns has the column 'y' twice"),
        (["SUM(a.x"], "select_columns has (, which is not closed: 'SUM(a.x'"),
    ],
)
def test_wrong_columns_of_a_join(columns: Any, said: str) -> None:
    assert said in refused(join(columns=columns))


@pytest.mark.parametrize(
    ("condition", "said"),
    [
        ("", "condition is ''"),
        (None, "condition is None"),
        ("x = 'a", "has ' at character 5, which is not closed"),
        ('x = "a\\"', 'has " at character 5, which is not closed'),
        ("`x = 1", "has ` at character 1, which is not closed"),
        ("x = @@a@", "has @@ at character 5, which is not closed"),
        ("x /* y", "has /* at character 3, which is not closed"),
        ("(x", "has (, which is not closed"),
        ("x)", "has ) at character 2, which closes nothing"),
        ("x[(1])", "has ] at character 5, which closes nothing"),
        ("x; DROP TABLE `//y`", "has a ';' at character 2"),
        ("x = '\\';' OR 1 = 1; --'", "has a ';' at character 19"),
    ],
)
def test_a_condition_that_would_change_the_query_around_it(condition: Any, said: str) -> None:
    assert said in refused(FilterTableRequest("//in", "//out", condition))


@pytest.mark.parametrize(
    "condition",
    ["x = ';' -- ) '", "x /* ; ' */ = 1", "x = @@;'@@@@(@@", '`;` = "\'"', "x IN (1, 2)", "x = '\\\\'", "x = @@@@"],
)
def test_a_condition_with_its_quotes_and_comments_closed_is_kept(condition: str) -> None:
    assert query(FilterTableRequest("//in", "//out", condition)).rstrip("\n").endswith(f"WHERE {condition}")


@pytest.mark.parametrize(
    ("by", "aggregations", "said"),
    [
        (None, {"n": "count"}, "group_by is None"),
        (["x", ""], {"n": "count"}, "group_by has ''"),
        ([], {}, "aggregations is empty, and so is group_by"),
        ([], ["count"], "aggregations is ['count']"),
        ([], {"": "count"}, "aggregations has ''"),
        ([], {"a.b": "count"}, "aggregations has the column 'a.b'"),
        ("n", {"n": "count"}, "aggregations has the column 'n' twice"),
        ([], {"n": "summ"}, "aggregations has the function 'summ' for 'n'; did you mean 'sum'?"),
        ([], {"n": "quantile"}, "the functions are count, sum, avg, min, max, count_distinct, some, aggregate_list"),
        ([], {"n": None}, "aggregations has None for 'n'"),
        ([], {"n": ("sum", "x", "y")}, "aggregations has ('sum', 'x', 'y') for 'n'"),
        ([], {"n": ("sum", "")}, "aggregations has ''"),
        ([], {"sum_": "sum"}, "aggregations has ''"),
    ],
)
def test_a_wrong_aggregation(by: Any, aggregations: Any, said: str) -> None:
    assert said in refused(group(by, aggregations))


@pytest.mark.parametrize(
    ("tables", "said"),
    [
        ("//x", "tables is '//x', not a list"),
        ([], "tables is empty"),
        (["//x"], "tables is ['//x']; a union has two tables or more"),
        (["//x", "y"], "tables is 'y'"),
    ],
)
def test_a_union_of_wrong_tables(tables: Any, said: str) -> None:
    assert said in refused(UnionTablesRequest(tables, "//out"))


@pytest.mark.parametrize(
    ("order_by", "ascending", "said"),
    [
        ([], True, "order_by is empty"),
        (None, True, "order_by is None"),
        (["x", "x"], True, "order_by has the column 'x' twice"),
        ("x", None, "ascending is None"),
        ("x", "desc", "ascending is 'desc'"),
        ("x", [1], "ascending is [1]"),
        (["x", "y"], [True], "ascending has 1 values for 2 columns in order_by"),
    ],
)
def test_a_wrong_order(order_by: Any, ascending: Any, said: str) -> None:
    assert said in refused(SortTableRequest("//in", "//out", order_by, ascending=ascending))


@pytest.mark.parametrize("limit", [-1, True, 1.0, "1", None])
def test_a_wrong_limit(limit: Any) -> None:
    assert f"limit is {limit!r}" in refused(LimitTableRequest("//in", "//out", limit))


@pytest.mark.parametrize("weight", ["129M", "1G", "0", "", "x", "1.5M", "-1", True, "9" * 30])
def test_a_wrong_row_weight(weight: Any) -> None:
    assert "at most 128M" in refused(DistinctRequest("//in", "//out"), weight)


def test_what_is_no_request() -> None:
    class DistinctReqest:
        pass

    assert "DistinctReqest is no request; did you mean 'DistinctRequest'?" in refused(DistinctReqest())
