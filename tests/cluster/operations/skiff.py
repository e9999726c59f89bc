"""The skiff format, as far as typed jobs of the official client use it.

A stream is a run of rows, each of them a little-endian uint16 that picks one of `table_skiff_schemas` and then the
fields of that schema's tuple. The client needs the C++ bindings of ytsaurus-yson for it; this side does not.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from yt import yson
from yt.yson.yson_types import YsonEntity

Schema = Mapping[str, Any]
Row = dict[str, Any]

NUMBERS = {
    "int8": struct.Struct("<b"),
    "int16": struct.Struct("<h"),
    "int32": struct.Struct("<i"),
    "int64": struct.Struct("<q"),
    "uint8": struct.Struct("<B"),
    "uint16": struct.Struct("<H"),
    "uint32": struct.Struct("<I"),
    "uint64": struct.Struct("<Q"),
    "double": struct.Struct("<d"),
}
TAGS = {"variant8": NUMBERS["uint8"], "variant16": NUMBERS["uint16"]}
REPEATED = {"repeated_variant8": (NUMBERS["uint8"], 0xFF), "repeated_variant16": (NUMBERS["uint16"], 0xFFFF)}
LENGTH = NUMBERS["uint32"]
SYSTEM_COLUMNS = {"$key_switch", "$row_index", "$range_index"}


class SkiffError(ValueError):
    """A value does not fit its schema, or a stream is no skiff."""


def schemas_of(format_attributes: Mapping[str, Any]) -> list[Schema]:
    """The schemas of a format's tables, references to the registry (`$name`) resolved."""
    registry = format_attributes.get("skiff_schema_registry", {})
    schemas = format_attributes["table_skiff_schemas"]
    return [registry[schema[1:]] if isinstance(schema, str) else schema for schema in schemas]


def encode_row(row: Row, table_index: int, schemas: Sequence[Schema], control: Mapping[str, Any]) -> bytes:
    """One row as a job reads it; control holds key_switch, row_index and range_index."""
    if table_index >= len(schemas):
        raise SkiffError(f"no skiff schema for input table {table_index}")
    out = bytearray(NUMBERS["uint16"].pack(table_index))
    fields = schemas[table_index]["children"]
    for field in fields:
        name = field["name"]
        if name in SYSTEM_COLUMNS:
            _encode_system(field, control, out)
        elif name == "$other_columns":
            named = {other["name"] for other in fields}
            _encode_bytes(yson.dumps({key: value for key, value in row.items() if key not in named}), out)
        else:
            _encode(field, row.get(name), out, name)
    return bytes(out)


def _encode_system(field: Schema, control: Mapping[str, Any], out: bytearray) -> None:
    value = control.get(field["name"].removeprefix("$"))
    if field["wire_type"] == "boolean":
        out.append(bool(value))
    elif value is None:
        # row_index knows three cases: absent, a number, and "one more than before"; absent is the first.
        out.append(0)
    else:
        out.append(1)
        out += NUMBERS["int64"].pack(value)


def _encode(schema: Schema, value: Any, out: bytearray, name: str) -> None:
    kind = schema["wire_type"]
    missing = value is None or isinstance(value, YsonEntity)
    if kind in TAGS:
        _encode_optional(schema, None if missing else value, out, name)
    elif kind == "yson32":
        _encode_bytes(yson.dumps(None if missing else value), out)
    elif missing and kind != "nothing":
        raise SkiffError(f"null in the required column {name!r} of wire type {kind!r}")
    elif kind in NUMBERS:
        out += _packed(kind, value, name)
    elif kind == "boolean":
        out.append(bool(value))
    elif kind == "string32":
        _encode_bytes(value.encode() if isinstance(value, str) else bytes(value), out)
    elif kind in REPEATED:
        _encode_list(schema, value, out, name)
    elif kind == "tuple":
        _encode_tuple(schema, value, out, name)
    elif kind != "nothing":
        raise SkiffError(f"wire type {kind!r} of column {name!r} is not modelled")


