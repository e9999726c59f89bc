"""Rows of a cluster's tables as JSON lines.

JSON in both directions, whether or not YSON bindings are installed: what a table gives must not depend on that. It
keeps integers, floats (the cluster always writes a point or an exponent) and texts apart. Texts are written as UTF-8
(`encode_utf8` is false); they are read byte by byte (it is true, each byte one character), so that those that
are no UTF-8 come out as `bytes` and do not fail the whole table. The cluster's JSON gives names that begin with `$` a
second one.
"""

from __future__ import annotations

import contextlib
from typing import Any

from ytbuild.rows import decode, encode
from ytbuild.rows.row import Row

WRITTEN_WITH = {"encode_utf8": False}
READ_WITH = {"encode_utf8": True}
"""Attributes of the cluster's format `json`, for rows that are written and for rows that are read."""


def encoded(row: Any, number: int, table: str) -> bytes:
    """Return a row as a line for the cluster; raises `TableError` for what a table cannot hold."""
    line = encode.encoded(row, number, table)
    return encode.encoded(_with_dollars(row), number, table) if b'"$' in line else line


def decoded(line: bytes) -> Row:
    """Return the row of a line from the cluster; raises `ValueError` for what is no row."""
    row = _row(line)
    return _without_dollars(row) if b'"$$' in line else row


def _row(line: bytes) -> Row:
    if b"\\u" not in line:
        if line.isascii():
            return decode.decoded(line)
        # The bytes as they are in the table; mostly they are UTF-8.
        with contextlib.suppress(UnicodeError):
            return decode.decoded(line.decode().encode("latin-1").decode())
    row: Row = _decoded_texts(decode.decoded(line))
    return row


def _decoded_texts(value: Any) -> Any:
    if isinstance(value, str):
        return value if value.isascii() else _text(value)
    if isinstance(value, list):
        return [_decoded_texts(item) for item in value]
    if isinstance(value, dict):
        return {_name(name): _decoded_texts(item) for name, item in value.items()}
    return value


def _text(value: str) -> str | bytes:
    data = value.encode("latin-1")
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def _name(name: str) -> str:
    return name if name.isascii() else name.encode("latin-1").decode("utf-8", "surrogateescape")


def _with_dollars(value: Any) -> Any:
    if isinstance(value, dict):
        return {_escaped(name): _with_dollars(item) for name, item in value.items()}
    return [_with_dollars(item) for item in value] if isinstance(value, list | tuple) else value


def _escaped(name: Any) -> Any:
    return f"${name}" if isinstance(name, str) and name.startswith("$") else name


def _without_dollars(value: Any) -> Any:
    if isinstance(value, dict):
        return {name[1:] if name.startswith("$$") else name: _without_dollars(item) for name, item in value.items()}
    return [_without_dollars(item) for item in value] if isinstance(value, list) else value
