"""A cluster's errors, each with those inside it: their codes, and the one message that says why."""

from __future__ import annotations

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
    everything = list(messages(answer))
    telling = [message for message in everything if not message.startswith(_WRAPPING)]
    return (telling or everything or ["no reason given"])[-1]


def tidy(text: str) -> str:
    """Return a text in one line, without control characters, and not longer than people read."""
    text = " ".join(text.split())
    if not text.isprintable():
        text = "".join(char if char.isprintable() else quote(char).strip('"') for char in text)
    return text if len(text) <= _LONGEST_MESSAGE else text[:_LONGEST_MESSAGE] + " …"
