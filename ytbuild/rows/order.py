"""YTsaurus's order of values, for sorting rows in dev.

null < int64 < uint64 < double < boolean < string, by value only within a type, strings by their bytes. A JSON number
without a fraction is an int64 as long as it fits, a uint64 above. Source: YTsaurus docs, "Sorted tables".
"""

from __future__ import annotations

from typing import Any

from ytbuild.base.errors import TableError
from ytbuild.rows import decode
from ytbuild.rows.row import INT64_MAX

SortKey = tuple[tuple[Any, ...], ...]


def value_key(value: Any, column: str) -> tuple[Any, ...]:
    """Return a key that orders one value as the cluster does; raises `TableError` for a list or a mapping."""
    if value is None:
        return (0,)
    if isinstance(value, bool):
        return (4, value)
    if isinstance(value, int):
        return (1, value) if value <= INT64_MAX else (2, value)
    if isinstance(value, float):
        return (3, value)
    if isinstance(value, str):
        return (5, value.encode())
    raise TableError(
        f"the column {column!r} holds a {type(value).__name__}, which has no order", "sort by columns of plain values"
    )


def row_key(line: bytes, columns: tuple[str, ...]) -> SortKey:
    """Return the key of a row, given as a JSON line, by some of its columns; a missing one counts as null.

    Raises `ValueError` for a line that is no row, and `TableError` for a value that has no order.
    """
    row = decode.decoded(line)
    try:
        return tuple(value_key(row.get(column), column) for column in columns)
    except UnicodeEncodeError:
        raise ValueError("half of a surrogate pair is no text") from None


def sort_lines(lines: list[bytes], columns: tuple[str, ...]) -> list[bytes]:
    """Return rows, given as JSON lines, sorted by columns; equal keys keep their order."""
    return sorted(lines, key=lambda line: row_key(line, columns))