def _packed(kind: str, value: Any, name: str) -> bytes:
    try:
        return NUMBERS[kind].pack(float(value) if kind == "double" else value)
    except (struct.error, TypeError, ValueError) as error:
        raise SkiffError(f"column {name!r}: {value!r} is no {kind}") from error


def _encode_bytes(data: bytes, out: bytearray) -> None:
    out += LENGTH.pack(len(data)) + data


def _encode_optional(schema: Schema, value: Any, out: bytearray, name: str) -> None:
    children = schema["children"]
    if len(children) != 2 or children[0]["wire_type"] != "nothing":
        raise SkiffError(f"the variant of column {name!r} is no optional value")
    tag = TAGS[schema["wire_type"]]
    out += tag.pack(int(value is not None))
    if value is not None:
        _encode(children[1], value, out, name)


def _encode_list(schema: Schema, values: Any, out: bytearray, name: str) -> None:
    tag, end = REPEATED[schema["wire_type"]]
    for value in values.items() if isinstance(values, dict) else values:
        out += tag.pack(0)
        _encode(schema["children"][0], value, out, name)
    out += tag.pack(end)


def _encode_tuple(schema: Schema, value: Any, out: bytearray, name: str) -> None:
    for index, child in enumerate(schema["children"]):
        item = value.get(child["name"]) if isinstance(value, dict) else value[index]
        _encode(child, item, out, f"{name}/{child.get('name', index)}")


class _Reader:
    """A position in a stream."""

    def __init__(self, data: bytes) -> None:
        self.data = data
        self.offset = 0

    def take(self, size: int) -> bytes:
        taken = self.data[self.offset : self.offset + size]
        if len(taken) != size:
            raise SkiffError(f"premature end of the skiff stream at byte {self.offset}")
        self.offset += size
        return taken

    def number(self, packed: struct.Struct) -> Any:
        return packed.unpack(self.take(packed.size))[0]


def decode_rows(data: bytes, schemas: Sequence[Schema]) -> Iterator[tuple[int, Row]]:
    """The rows of a stream with the index of their table."""
    reader = _Reader(data)
    while reader.offset < len(data):
        table_index = reader.number(NUMBERS["uint16"])
        if table_index >= len(schemas):
            raise SkiffError(f"unknown table index {table_index} at byte {reader.offset - 2} of the skiff stream")
        yield table_index, _decode_row(schemas[table_index], reader)


def _decode_row(schema: Schema, reader: _Reader) -> Row:
    row: Row = {}
    for field in schema["children"]:
        value = _decode(field, reader)
        if field["name"] == "$other_columns":
            row |= {_text(key): item for key, item in (value or {}).items()}
        else:
            row[field["name"]] = value
    return row


def _decode(schema: Schema, reader: _Reader) -> Any:
    kind = schema["wire_type"]
    if kind in NUMBERS:
        number = reader.number(NUMBERS[kind])
        return yson.YsonUint64(number) if kind.startswith("u") else number
    if kind == "boolean":
        return reader.take(1) != b"\0"
    if kind in ("string32", "yson32"):
        data = reader.take(reader.number(LENGTH))
        return _text(data) if kind == "string32" else yson.loads(data)
    if kind in TAGS:
        return _decode(schema["children"][reader.number(TAGS[kind])], reader)
    if kind in REPEATED:
        return list(_decode_list(schema, reader))
    if kind == "tuple":
        return _decode_tuple(schema, reader)
    if kind == "nothing":
        return None
    raise SkiffError(f"wire type {kind!r} is not modelled")


def _decode_list(schema: Schema, reader: _Reader) -> Iterator[Any]:
    tag, end = REPEATED[schema["wire_type"]]
    while (found := reader.number(tag)) != end:
        yield _decode(schema["children"][found], reader)


def _decode_tuple(schema: Schema, reader: _Reader) -> Any:
    children = schema["children"]
    values = [_decode(child, reader) for child in children]
    if children and all("name" in child for child in children):
        return {child["name"]: value for child, value in zip(children, values, strict=True)}
    return values


def _text(data: Any) -> Any:
    try:
        return data.decode() if isinstance(data, bytes) else data
    except UnicodeDecodeError:
        return data
