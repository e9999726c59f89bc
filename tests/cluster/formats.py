"""YSON and JSON: parameters, answers and rows. JSON is read and written here, not by the client's code."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from typing import Any

from yt import yson

from tests.cluster.errors import generic
from tests.cluster.values import plain, text_key

_JSON_SPACE = " \t\r\n"


def header_format(text: str) -> Any:
    """The format that a header names: the one place where a format's attributes are written in a text."""
    return yson.loads(text.encode()) if text.startswith("<") else text


def format_name(form: Any) -> str:
    """`yson` or `json`, from a format with or without attributes; a text is all name, as for a proxy."""
    return str(form) if form else "yson"


def format_options(form: Any) -> dict[str, Any]:
    """The attributes of a format."""
    return dict(plain(getattr(form, "attributes", None) or {}))


def _encodes_utf8(form: Any) -> bool:
    value = format_options(form).get("encode_utf8", True)
    return value if isinstance(value, bool) else str(value).lower() == "true"


def loads(data: bytes, form: Any = "yson") -> Any:
    """One value."""
    name = format_name(form)
    if name == "json":
        return from_json(json.loads(data, parse_constant=_refuse), _encodes_utf8(form))
    if name == "yson":
        return plain(yson.loads(data))
    raise generic(f'Format "{name}" is not supported by the stand-in')


def dumps(value: Any, form: Any = "yson") -> bytes:
    """One value."""
    name = format_name(form)
    if name == "json":
        return json.dumps(to_json(value, _encodes_utf8(form)), ensure_ascii=_encodes_utf8(form)).encode()
    if name == "yson":
        return bytes(yson.dumps(_writable(value), yson_format="text"))
    raise generic(f'Format "{name}" is not supported by the stand-in')


def decode_rows(data: bytes, form: Any) -> list[dict[str, Any]]:
    """The rows of a heavy body; JSON rows may follow each other without newlines."""
    name = format_name(form)
    try:
        if name == "json":
            encoded = _encodes_utf8(form)
            rows = [from_json(row, encoded) for row in _json_values(data)]
        elif name == "yson":
            rows = [plain(row) for row in yson.loads(data, yson_type="list_fragment")]
        else:
            raise generic(f'Format "{name}" is not supported by the stand-in')
    except (ValueError, yson.YsonError) as error:
        raise generic(f"Error parsing {name}: {error}") from error
    if not all(isinstance(row, dict) for row in rows):
        raise generic("A row must be a map")
    return rows


def encode_rows(rows: list[dict[str, Any]], form: Any) -> bytes:
    """Rows as a heavy body."""
    name = format_name(form)
    if name == "json":
        encoded = _encodes_utf8(form)
        encode = json.JSONEncoder(ensure_ascii=encoded, separators=(",", ":"), allow_nan=False).encode
        try:
            return b"".join(encode(_row_to_json(row, encoded)).encode() + b"\n" for row in rows)
        except ValueError as error:
            raise generic(f"Error writing json: {error}") from error
    if name == "yson":
        return (
            yson.dumps([_writable(row) for row in rows], yson_type="list_fragment", yson_format=_kind(form))
            if rows
            else b""
        )
    raise generic(f'Format "{name}" is not supported by the stand-in')


def _row_to_json(row: Any, encoded: bool) -> Any:
    """The JSON form of a row, which holds no text that is not UTF-8 unless each byte is written as a character."""
    if not encoded:
        _check_utf8(row)
    return to_json(row, encoded)


def _check_utf8(value: Any) -> None:
    if isinstance(value, dict):
        for key, item in value.items():
            key.encode()
            _check_utf8(item)
    elif isinstance(value, (list, tuple)):
        for item in value:
            _check_utf8(item)
    elif isinstance(value, bytes):
        value.decode()


def _kind(form: Any) -> str:
    return "text" if format_options(form).get("format") == "text" else "binary"


