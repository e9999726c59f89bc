"""One request as a line of JSON: which call made it, method, command, parameters, headers, and what its body is.

| key | value |
|---|---|
| `call` | the high-level call that the request belongs to |
| `method`, `command`, `query` | the command is the last part of `/api/v4/…`, or the whole path of anything else |
| `parameters`, `parameters_in` | decoded; from the `header`, the `body`, both, or `nowhere` |
| `headers` | those that decide what a proxy does, not those of the connection |
| `body` | its `type`, and for heavy and structured input the `encoding` and whether it was `sent` chunked |

Values are the JSON of YSON values: `{"$attributes", "$value"}` for attributes, `$uint64`, `$double` and `$bytes` for
what JSON lacks, one more `$` before keys that begin with one. What differs from run to run is a fixed word.
"""

from __future__ import annotations

import json
import math
import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from yt import yson
from yt.yson.yson_types import YsonBoolean, YsonEntity, YsonStringProxy, YsonUint64

_HEADER_OF_PARAMETERS = "x-yt-parameters"
_OF_CONNECTION = frozenset({"host", "connection", "content-length", _HEADER_OF_PARAMETERS})

_WITHOUT_PARAMETERS = frozenset({"set", "write_file", "write_table"})
"""Commands whose body is their input."""

_ID = re.compile(r"\b[0-9a-f]{1,8}(?:-[0-9a-f]{1,8}){3}\b")
_TIME = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[.\d]*Z?")
_MD5 = re.compile(r"\b[0-9a-f]{32}\b")
_NO_TRANSACTION = "0-0-0-0"
_OF_THIS_RUN = frozenset(
    {"binary_name", "command_line", "hostname", "pid", "platform", "python_version", "user", "wrapper_version", "cwd"}
)


@dataclass(frozen=True)
class Sent:
    """A request as it came: `target` with its query, header names as they were written, the body's bytes."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes


def line(call: str, sent: Sent) -> dict[str, Any]:
    """Return the line of a request."""
    url = urlsplit(sent.target)
    command = url.path.removeprefix("/api/v4/")
    headers = {name.lower(): value for name, value in sent.headers.items()}
    form = _format(headers.get("x-yt-header-format", "<format=text>yson"))
    sources = {"header": headers.get(_HEADER_OF_PARAMETERS, "").encode("utf-8", "surrogateescape")}
    if sent.method == "POST" and command not in _WITHOUT_PARAMETERS and not command.startswith("/"):
        sources["body"] = sent.body
    decoded = {place: _decoded(data, form) for place, data in sources.items() if data}
    parameters = {name: value for part in decoded.values() for name, value in part.items()}
    query = dict(parse_qsl(url.query))
    return {
        "call": call,
        "method": sent.method,
        "command": command,
        **({"query": query} if query else {}),
        "parameters": {str(name): shown(value, str(name)) for name, value in sorted(parameters.items())},
        "parameters_in": " and ".join(decoded) or "nowhere",
        "headers": {
            name: _header(name, value)
            for name, value in sorted(sent.headers.items())
            if name.lower() not in _OF_CONNECTION
        },
        "body": _body(command, sent.body, headers, parameters, "body" in decoded),
    }


def shown(value: Any, key: str = "") -> Any:
    """Return a decoded value in the JSON of a line; `key` is that which it has in its map."""
    plain = _without_attributes(value, key)
    attributes = getattr(value, "attributes", None)
    if not attributes:
        return plain
    return {"$attributes": {name: shown(one, name) for name, one in sorted(attributes.items())}, "$value": plain}


def _without_attributes(value: Any, key: str) -> Any:
    if key in _OF_THIS_RUN:
        return 1 if isinstance(value, int) else f"<{key}>"
    if isinstance(value, Mapping):
        return {("$" if name.startswith("$") else "") + name: shown(one, name) for name, one in sorted(value.items())}
    if isinstance(value, list | tuple):
        return [shown(one) for one in value]
    if isinstance(value, YsonStringProxy | bytes):
        return {"$bytes": (value if isinstance(value, bytes) else yson.get_bytes(value)).decode("latin-1")}
    if isinstance(value, str):
        return _steady(str(value))
    return _scalar(value)


def _scalar(value: Any) -> Any:
    if value is None or isinstance(value, YsonEntity):
        return None
    if isinstance(value, bool | YsonBoolean):
        return bool(value)
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"$double": str(float(value))}
    return {"$uint64": int(value)} if isinstance(value, YsonUint64) else int(value)


def _steady(text: str) -> str:
    """Put fixed words in place of what another run would have other texts for."""
    text = _ID.sub(lambda id: id[0] if id[0] == _NO_TRANSACTION else "<id>", text)
    return _MD5.sub("<md5>", _TIME.sub("<time>", text))


def _header(name: str, value: str) -> str:
    if name.lower() == "authorization":
        return f"{value.partition(' ')[0]} <token>"
    return "<who started it>" if name.lower() == "x-started-by" else _steady(value)


def _format(text: str) -> Any:
    return yson.loads(text.encode())


def _decoded(data: bytes, form: Any) -> dict[str, Any]:
    value = yson.json_to_yson(json.loads(data)) if str(form) == "json" else yson.loads(data)
    return dict(value)


def _body(
    command: str, data: bytes, headers: Mapping[str, str], parameters: Mapping[str, Any], has_parameters: bool
) -> dict[str, Any]:
    if has_parameters:
        return {"type": "parameters"}
    if not data and command not in _WITHOUT_PARAMETERS:
        return {"type": "none"}
    of = "value" if command == "set" else "rows"
    kind = "bytes" if command == "write_file" else f"{of} in {parameters.get('input_format', 'yson')}"
    is_chunked = "chunked" in headers.get("transfer-encoding", "")
    encoding = _encoding(headers.get("content-encoding"), data)
    return {"type": kind, "encoding": encoding, "sent": "chunked" if is_chunked else "with a length"}


def _encoding(name: str | None, data: bytes) -> str | None:
    """Return the name of an encoding; what calls itself gzip is another kind of stream in the official client."""
    if name != "gzip":
        return name
    zlib.decompressobj(47).decompress(data)
    return "gzip" if data.startswith(b"\x1f\x8b") else "gzip: a zlib stream"
