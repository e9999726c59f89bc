"""git's glob language as regular expressions over bytes.

A transcription of what `wildmatch.c` and `dir.c` of git do, not of what gitignore(5) says in prose: a `?` is one
byte, `[[:alpha:]]` and `[\\]]` work, a `**` that is not between slashes is a `*`, an unclosed bracket never
matches, and the part of a pattern before its first wildcard is compared on its own, so that the `**` of `foo**/x`
counts as if it stood at the beginning. pathspec's patterns differ in these (see docs/design.md for the count).
"""

from __future__ import annotations

import re

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
            found = _bracket(pattern, at)
            if found is None:
                return _NEVER
            regex, at = found
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
    at = start + 1
    negated = pattern[at : at + 1] in (b"!", b"^")
    at += negated
    allowed: set[int] = set()
    previous = 0
    first = True
    while first or pattern[at : at + 1] != b"]":
        first = False
        if at >= len(pattern):
            return None
        byte = pattern[at]
        following = pattern[at + 1 : at + 2]
        if byte == 0x5C:
            if not following:
                return None
            previous = following[0]
            allowed.add(previous)
            at += 2
        elif byte == 0x2D and previous and following and following != b"]":
            at += 1
            if following == b"\\":
                at += 1
                if at >= len(pattern):
                    return None
            allowed.update(range(previous, pattern[at] + 1))
            previous = 0
            at += 1
        elif byte == 0x5B and following == b":":
            end = pattern.find(b"]", at + 2)
            if end < 0:
                return None
            name = pattern[at + 2 : end]
            if name.endswith(b":"):
                if name[:-1] not in _CLASSES:
                    return None
                allowed |= _CLASSES[name[:-1]]
                previous = 0
                at = end + 1
            else:
                allowed.add(byte)
                previous = byte
                at += 1
        else:
            allowed.add(byte)
            previous = byte
            at += 1
    if negated:
        allowed = set(range(256)) - allowed
    allowed.discard(_SLASH)
    expression = b"[" + b"".join(b"\\x%02x" % byte for byte in sorted(allowed)) + b"]"
    return (expression if allowed else _NEVER), at + 1