def _json_values(data: bytes) -> Iterator[Any]:
    text = data.decode("utf-8")
    decode = json.JSONDecoder(parse_constant=_refuse, parse_float=_finite).raw_decode
    at, end = 0, len(text)
    while True:
        while at < end and text[at] in _JSON_SPACE:
            at += 1
        if at == end:
            return
        value, at = decode(text, at)
        yield value


def from_json(value: Any, encoded: bool) -> Any:
    """A JSON value; `{"$value", "$attributes"}` keeps attributes on text, as in YSON."""
    if isinstance(value, str):
        return _decode_text(value) if encoded and not value.isascii() else value
    if isinstance(value, list):
        return [from_json(item, encoded) for item in value]
    if not isinstance(value, dict):
        return _sized(value) if isinstance(value, int) and abs(value) >= 2**63 else value
    if "$value" in value:
        inner = from_json(value["$value"], encoded)
        attributes = from_json(value.get("$attributes", {}), encoded)
        if isinstance(inner, str) and attributes:
            inner = yson.YsonUnicode(inner)
            inner.attributes = attributes
        return inner
    return {_key_from_json(key, encoded): from_json(item, encoded) for key, item in value.items()}


def _finite(text: str) -> float:
    number = float(text)
    if math.isinf(number):
        raise generic(f"{text} is out of range")
    return number


def _refuse(constant: str) -> Any:
    raise generic(f"{constant} is no JSON")


def _sized(value: int) -> int:
    if -(2**63) <= value < 2**64:
        return yson.YsonUint64(value) if value > 0 else value
    raise generic(f"Integer {value} is out of range")


def _key_from_json(key: str, encoded: bool) -> str:
    if key.startswith("$"):
        if not key.startswith("$$"):
            raise generic(f'Key "{key}" starts with single "$"; use "${key}" to encode this key in JSON format')
        key = key[1:]
    return text_key(_decode_text(key)) if encoded and not key.isascii() else key


def _decode_text(value: str) -> str | bytes:
    try:
        data = value.encode("latin-1")
    except UnicodeEncodeError as error:
        raise generic(
            "Unicode symbols with codes greater than 255 are not supported unless encode_utf8=%false"
        ) from error
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return data


def to_json(value: Any, encoded: bool) -> Any:
    """The JSON form of a value, with its attributes."""
    attributes = getattr(value, "attributes", None)
    if isinstance(value, dict):
        shown: Any = {_key_to_json(key, encoded): to_json(item, encoded) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        shown = [to_json(item, encoded) for item in value]
    elif isinstance(value, str):
        shown = str(value) if value.isascii() or not encoded else _latin(value)
    elif isinstance(value, bytes):
        shown = bytes(value).decode("latin-1")
    elif value is None or isinstance(value, yson.YsonEntity):
        shown = None
    elif isinstance(value, (bool, yson.YsonBoolean)):
        shown = bool(value)
    else:
        shown = value
    return {"$value": shown, "$attributes": to_json(attributes, encoded)} if attributes else shown


def _latin(value: str) -> str:
    return value.encode("utf-8", "surrogateescape").decode("latin-1")


def _key_to_json(key: str, encoded: bool) -> str:
    key = "$" + key if key.startswith("$") else key
    return key if key.isascii() or not encoded else _latin(key)


def _writable(value: Any) -> Any:
    """Text with surrogates (keys that are not UTF-8) as bytes: the writer takes no others."""
    if isinstance(value, str) and not value.isascii():
        try:
            value.encode("utf-8")
        except UnicodeEncodeError:
            return value.encode("utf-8", "surrogateescape")
        return value
    attributes = getattr(value, "attributes", None)
    if isinstance(value, dict):
        copied: Any = {_writable(key): _writable(item) for key, item in value.items()}
    elif isinstance(value, (list, tuple)):
        copied = [_writable(item) for item in value]
    else:
        return value
    if attributes:
        copied = yson.to_yson_type(copied)
        copied.attributes = _writable(attributes)
    return copied
