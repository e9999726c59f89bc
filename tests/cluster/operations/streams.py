"""Rows as jobs read and write them: the three formats, with the control rows between the rows."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

from yt import yson

from tests.cluster.formats import decode_rows, encode_rows, format_name, format_options
from tests.cluster.operations import skiff
from tests.cluster.operations.weights import Row
from tests.cluster.values import with_attributes


class InputRow(NamedTuple):
    """A row on its way into a job, and where it came from."""

    row: Row
    table: int = 0
    row_index: int = 0
    range_index: int = 0
    # Whether a new key begins here; only reducers look at it.
    switch: bool = False


@dataclass(frozen=True)
class Control:
    """Which control rows a job asked for."""

    table_index: bool = False
    row_index: bool = False
    range_index: bool = False
    key_switch: bool = False

    @classmethod
    def of(cls, attributes: dict[str, Any], table_index: bool) -> Control:
        """From job_io/control_attributes."""
        return cls(
            bool(attributes.get("enable_table_index", False)) or table_index,
            bool(attributes.get("enable_row_index", False)),
            bool(attributes.get("enable_range_index", False)),
            bool(attributes.get("enable_key_switch", False)),
        )


def encode_input(rows: Sequence[InputRow], form: Any, control: Control) -> bytes:
    """What a job reads from its standard input."""
    if format_name(form) == "skiff":
        schemas = skiff.schemas_of(format_options(form))
        return b"".join(skiff.encode_row(each.row, each.table, schemas, _skiff_control(each)) for each in rows)
    return encode_rows(list(_with_control_rows(rows, control)), form)


def _skiff_control(each: InputRow) -> dict[str, Any]:
    return {"key_switch": each.switch, "row_index": each.row_index, "range_index": each.range_index}


def _with_control_rows(rows: Sequence[InputRow], control: Control) -> Iterator[Any]:
    before: InputRow | None = None
    for each in rows:
        if control.key_switch and each.switch and before is not None:
            yield with_attributes(None, {"key_switch": True})
        if attributes := _changed(before, each, control):
            for name, value in attributes.items():
                yield with_attributes(None, {name: value})
        yield each.row
        before = each


def _changed(before: InputRow | None, each: InputRow, control: Control) -> dict[str, int]:
    found: dict[str, int] = {}
    new_table = before is None or before.table != each.table
    new_range = new_table or (before is not None and before.range_index != each.range_index)
    if control.table_index and new_table:
        found["table_index"] = each.table
    if control.range_index and new_range:
        found["range_index"] = each.range_index
    if control.row_index and (new_range or (before is not None and before.row_index + 1 != each.row_index)):
        found["row_index"] = each.row_index
    return found


def decode_output(data: bytes, form: Any, output: int) -> Iterator[tuple[int, Row]]:
    """What a job wrote to one of its outputs, each row with the output that it is for.

    A control row with a table_index sends the rows after it to that output, whichever descriptor they came by.
    """
    name = format_name(form)
    if name == "skiff":
        schema = skiff.schemas_of(format_options(form))[output]
        for _, row in skiff.decode_rows(data, [schema]):
            yield output, row
        return
    for piece in _split_yson(data) if name == "yson" else _split_json(data):
        if isinstance(piece, int):
            output = piece
        else:
            yield from ((output, row) for row in decode_rows(piece, form))


def _split_yson(data: bytes) -> Iterator[int | bytes]:
    if b"table_index" not in data:
        yield data
        return
    for row in yson.loads(data, yson_type="list_fragment"):
        if isinstance(row, yson.YsonEntity):
            yield int(row.attributes["table_index"])
        else:
            yield yson.dumps([row], yson_type="list_fragment")


def _split_json(data: bytes) -> Iterator[int | bytes]:
    if b'"$attributes"' not in data:
        yield data
        return
    for line in data.splitlines():
        row = json.loads(line)
        control = isinstance(row, dict) and row.get("$value", row) is None
        yield int(row["$attributes"]["table_index"]) if control else line
