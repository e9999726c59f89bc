"""Paths: `//a/b`, `#id/c`, `//link&`, `//a/@attribute/key`, `<append=%true>//t[#1:#3]{a,b}`."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

from yt.ypath.rich import RichYPath

from tests.cluster.errors import ClusterError, generic
from tests.cluster.values import plain

_PIECE = re.compile(rb"(?:\\x[0-9a-fA-F]{2}|\\[^x]|[^\\/&@\[{])+")
_ESCAPE = re.compile(rb"\\x([0-9a-fA-F]{2})|\\(.)", re.DOTALL)


@dataclass(frozen=True)
class Steps:
    """Where a path starts and what it goes through."""

    root: str  # "/" or an object's id
    keys: tuple[str, ...]
    suppressed: frozenset[int]  # after how many keys a `&` forbids following a link
    attribute: tuple[str, ...] | None  # None: no attribute; (): all of them
    wildcard: bool  # ends with /*


@dataclass
class RichPath:
    """A path and its attributes."""

    text: str
    attributes: dict[str, Any] = field(default_factory=dict)

    @classmethod
    def of(cls, value: Any) -> RichPath:
        """From a string, with or without attributes, as a value or in the text."""
        if isinstance(value, RichPath):
            return value
        if isinstance(value, bytes):
            value = value.decode("utf-8", "surrogateescape")
        if not isinstance(value, str):
            raise generic(f"A path must be a string, not {value!r}")
        attributes = plain(getattr(value, "attributes", {}))
        text = str(value)
        if text.lstrip().startswith("<") or re.search(r"(?<!\\)[\[{]", text):
            text, more = _parse_rich(text)
            attributes = {**attributes, **more}
        return cls(text, attributes)

    @property
    def steps(self) -> Steps:
        """The parsed text."""
        return parse_steps(self.text)

    def flag(self, name: str) -> bool:
        """A boolean attribute; the client writes some of them as text."""
        value = self.attributes.get(name, False)
        return value.lower() == "true" if isinstance(value, str) else bool(value)

    def child(self, key: str) -> RichPath:
        """The path of a child."""
        return RichPath(f"{self.text.rstrip('/') if self.text != '/' else '/'}/{key}")


def _parse_rich(text: str) -> tuple[str, dict[str, Any]]:
    try:
        parsed, attributes = RichYPath().parse(text)
    except Exception as error:
        raise ClusterError(1, f"Error parsing path {text!r}: {error}") from error
    return plain(parsed), plain(attributes)


def _unescape(piece: bytes) -> str:
    def replace(match: re.Match[bytes]) -> bytes:
        return bytes([int(match[1], 16)]) if match[1] else match[2]

    return _ESCAPE.sub(replace, piece).decode("utf-8", "surrogateescape")


def _root(raw: bytes) -> tuple[str, int]:
    if raw.startswith(b"#"):
        match = re.match(rb"#([0-9a-fA-F-]+)", raw)
        if match:
            return match[1].decode(), match.end()
    elif raw.startswith(b"/"):
        return "/", 1
    raise generic(f'Path "{raw.decode("utf-8", "replace")}" does not start with a valid root-designator')


@lru_cache(maxsize=10_000)
def parse_steps(text: str) -> Steps:
    """Split a path into its steps."""
    raw = text.encode("utf-8", "surrogateescape")
    root, at = _root(raw)
    keys: list[str] = []
    suppressed: set[int] = set()
    attribute: list[str] | None = None
    wildcard = False
    while at < len(raw):
        if raw[at : at + 1] == b"&":
            suppressed.add(len(keys))
            at += 1
            continue
        if raw[at : at + 1] != b"/" or wildcard:
            raise generic(f"Unexpected token at position {at} of path {text}")
        at += 1
        if raw[at : at + 1] == b"@" and attribute is None:
            attribute = []
            at += 1
            if at == len(raw):
                break
        match = _PIECE.match(raw, at)
        if not match:
            raise generic(f"Expected a literal at position {at} of path {text}")
        at = match.end()
        wildcard = match[0] == b"*"
        if not wildcard:
            (keys if attribute is None else attribute).append(_unescape(match[0]))
    return Steps(root, tuple(keys), frozenset(suppressed), None if attribute is None else tuple(attribute), wildcard)


def escape(key: str) -> str:
    """A key as it is written in a path."""
    return re.sub(r"([\\/@&\[{*])", r"\\\1", key)
