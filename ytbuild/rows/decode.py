"""The one decoder of rows: lines of JSON as values, and one wording for a line that is no row."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator

from ytbuild.base.errors import TableError
from ytbuild.rows.row import Row

HINT = "a table is a file of JSON objects in UTF-8, one a line: correct the file, or what wrote it"
_LONGEST_EXCERPT = 120


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise ValueError(f"not JSON: {text[:20]} is no finite number")
    return number


_decode = json.JSONDecoder(parse_float=_finite, parse_constant=_finite).decode


def decoded(line: bytes | str) -> Row:
    """Return the row on a line (RFC 8259, UTF-8); raises `ValueError`, which says why, when there is none."""
    try:
        row = _decode(line if isinstance(line, str) else line.decode())
    except UnicodeDecodeError as error:
        raise ValueError(f"not UTF-8 at byte {error.start + 1}") from None
    except json.JSONDecodeError as error:
        raise ValueError(f"not JSON: {error.msg.removesuffix(' at')} at character {error.pos + 1}") from None
    except RecursionError:
        raise ValueError("nested too deeply") from None
    if not isinstance(row, dict):
        raise ValueError("not a JSON object")
    return row


def rows(lines: Iterable[bytes], table: str) -> Iterator[Row]:
    """Give the rows of a table from its first line on; raises `TableError`, naming the line, for what is no row."""
    for number, line in enumerate(lines, 1):
        try:
            row = decoded(line)
        except ValueError as reason:
            raise no_row(table, number, line, reason) from None
        yield row


def no_row(table: str, number: int, line: bytes, reason: object) -> TableError:
    """Return the error for a line of a table that is no row; `number` counts lines from 1."""
    excerpt = line[:_LONGEST_EXCERPT].decode("utf-8", "replace").rstrip("\n")
    return TableError(f"{table}: line {number} is no row: {excerpt!r} ({reason})", HINT)
