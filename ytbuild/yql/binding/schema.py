"""The columns of a table, from all of its rows: which names there are, and which type each takes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ytbuild.base.sql import pointer
from ytbuild.yql.binding import types
from ytbuild.yql.binding.types import Type

_KINDS = ("NULL", "BOOLEAN", "VARCHAR", "DOUBLE", "UBIGINT", "BIGINT")
_OTHER = 1 << len(_KINDS)
_INT64_MAX = 2**63 - 1

Run = Callable[[str], list[tuple[object, ...]]]


@dataclass(frozen=True)
class Table:
    """A table as a query reads it: its path, the SQL of its rows as JSON, its columns in the order they first came.

    A table without rows has no columns, and every column that is asked of it is NULL.
    """

    path: str
    rows_sql: str
    columns: dict[str, Type]
    empty: bool


def table_of(path: str, rows_sql: str, run: Run) -> Table | None:
    """Find the columns of a table; None when some line of it is not a JSON object."""
    names, count, objects = _names(rows_sql, run)
    if count != objects:
        return None
    kinds = dict(zip(names, _kinds(names, rows_sql, run), strict=True))
    return Table(path, rows_sql, kinds, count == 0)


def _names(rows_sql: str, run: Run) -> tuple[list[str], int, int]:
    """Return the columns' names, those of the first row first, the number of lines, and of objects among them."""
    ((lines, objects),) = run(f"SELECT count(*), count(*) FILTER (json_type(json) = 'OBJECT') FROM {rows_sql}")
    if lines != objects:
        return [], int(str(lines)), int(str(objects))
    # No WHERE here: DuckDB would collect large rows behind it, a whole vector of them.
    names = {str(name) for (name,) in run(f"SELECT DISTINCT unnest(json_keys(json)) FROM {rows_sql}")}
    first = run(f"SELECT unnest(json_keys(json)) FROM (SELECT json FROM {rows_sql} LIMIT 1)")
    leading = [str(name) for (name,) in first]
    return list(dict.fromkeys([*leading, *sorted(names - set(leading))])), int(str(lines)), int(str(objects))


def _kinds(names: list[str], rows_sql: str, run: Run) -> list[Type]:
    if not names:
        return []
    branches = " ".join(f"WHEN '{kind}' THEN {1 << index}" for index, kind in enumerate(_KINDS))
    flags = ", ".join(
        f"bit_or(CASE WHEN kinds[{at}] IS NULL THEN 0 ELSE CASE kinds[{at}] {branches} ELSE {_OTHER} END END)"
        for at in range(1, len(names) + 1)
    )
    paths = ", ".join(map(pointer, names))
    (row,) = run(f"SELECT {flags} FROM (SELECT json_type(json, [{paths}]) AS kinds FROM {rows_sql})")
    seen = [
        {kind for index, kind in enumerate((*_KINDS, "OTHER")) if int(str(flag)) >> index & 1} - {"NULL"}
        for flag in row
    ]
    large = _larger_than_int64(
        [name for name, kinds in zip(names, seen, strict=True) if "UBIGINT" in kinds], rows_sql, run
    )
    return [_kind(kinds, name in large) for name, kinds in zip(names, seen, strict=True)]


def _larger_than_int64(names: list[str], rows_sql: str, run: Run) -> set[str]:
    if not names:
        return set()
    largest = ", ".join(f"max(TRY_CAST(texts[{at}] AS UBIGINT))" for at in range(1, len(names) + 1))
    paths = ", ".join(map(pointer, names))
    (row,) = run(f"SELECT {largest} FROM (SELECT json_extract_string(json, [{paths}]) AS texts FROM {rows_sql})")
    return {
        name for name, value in zip(names, row, strict=True) if value is not None and int(str(value)) > _INT64_MAX
    }


def _kind(seen: set[str], large: bool) -> Type:
    if not seen:
        return types.NULL
    if seen <= {"UBIGINT", "BIGINT"}:
        if large:
            return types.UINT64 if seen == {"UBIGINT"} else types.YSON
        return types.INT64
    if seen <= {"UBIGINT", "BIGINT", "DOUBLE"}:
        return types.DOUBLE
    if seen == {"BOOLEAN"}:
        return types.BOOL
    return types.STRING if seen == {"VARCHAR"} else types.YSON
