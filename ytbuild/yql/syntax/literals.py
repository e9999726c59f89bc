"""The values of literals: numbers with suffixes, texts with escapes. Source: YQL docs, "Lexical structure"."""

from __future__ import annotations

import re

from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import Literal

_INTEGER = re.compile(r"(0[xX][0-9a-fA-F]+|0[oO][0-7]+|0[bB][01]+|[0-9]+)(u?[lst]?)\Z", re.IGNORECASE)
_FLOAT = re.compile(r"([0-9]+\.[0-9]*(?:[eE][+-]?[0-9]+)?|[0-9]+[eE][+-]?[0-9]+)(f?)\Z", re.IGNORECASE)
_INTEGER_KINDS = {
    "u": "Uint32", "l": "Int64", "ul": "Uint64", "s": "Int16", "us": "Uint16", "t": "Int8", "ut": "Uint8",
}  # fmt: skip
_BITS = re.compile(r"\d+")
_TEXT_KINDS = {"": "String", "s": "String", "u": "Utf8"}
_SIMPLE = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v", "\\": "\\", "`": "`"}
_SIMPLE |= {'"': '"', "'": "'", "?": "?"}
_CODED = re.compile(r"x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-3][0-7]{2})")


def number(written: str, place: Place) -> Literal:
    """Return the literal of a number as written; raises `QueryError` for one that does not fit its type."""
    if match := _INTEGER.match(written):
        value = int(match[1], 0) if match[1][1:2].isalpha() else int(match[1])
        return _integer(value, match[2].lower(), written, place)
    if match := _FLOAT.match(written):
        double = float(match[1])
        if double in (float("inf"), float("-inf")):
            raise place.error(f"{written} is too large for a Double")
        return Literal(place, "Float" if match[2] else "Double", double)
    raise place.error(
        f"{written} is no number",
        "the suffixes of integers are l, s, t, u, ul, us and ut, that of floats is f; a name with other signs "
        "stands in backticks",
    )


def _integer(value: int, suffix: str, written: str, place: Place) -> Literal:
    kind = _INTEGER_KINDS.get(suffix)
    if kind is None:
        kind = "Int32" if value < 2**31 else "Int64" if value < 2**63 else "Uint64"
    bits = int(_BITS.findall(kind)[0])
    # -2^(n-1) is written as a minus and 2^(n-1), which the parser puts together.
    if value >= 2**bits or (kind.startswith("Int") and value > 2 ** (bits - 1)):
        raise place.error(f"{written} does not fit {kind}")
    return Literal(place, kind, value)


def text(body: str, suffix: str, place: Place) -> Literal:
    """Return the literal of a quoted text; raises `QueryError` for an escape or a suffix that dev does not know."""
    kind = _TEXT_KINDS.get(suffix)
    if kind is None:
        raise place.error(f"a literal with the suffix {suffix!r} is not supported in dev", "dev knows 's' and 'u'")
    return Literal(place, kind, unescaped(body, place))


def unescaped(body: str, place: Place) -> str:
    """Return a text with its C escapes resolved; raises `QueryError` when the result is not UTF-8."""
    if "\\" not in body:
        return body
    unescaped_bytes = bytearray()
    at = 0
    while at < len(body):
        if body[at] != "\\":
            unescaped_bytes += body[at].encode()
            at += 1
            continue
        piece, length = _escape(body, at + 1, place)
        unescaped_bytes += piece
        at += 1 + length
    try:
        return unescaped_bytes.decode()
    except UnicodeDecodeError:
        raise place.error("the text is not UTF-8", "tables of dev are JSON, which holds UTF-8 only") from None


def _escape(body: str, at: int, place: Place) -> tuple[bytes, int]:
    sign = body[at : at + 1]
    if sign in _SIMPLE and sign:
        return _SIMPLE[sign].encode(), 1
    if match := _CODED.match(body, at):
        byte, short, long, octal = match.groups()
        if byte or octal:
            return bytes([int(byte, 16) if byte else int(octal, 8)]), len(match[0])
        code = int(short or long, 16)
        if code < 0x110000 and not 0xD800 <= code < 0xE000:
            return chr(code).encode(), len(match[0])
    raise place.error(f"\\{sign} is no escape", "write \\\\ for a backslash, or put the text between @@ and @@")
