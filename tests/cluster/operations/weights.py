"""How much rows weigh: the measure of max_row_weight and data_size_per_job."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]


def row_weight(row: Row) -> int:
    """The data weight of a row: its values, without the names of its columns, and one for the row itself."""
    return 1 + sum(_weight(value) for value in row.values())


def _weight(value: Any) -> int:
    if value is None:
        return 0
    if isinstance(value, bool):
        return 1
    if isinstance(value, int | float):
        return 8
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, dict):
        return sum(len(name) + 1 + _weight(item) for name, item in value.items())
    return sum(1 + _weight(item) for item in value)
