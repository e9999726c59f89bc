"""YTsaurus's order of values, for sorting rows in dev.

null < int64 < uint64 < double < boolean < string, by value only within a type, strings by their bytes. A JSON number
without a fraction is an int64 as long as it fits, a uint64 above. Source: YTsaurus docs, "Sorted tables".
"""

from __future__ import annotations

import json
from typing import Any

from ytbuild.base.errors import TableError
from ytbuild.rows.row import Row

SortKey = tuple[tuple[Any, ...], ...]

_INT64_MAX = 2**63 - 1


def value_key(value: Any, column: str) -> tuple[Any, ...]:
    """Return a key that orders one value as the cluster does; raises `TableError` for a list or a mapping."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (4, value)
    if isinstance(value, int):
        return (1, value) if value <= _INT64_MAX else (2, value)
    if isinstance(value, float):
        return (3, value)
    if isinstance(value, str):
        return (5, value.encode())
    raise TableError(
        f"the column {column!r} holds a {type(value).__name__}, which has no order", "sort by columns of plain values"
    )


def decode_row(line: bytes) -> Row:
    """Return a row, given as a JSON line; raises `TableError` when it is none."""
    try:
        row = json.loads(line)
    except (ValueError, RecursionError):
        row = None
    if not isinstance(row, dict):
        raise TableError(f"a line is no row: {_label(line)}", "a table is a file of JSON objects, one a line")
    return row


def _label(line: bytes) -> str:
    return repr(line[:80].decode("utf-8", "replace").rstrip("\n"))


def row_key(line: bytes, columns: tuple[str, ...]) -> SortKey:
    """Return the key of a row, given as a JSON line, by some of its columns; a missing one counts as null."""
    row = decode_row(line)
    try:
        return tuple(value_key(row.get(column), column) for column in columns)
    except UnicodeEncodeError:
        raise TableError(f"a line is no row: {_label(line)}", "half of a surrogate pair is no text") from None


def sort_lines(lines: list[bytes], columns: tuple[str, ...]) -> list[bytes]:
    """Return rows, given as JSON lines, sorted by columns; equal keys keep their order."""
    return sorted(lines, key=lambda line: row_key(line, columns))
