"""What a row is, on every backend."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

DEFAULT_MAX_ROW_WEIGHT = 128 << 20
"""The largest row in bytes, which is also the most that a cluster allows."""

INT64_MIN = -(2**63)
INT64_MAX = 2**63 - 1
UINT64_MAX = 2**64 - 1


def check_integers(value: Any) -> None:
    """Raise `ValueError` for an integer that is neither an int64 nor a uint64, wherever it is in a row's value."""
    if isinstance(value, int) and not INT64_MIN <= value <= UINT64_MAX:
        raise ValueError("an integer outside int64 and uint64")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list | tuple):
        for item in value:
            check_integers(item)
