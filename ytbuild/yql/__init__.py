"""YQL: queries from plain values, and a listed grammar that runs here.

The requests below are what the YQL helpers of a client take: tables by their Cypress paths, columns by their names.
Sequences may be lists or tuples. `columns=None` means all columns. A request checks nothing; `requests`, which gives
the text of its query, does. `syntax` turns a text into a tree, `binding` gives every node of it a type and its SQL,
and `duckdb` runs that on tables which it is handed.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Columns = Sequence[str]
JoinColumns = str | Columns


@dataclass(frozen=True)
class JoinTablesRequest:
    """Join `left_table`, which is `a` in the query, with `right_table`, which is `b`.

    `on` is a column that both have, a list of such columns, or, where the names differ, `{"left": …, "right": …}`
    or a tuple `(left, right)`, each side one column or a list. `how` is inner, left, right or full.

    `select_columns` lists `col`, `a.col`, `a.col AS name`, `a.*`, or YQL expressions; `*` stands alone. Without it
    the result has all columns of both tables, and a join column of one name in both only once, with the value of
    the side that has one. Any other name that both tables have is an error when the query runs: select the columns
    and rename one.
    """

    left_table: str
    right_table: str
    output_table: str
    on: JoinColumns | Mapping[str, JoinColumns] | tuple[JoinColumns, JoinColumns]
    how: str = "left"
    select_columns: Columns | None = None


@dataclass(frozen=True)
class FilterTableRequest:
    """Keep the rows for which `condition`, a YQL expression, is true."""

    input_table: str
    output_table: str
    condition: str
    columns: Columns | None = None


@dataclass(frozen=True)
class SelectColumnsRequest:
    """Keep some columns."""

    input_table: str
    output_table: str
    columns: Columns | None


@dataclass(frozen=True)
class GroupByAggregateRequest:
    """Aggregate the rows of each group, or (`group_by=[]`) all rows.

    `aggregations` says what each new column holds: `("sum", "price")`, or the function alone, and then the
    aggregated column is the new one's name without `total_`, `sum_`, `avg_`, `min_`, `max_` or `count_` before it.
    `"count"` alone counts rows. The functions: count, sum, avg, min, max, count_distinct, some, aggregate_list.
    """

    input_table: str
    output_table: str
    group_by: str | Columns
    aggregations: Mapping[str, str | tuple[str, str]]


@dataclass(frozen=True)
class UnionTablesRequest:
    """Put the rows of two or more tables into one; a column that a table does not have is null in its rows."""

    tables: Sequence[str]
    output_table: str
    columns: Columns | None = None


@dataclass(frozen=True)
class DistinctRequest:
    """Keep one of all rows that are equal in `columns`, and these columns only."""

    input_table: str
    output_table: str
    columns: Columns | None = None


@dataclass(frozen=True)
class SortTableRequest:
    """Sort by columns; `ascending` is one answer for all of them, or a list with one for each."""

    input_table: str
    output_table: str
    order_by: str | Columns
    columns: Columns | None = None
    ascending: bool | Sequence[bool] = True


@dataclass(frozen=True)
class LimitTableRequest:
    """Keep `limit` rows, any of them unless the table is sorted."""

    input_table: str
    output_table: str
    limit: int
    columns: Columns | None = None


Request = (
    JoinTablesRequest
    | FilterTableRequest
    | SelectColumnsRequest
    | GroupByAggregateRequest
    | UnionTablesRequest
    | DistinctRequest
    | SortTableRequest
    | LimitTableRequest
)
