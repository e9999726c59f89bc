"""Reading the errors of a cluster and of a connection: their codes, and the one message that says why."""

from __future__ import annotations

import socket
from collections.abc import Iterator, Mapping
from typing import Any

from ytbuild.base.text import quote

_LONGEST_MESSAGE = 500

_WRAPPING = (
    "Received HTTP response with error",
    "Received driver response with error",
    "Received response with error",
    "Internal RPC call failed",
    "Error resolving path",
    "Error communicating",
    "Request retries failed",
)


def plain(error: Any) -> Mapping[str, Any]:
    """Return a `YtError` as the cluster sends errors."""
    if isinstance(error, Mapping):
        return error
    if isinstance(error, BaseException) and not hasattr(error, "inner_errors"):
        return {"message": str(error)}
    return {
        "message": str(error.message),
        "code": getattr(error, "code", 1),
        "inner_errors": [plain(one) for one in error.inner_errors or () if one],
        "attributes": error.attributes or {},
    }


def codes(answer: Mapping[str, Any]) -> Iterator[int]:
    """Give the codes of an error and of all inside it."""
    code = answer.get("code")
    if isinstance(code, int):
        yield int(code)
    for inner in answer.get("inner_errors") or ():
        yield from codes(plain(inner))


def messages(answer: Mapping[str, Any]) -> Iterator[str]:
    """Give the messages from the outermost error to the innermost, along the first inner errors."""
    message = str(answer.get("message") or "").strip()
    if message:
        yield message
    for inner in [one for one in answer.get("inner_errors") or () if one][:1]:
        yield from messages(plain(inner))


def innermost(answer: Mapping[str, Any]) -> str:
    """Return the message of the innermost error: the others only say through which hands it went."""
    found = list(messages(answer))
    telling = [message for message in found if not message.startswith(_WRAPPING)]
    return (telling or found or ["no reason given"])[-1]


def tidy(text: str) -> str:
    """Return a text in one line, without control characters, and not longer than people read."""
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(char if char.isprintable() else quote(char).strip('"') for char in text)
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " …"


def of_connection(error: BaseException) -> str:
    """Return why a connection failed: the innermost cause says it in a few words."""
    causes = list(_causes(error))
    said = [str(cause.strerror) for cause in causes if isinstance(cause, OSError) and cause.strerror]
    text = (said or [str(cause) for cause in causes if str(cause)] or [type(error).__name__])[-1]
    return text[:1].lower() + text[1:]


def was_open(error: BaseException) -> bool:
    """Tell whether there was a connection before it failed."""
    from yt.packages.requests.exceptions import ConnectTimeout, InvalidURL, MissingSchema
    from yt.packages.urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    no_address = (InvalidURL, MissingSchema)
    not_open = (ConnectTimeout, ConnectTimeoutError, NewConnectionError, ConnectionRefusedError, *no_address)
    return not any(isinstance(cause, not_open) for cause in _causes(error))


def is_unknown_host(error: BaseException) -> bool:
    """Tell whether a connection failed because its host's name leads nowhere."""
    return any(isinstance(cause, socket.gaierror) for cause in _causes(error))


def is_timeout(error: BaseException) -> bool:
    """Tell whether a connection failed because nothing came for too long."""
    from yt.packages.requests.exceptions import Timeout
    from yt.packages.urllib3.exceptions import NewConnectionError
    from yt.packages.urllib3.exceptions import TimeoutError as PoolTimeout

    # A refused connection counts as a timeout in urllib3.
    causes = [cause for cause in _causes(error) if not isinstance(cause, NewConnectionError)]
    return any(isinstance(cause, Timeout | PoolTimeout | TimeoutError) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and those behind it, outermost first; urllib3 keeps them in `reason` and in arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        behind = [cause.__context__, cause.__cause__, getattr(cause, "reason", None), *cause.args]
        waiting += [one for one in behind if isinstance(one, BaseException)]
