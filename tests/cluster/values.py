"""Plain Python values from whatever the YSON reader made of them, with or without its C++ bindings."""

from __future__ import annotations

from typing import Any

from yt import yson


def plain(value: Any) -> Any:
    """Dicts with text keys, lists, text (bytes when it is not UTF-8), numbers, bools, None.

    Attributes are kept on text only, which is where paths carry them.
    """
    if isinstance(value, dict):
        return {text_key(key): plain(item) for key, item in value.items()}
    if isinstance(value, (list, tuple)):
        return [plain(item) for item in value]
    if isinstance(value, str):
        return _with_attributes(value) if getattr(value, "attributes", None) else str(value)
    if value is None or isinstance(value, yson.YsonEntity):
        return None
    if isinstance(value, (bool, yson.YsonBoolean)):
        return bool(value)
    if isinstance(value, yson.YsonUint64):
        return yson.YsonUint64(int(value))
    if isinstance(value, int):
        return int(value)
    if isinstance(value, float):
        return float(value)
    return _text(yson.get_bytes(value))


def _text(data: bytes) -> str | bytes:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return bytes(data)


def text_key(key: Any) -> str:
    """A map's key as text; bytes that are not UTF-8 become surrogates, as in file names."""
    return str(key) if isinstance(key, str) else yson.get_bytes(key).decode("utf-8", "surrogateescape")


def _with_attributes(value: Any) -> Any:
    kept = yson.YsonUnicode(str(value))
    kept.attributes = plain(value.attributes)
    return kept


def with_attributes(value: Any, attributes: dict[str, Any]) -> Any:
    """A value that carries attributes into an answer."""
    wrapped = yson.YsonEntity() if value is None else yson.to_yson_type(value)
    wrapped.attributes = attributes
    return wrapped
