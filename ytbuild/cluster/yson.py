"""Values with attributes in plain Python, the way YTsaurus writes them in JSON: `{"$value": …, "$attributes": {…}}`.

Specs are rendered in this form, which needs neither the official client nor a cluster, and turned into the client's
own types when they are sent.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ytbuild.base.errors import CypressPathError

VALUE, ATTRIBUTES = "$value", "$attributes"

_MARKS_OF_RICH_PATHS = "<[{"


def rich(value: Any, **attributes: Any) -> Any:
    """Return a value with attributes; without any it stays as it is."""
    return {VALUE: value, ATTRIBUTES: attributes} if attributes else value


def rich_path(path: str, **attributes: Any) -> Any:
    """Return a path with more attributes; those that its text already has, such as `<executable=%true>`, stay."""
    plain, own = parsed_path(path)
    return rich(plain, **own, **{name: value for name, value in attributes.items() if name not in own})


def parsed_path(path: str) -> tuple[str, dict[str, Any]]:
    """Return a path without its attributes, ranges and columns, and those.

    Raises `CypressPathError` when they are not what YTsaurus has there.
    """
    if not set(_MARKS_OF_RICH_PATHS) & set(path):
        return path, {}
    from yt.wrapper.ypath import TablePath
    from yt.ypath import YPathError
    from yt.yson import YsonError

    try:
        value = plain(TablePath(path).to_yson_type())
    except (YPathError, YsonError) as error:
        reason = str(error).strip().partition("\n")[0]
        hint = 'YTsaurus docs, "YPath", say how attributes, columns and ranges are written'
        raise CypressPathError(path, f"cannot be read: {reason}", hint) from None
    return (value[VALUE], dict(value[ATTRIBUTES])) if isinstance(value, dict) else (str(value), {})


def plain(value: Any) -> Any:
    """Return a value of the official client's types, a path or schema of its among them, in plain Python."""
    value = value.to_yson_type() if hasattr(value, "to_yson_type") else value
    attributes = {str(name): plain(one) for name, one in (getattr(value, "attributes", None) or {}).items()}
    return rich(_without_attributes(value), **attributes)


def _without_attributes(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {str(key): plain(one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain(one) for one in value]
    if isinstance(value, bytes):
        return value.decode("utf-8", "backslashreplace")
    if isinstance(value, str):
        return str(value)
    # The client's booleans are integers, not bools.
    if isinstance(value, bool) or type(value).__name__ == "YsonBoolean":
        return bool(value)
    if isinstance(value, int):
        return int(value)
    return float(value) if isinstance(value, float) else None


def json_format(attributes: Mapping[str, Any]) -> Any:
    """Return the format `json` with attributes, ready to be sent.

    Not as the text `<…>json`: a proxy takes that for the name of a format, which it does not know.
    """
    return typed(rich("json", **attributes))


def typed(value: Any) -> Any:
    """Return a plain value in the official client's types, ready to be sent."""
    if isinstance(value, Mapping):
        if VALUE in value:
            from yt.yson import to_yson_type

            return to_yson_type(typed(value[VALUE]), attributes=typed(value.get(ATTRIBUTES, {})))
        return {key: typed(one) for key, one in value.items()}
    return [typed(one) for one in value] if isinstance(value, list | tuple) else value
