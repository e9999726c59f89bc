"""git's glob language as regular expressions over bytes.

A transcription of what `wildmatch.c` and `dir.c` of git do, not of what gitignore(5) says in prose: a `?` is one
byte, `[[:alpha:]]` and `[\\]]` work, a `**` that is not between slashes is a `*`, an unclosed bracket never
matches, and the part of a pattern before its first wildcard is compared on its own, so that the `**` of `foo**/x`
counts as if it stood at the beginning. pathspec's patterns differ in these (see docs/design.md for the count).
"""

from __future__ import annotations

import re
from collections.abc import Iterable

_SPECIAL = b"*?[\\"
_SLASH = 0x2F

_NEVER = rb"(?!)"

_CLASSES: dict[bytes, frozenset[int]] = {
    b"alnum": frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"),
    b"alpha": frozenset(b"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    b"blank": frozenset(b" \t"),
    b"cntrl": frozenset([*range(0x20), 0x7F]),
    b"digit": frozenset(b"0123456789"),
    b"graph": frozenset(range(0x21, 0x7F)),
    b"lower": frozenset(b"abcdefghijklmnopqrstuvwxyz"),
    b"print": frozenset(range(0x20, 0x7F)),
    b"punct": frozenset(b"!\"#$%&'()*+,-./:;<=>?@[\\]^_`{|}~"),
    # git's own isspace: no vertical tab, no form feed.
    b"space": frozenset(b" \t\n\r"),
    b"upper": frozenset(b"ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    b"xdigit": frozenset(b"0123456789abcdefABCDEF"),
}


def literal_length(pattern: bytes) -> int:
    """Return how many bytes of `pattern` stand before its first wildcard or backslash."""
    for index, byte in enumerate(pattern):
        if byte in _SPECIAL:
            return index
    return len(pattern)


def to_regex(pattern: bytes) -> bytes:
    """Return a regular expression (for `fullmatch`, with DOTALL) for one pattern without its `!` and final `/`.

    The pattern is matched against a whole path relative to its ignore file, or against a base name when it
    holds no slash; a leading slash must have been removed.
    """
    prefix = literal_length(pattern)
    return re.escape(pattern[:prefix]) + _translate(pattern[prefix:])


def _translate(pattern: bytes) -> bytes:
    out: list[bytes] = []
    at = 0
    while at < len(pattern):
        char = pattern[at : at + 1]
        if char == b"*":
            regex, at = _stars(pattern, at)
        elif char == b"?":
            regex, at = b"[^/]", at + 1
        elif char == b"[":
            bracket = _bracket(pattern, at)
            if bracket is None:
                return _NEVER
            regex, at = bracket
        elif char == b"\\":
            if at + 1 == len(pattern):
                return _NEVER
            regex, at = re.escape(pattern[at + 1 : at + 2]), at + 2
        else:
            regex, at = re.escape(char), at + 1
        out.append(regex)
    return b"".join(out)


def _stars(pattern: bytes, start: int) -> tuple[bytes, int]:
    end = start
    while pattern[end : end + 1] == b"*":
        end += 1
    rest = pattern[end:]
    opened = start == 0 or pattern[start - 1] == _SLASH
    if end - start == 1 or not opened or not (not rest or rest[:1] == b"/" or rest[:2] == b"\\/"):
        return b"[^/]*", end
    if rest[:1] == b"/":
        return b"(?:.*/)?", end + 1
    return b".*", end


def _bracket(pattern: bytes, start: int) -> tuple[bytes, int] | None:
    """Return the expression for the bracket that opens at `start` and the index behind it; None if malformed."""
    negated = pattern[start + 1 : start + 2] in (b"!", b"^")
    at = first = start + 1 + negated
    allowed: set[int] = set()
    previous = 0
    while at == first or pattern[at : at + 1] != b"]":
        item = _bracket_item(pattern, at, previous)
        if item is None:
            return None
        members, previous, at = item
        allowed.update(members)
    if negated:
        allowed = set(range(256)) - allowed
    allowed.discard(_SLASH)
    expression = b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(allowed)) + b"]"
    return (expression if allowed else _NEVER), at + 1


def _bracket_item(pattern: bytes, at: int, previous: int) -> tuple[Iterable[int], int, int] | None:
    """Return what the item at `at` of a bracket allows, its byte and the index behind it; None if malformed.

    The byte is what a range may begin with: 0 after a class or a range, and that is also what `previous` is then.
    """
    opening, following = pattern[at : at + 1], pattern[at + 1 : at + 2]
    if opening == b"[" and following == b":":
        end = pattern.find(b"]", at + 2)
        name = pattern[at + 2 : end]
        if end < 0 or (name.endswith(b":") and name[:-1] not in _CLASSES):
            return None
        if name.endswith(b":"):
            return _CLASSES[name[:-1]], 0, end + 1
    if opening == b"-" and previous and following not in (b"", b"]"):
        last = _bracket_byte(pattern, at + 1)
        return None if last is None else (range(previous, last[0] + 1), 0, last[1])
    single = _bracket_byte(pattern, at)
    return None if single is None else ((single[0],), *single)


def _bracket_byte(pattern: bytes, at: int) -> tuple[int, int] | None:
    """Return the byte at `at`, or that which a backslash there escapes, and the index behind it; None at the end."""
    at += pattern[at : at + 1] == b"\\"
    return (pattern[at], at + 1) if at < len(pattern) else None
