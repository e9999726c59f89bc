"""Rows as lines of JSON: what a table can hold, and what is wrong with a row that it cannot."""

from __future__ import annotations

import json
import re
from typing import Any

from ytbuild.base.errors import TableError
from ytbuild.rows.row import DEFAULT_MAX_ROW_WEIGHT, check_integers

# Whatever is out of range has so many digits; most lines have no such number, and are not looked at again.
_LONG_NUMBER = re.compile(rb"\d{19}")

_HINT = "a row is a dict of text keys and None, bool, int, finite float, str, list or dict values"


def encoded(row: Any, number: int, table: str) -> bytes:
    """Return a row as a line; raises `TableError`, naming row and column, for what a table cannot hold.

    `number` counts the rows of `table` from 0.
    """
    try:
        if isinstance(row, dict) and all(isinstance(name, str) for name in row):
            line = json.dumps(row, ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode() + b"\n"
            _check_length(line, number, table)
            if _LONG_NUMBER.search(line):
                check_integers(row)
            return line
    except (TypeError, ValueError, RecursionError):
        pass
    raise _unwritable(row, number, table)


def _check_length(line: bytes, number: int, table: str) -> None:
    if len(line) > DEFAULT_MAX_ROW_WEIGHT:
        raise TableError(
            f"{table}: row {number} has {len(line):,} bytes, and YTsaurus takes {DEFAULT_MAX_ROW_WEIGHT:,}",
            "divide it into several rows, or put the large value into a file",
        )


def _unwritable(row: Any, number: int, table: str) -> TableError:
    if not isinstance(row, dict):
        return TableError(f"{table}: row {number} is {type(row).__name__}, not a dict", _HINT)
    for name, value in row.items():
        if not isinstance(name, str):
            return TableError(f"{table}: row {number} has the column {name!r}, which is no text", _HINT)
        try:
            json.dumps(value, allow_nan=False).encode()
            json.dumps(value, ensure_ascii=False).encode()
            name.encode()
        except (TypeError, ValueError, RecursionError):
            kind = type(value).__name__
            return TableError(f"{table}: row {number}, column {name!r}: a {kind} that JSON cannot hold", _HINT)
        try:
            check_integers(value)
        except ValueError as error:
            return TableError(f"{table}: row {number}, column {name!r}: {error}", _HINT)
    return TableError(f"{table}: row {number} cannot be written", _HINT)
