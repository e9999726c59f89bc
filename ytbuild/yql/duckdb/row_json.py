"""How rows leave a query: each as the text of one JSON object."""

from __future__ import annotations

import json

from ytbuild.base.sql import text_sql
from ytbuild.yql.binding import types
from ytbuild.yql.binding.scopes import Column
from ytbuild.yql.binding.types import Type

NOT_FINITE = "NaN or infinity, which JSON cannot hold"


def line_sql(columns: tuple[Column, ...]) -> str:
    """Return the SQL of a row's JSON; its members are in the order of the columns, and NULL is null."""
    parts = []
    for at, column in enumerate(columns):
        name = json.dumps(column.name, ensure_ascii=False)
        parts.append(text_sql(f"{',' if at else '{'}{name}:"))
        value = _json(column.value.sql, column.value.type, column.name, 1)
        parts.append(f"COALESCE({value}, 'null')")
    return " || ".join([*parts, "'}'"]) if parts else "'{}'"


def _json(sql: str, kind: Type, column: str, depth: int) -> str:
    if kind == types.NULL:
        return "CAST(NULL AS VARCHAR)"
    if kind == types.YSON:
        return sql
    if types.is_floating(kind):
        problem = f"YQL: the column {json.dumps(column, ensure_ascii=False)} holds {NOT_FINITE}"
        number = f"CAST(to_json({sql}) AS VARCHAR)"
        return f"CASE WHEN {sql} IS NULL OR isfinite({sql}) THEN {number} ELSE error({text_sql(problem)}) END"
    if types.is_text(kind) or kind == types.UUID:
        return f"CAST(to_json({sql}) AS VARCHAR)"
    if kind.name == "Decimal":
        return f"CAST(to_json(yql_decimal_text({sql})) AS VARCHAR)"
    if kind.name == "List":
        item = f"item{depth}"
        inside = f"COALESCE({_json(item, kind.item, column, depth + 1)}, 'null')"
        # Of an empty list array_to_string makes NULL in some versions of DuckDB.
        items = f"COALESCE(array_to_string([{inside} for {item} in {sql}], ','), '')"
        return f"CASE WHEN {sql} IS NOT NULL THEN '[' || {items} || ']' END"
    return f"CAST({sql} AS VARCHAR)"
