"""The lexer: from the text of a query to tokens with places."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from ytbuild.base.errors import QueryError
from ytbuild.yql.syntax import literals
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import Literal

_SPACE = re.compile(r"[ \t\r\n\f\v]+|--[^\n]*|/\*.*?\*/", re.DOTALL)
_NAMED = re.compile(r"\$(?:([A-Za-z_][A-Za-z0-9_]*)|`((?:[^`\\]|\\.)+)`)", re.DOTALL)
_NUMBER = re.compile(
    r"0[xX][0-9a-zA-Z]+|[0-9]+\.(?![A-Za-z_.])[0-9]*(?:[eE][+-]?[0-9]+)?\w*|[0-9]+[eE][+-]?[0-9]+\w*|[0-9]\w*"
)
_WORD = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_BACKTICKS = re.compile(r"`((?:[^`\\]|\\.)*)`", re.DOTALL)
_QUOTED = re.compile(r"'((?:[^'\\]|\\.)*)'([A-Za-z]*)|\"((?:[^\"\\]|\\.)*)\"([A-Za-z]*)", re.DOTALL)
_RAW = re.compile(r"@@((?:@@@@|[^@]|@(?!@))*)@@([A-Za-z]*)", re.DOTALL)
_SIGNS = re.compile(r"<=|>=|<>|<<|>>|==|!=|\|\||\?\?|::|->|<\||\|>|[-+*/%(),;.=<>~&|^?\[\]{}:@!]")


@dataclass(frozen=True)
class Token:
    """One token: `kind` is word, name (in backticks), named (`$x`), literal, sign or end; `text` as written.

    `value` is a literal's value, and the name of a `name` or a `named`.
    """

    kind: str
    text: str
    place: Place
    value: Any = None

    @property
    def label(self) -> str:
        """How messages name the token."""
        return (
            "the end of the query"
            if self.kind == "end"
            else self.text
            if len(self.text) < 60
            else self.text[:57] + "…"
        )


def tokens(query: str) -> list[Token]:
    """Return the tokens of a query, an `end` last; raises `QueryError` for what is none."""
    try:
        query.encode()
    except UnicodeEncodeError:
        raise QueryError("YQL: the query holds a lone surrogate, which is no character") from None
    if query.startswith("--!ansi_lexer"):
        raise Place(1, 1).error("--!ansi_lexer is not supported in dev", "write the query for YQL's default lexer")
    scanner = _Scanner(query)
    read = [scanner.next()]
    while read[-1].kind != "end":
        read.append(scanner.next())
    return read


class _Scanner:
    """Reads one token after the other."""

    def __init__(self, query: str) -> None:
        self._query = query
        self._at = 0
        self._line = 1
        self._line_start = 0

    def next(self) -> Token:
        while match := _SPACE.match(self._query, self._at):
            self._move(match.end())
        place = Place(self._line, self._at - self._line_start + 1)
        if self._at >= len(self._query):
            return Token("end", "", place)
        token, end = self._token(place)
        self._move(end)
        return token

    def _move(self, end: int) -> None:
        newlines = self._query.count("\n", self._at, end)
        if newlines:
            self._line += newlines
            self._line_start = self._query.rindex("\n", self._at, end) + 1
        self._at = end

    def _token(self, place: Place) -> tuple[Token, int]:
        query, at = self._query, self._at
        first = query[at]
        if match := _WORD.match(query, at):
            return Token("word", match[0], place), match.end()
        if match := _NUMBER.match(query, at):
            return Token("literal", match[0], place, literals.number(match[0], place)), match.end()
        if first in "'\"" or query.startswith("@@", at):
            return self._text(place)
        if first == "`" and (match := _BACKTICKS.match(query, at)):
            return Token("name", match[0], place, literals.unescaped(match[1], place)), match.end()
        if first == "$" and (match := _NAMED.match(query, at)):
            name = match[1] or literals.unescaped(match[2], place)
            return Token("named", match[0], place, name), match.end()
        if query.startswith("/*", at):
            raise place.error("the comment has no end", "write */ after it")
        if first != "`" and (match := _SIGNS.match(query, at)):
            return Token("sign", match[0], place), match.end()
        raise place.error(f"unexpected {first!r}", "a name that begins here has no end" if first == "`" else "")

    def _text(self, place: Place) -> tuple[Token, int]:
        if match := _RAW.match(self._query, self._at):
            literal = literals.text("", match[2], place)
            value: Literal = Literal(place, literal.kind, match[1].replace("@@@@", "@@"))
        elif match := _QUOTED.match(self._query, self._at):
            body = match[1] if match[1] is not None else match[3]
            value = literals.text(body, match[2] or match[4] or "", place)
        else:
            raise place.error("the text has no end", f"it begins with {self._query[self._at]}")
        return Token("literal", match[0], place, value), match.end()
