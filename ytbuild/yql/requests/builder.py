"""The YQL text for a request, as it runs on the cluster.

Sources: https://ydb.tech/docs/en/yql/reference/syntax (SELECT, GROUP BY, UNION ALL, ORDER BY, LIMIT),
https://ytsaurus.tech/docs/en/yql/syntax/insert_into (WITH TRUNCATE) and …/yql/syntax/pragma (yt.MaxRowWeight, at
most 128M; yt.InferSchema, for tables without a schema).
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import singledispatch
from typing import Any

from ytbuild.base.errors import QueryError, closest
from ytbuild.config.checks import row_weight
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
from ytbuild.yql.requests import joins
from ytbuild.yql.requests.fragments import Fields, quoted

_DEFAULT_ROW_WEIGHT = "128M"

_CALLS = {
    "count": "COUNT({})",
    "sum": "SUM({})",
    "avg": "AVG({})",
    "min": "MIN({})",
    "max": "MAX({})",
    "count_distinct": "COUNT(DISTINCT {})",
    "some": "SOME({})",
    "aggregate_list": "AGGREGATE_LIST({})",
}
# The longest first: count_distinct_user counts users.
_PREFIXES = ("count_distinct_", "total_", "sum_", "avg_", "min_", "max_", "count_")


def query(request: Request, max_row_weight: str | None = None) -> str:
    """Return the query that does what a request says.

    `max_row_weight` is the longest row that may be written, `128M` by default and at most. Raises `QueryError`,
    naming the field, for whatever is wrong with the request.
    """
    weight = _row_weight(max_row_weight)
    select = _select(request)
    return (
        f'PRAGMA yt.MaxRowWeight = "{weight}";\n'
        "PRAGMA yt.InferSchema = '1';\n"
        f"INSERT INTO {Fields(request).table('output_table')} WITH TRUNCATE\n"
        f"{select}"
    )


def _row_weight(value: str | None) -> str:
    """Return a row weight as the pragma takes it; raises `QueryError` for what is no size of at most 128M."""
    if value is None:
        return _DEFAULT_ROW_WEIGHT
    if row_weight(value) is None:
        raise QueryError(f"max_row_weight is {value!r}", "it is a size of at most 128M, such as 64M")
    return str(value).strip().upper()


@singledispatch
def _select(request: object) -> str:
    """Return the part of the query after INSERT."""
    known = sorted(cls.__name__ for cls in _select.registry if cls is not object)
    name = type(request).__name__
    raise QueryError(f"{name} is no request", closest(name, known) or f"the requests are {', '.join(known)}")


@_select.register
def _join(request: JoinTablesRequest) -> str:
    return joins.select(request)


@_select.register
def _filter(request: FilterTableRequest) -> str:
    fields = Fields(request)
    return f"{_from_input(fields)}\nWHERE {fields.expression('condition', request.condition)}"


@_select.register
def _columns(request: SelectColumnsRequest) -> str:
    return _from_input(Fields(request))


@_select.register
def _group(request: GroupByAggregateRequest) -> str:
    fields = Fields(request)
    keys = fields.names("group_by", request.group_by)
    calls = _aggregations(fields, request.aggregations)
    if not keys and not calls:
        raise fields.error("aggregations", "is empty, and so is group_by", "say what to compute, or by what to group")
    fields.check_distinct("aggregations", [*keys, *calls])
    selected = [*map(quoted, keys), *(f"{call} AS {quoted(name)}" for name, call in calls.items())]
    grouping = f"\nGROUP BY {', '.join(map(quoted, keys))}" if keys else ""
    return f"SELECT {', '.join(selected)}\nFROM {fields.table('input_table')}{grouping}"


@_select.register
def _union(request: UnionTablesRequest) -> str:
    fields = Fields(request)
    tables = fields.sequence("tables")
    if len(tables) < 2:
        raise fields.error("tables", f"is {tables!r}", "a union has two tables or more")
    columns = fields.columns()
    return "\nUNION ALL\n".join(f"SELECT {columns}\nFROM {fields.table_name('tables', table)}" for table in tables)


@_select.register
def _distinct(request: DistinctRequest) -> str:
    return _from_input(Fields(request), "SELECT DISTINCT")


@_select.register
def _sort(request: SortTableRequest) -> str:
    fields = Fields(request)
    names = fields.names("order_by", request.order_by)
    if not names:
        raise fields.error("order_by", "is empty", "name at least one column")
    directions = _directions(fields, len(names))
    order = (quoted(name) + ("" if up else " DESC") for name, up in zip(names, directions, strict=True))
    return f"{_from_input(fields)}\nORDER BY {', '.join(order)}"


@_select.register
def _limit(request: LimitTableRequest) -> str:
    fields, limit = Fields(request), request.limit
    if isinstance(limit, bool) or not isinstance(limit, int) or limit < 0:
        raise fields.error("limit", f"is {limit!r}", "it is a whole number, zero or more")
    return f"{_from_input(fields)}\nLIMIT {limit}"


def _from_input(fields: Fields, verb: str = "SELECT") -> str:
    return f"{verb} {fields.columns()}\nFROM {fields.table('input_table')}"


def _directions(fields: Fields, count: int) -> list[bool]:
    ascending = fields.value("ascending")
    directions = [ascending] * count if isinstance(ascending, bool) else ascending
    if not isinstance(directions, list | tuple) or not all(isinstance(item, bool) for item in directions):
        raise fields.error("ascending", f"is {ascending!r}", "it is True or False, or a list of them")
    if len(directions) != count:
        problem = f"has {len(directions)} values for {count} columns in order_by"
        raise fields.error("ascending", problem, "give one for each column, or one for all")
    return list(directions)


def _aggregations(fields: Fields, aggregations: object) -> dict[str, str]:
    if not isinstance(aggregations, Mapping):
        raise fields.error("aggregations", f"is {aggregations!r}", "for example {'total_price': 'sum'}")
    for name in aggregations:
        if "." in fields.name("aggregations", name):
            raise fields.error("aggregations", f"has the column {name!r}", "YQL makes no column with '.' in its name")
    return {name: _call(fields, name, what) for name, what in aggregations.items()}


def _call(fields: Fields, name: str, what: Any) -> str:
    """Return the call for one aggregation: `"sum"`, or `("sum", "column")`."""
    pair = tuple(what) if isinstance(what, list | tuple) else (what, None)
    if len(pair) != 2 or not isinstance(pair[0], str):
        hint = "give a function, or a function and a column: ('sum', 'price')"
        raise fields.error("aggregations", f"has {what!r} for {name!r}", hint)
    function, column = pair[0].lower(), pair[1]
    if function not in _CALLS:
        hint = closest(function, _CALLS) or f"the functions are {', '.join(_CALLS)}"
        raise fields.error("aggregations", f"has the function {pair[0]!r} for {name!r}", hint)
    if function == "count" and column in (None, "*"):
        return "COUNT(*)"
    if column is None:
        column = next((name.removeprefix(prefix) for prefix in _PREFIXES if name.startswith(prefix)), name)
    return _CALLS[function].format(quoted(fields.name("aggregations", column)))
