"""The pieces of a query that come from the user: names are quoted, expressions are checked and kept.

Source of the lexical rules: https://ydb.tech/docs/en/yql/reference/syntax/lexer (the default mode, not ANSI).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from typing import Any

from ytbuild.base.errors import CypressPathError, QueryError
from ytbuild.config.cypress_path import node_path

_LITERAL_ESCAPES = {"\\": "\\\\", "`": "\\`", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ESCAPES = str.maketrans({chr(code): f"\\x{code:02x}" for code in (*range(32), 127)} | _LITERAL_ESCAPES)

_TOKEN = re.compile(
    r"""
    (?P<comment>--[^\n]*|/\*.*?\*/)
  | '(?:[^'\\]|\\.)*' | "(?:[^"\\]|\\.)*" | `(?:[^`\\]|\\.)*` | @@(?:@@@@|(?!@@).)*@@
  | (?P<opening>[(\[{]) | (?P<closing>[)\]}])
  | (?P<unclosed>['"`] | @@ | /\*) | (?P<semicolon>;)
    """,
    re.VERBOSE | re.DOTALL,
)
_PAIRS = {")": "(", "]": "[", "}": "{"}


def quoted(name: str) -> str:
    """Return a name in backticks, with C escapes for what could end it or break the line."""
    return f"`{name.translate(_ESCAPES)}`"


def fault(expression: str) -> str:
    """Return why a text cannot be one expression of a query, an empty text when it can.

    It cannot when it would change the query around it: a quote, comment or bracket that is not closed, or a `;`.
    """
    open_brackets: list[str] = []
    for token in _TOKEN.finditer(expression):
        text, place = token[0], f"at character {token.start() + 1}"
        if token["unclosed"]:
            return f"has {text} {place}, which is not closed"
        if token["semicolon"]:
            return f"has a ';' {place}: it is one expression, not several statements"
        if token["opening"]:
            open_brackets.append(text)
        elif token["closing"] and (not open_brackets or open_brackets.pop() != _PAIRS[text]):
            return f"has {text} {place}, which closes nothing"
    return f"has {open_brackets[-1]}, which is not closed" if open_brackets else ""


def ended(expression: str) -> str:
    """Return an expression with its last comment ended, so that what follows is no part of it."""
    *_, last = (None, *_TOKEN.finditer(expression))
    in_comment = last is not None and last["comment"] and last[0].startswith("--") and last.end() == len(expression)
    return f"{expression}\n" if in_comment else expression


class Fields:
    """The checked fields of one request; every complaint names the request and the field."""

    def __init__(self, request: object) -> None:
        self._request = request

    def error(self, field: str, problem: str, hint: str) -> QueryError:
        """Return the error for one field."""
        return QueryError(f"{type(self._request).__name__}: {field} {problem}", hint)

    def value(self, field: str) -> Any:
        """Return a field as it is."""
        return getattr(self._request, field)

    def table(self, field: str) -> str:
        """Return a table's path, quoted; raises `QueryError` for what is no Cypress path."""
        return self.table_name(field, self.value(field))

    def table_name(self, field: str, path: object) -> str:
        """Return a path that stands in a field, quoted; raises `QueryError` for what is no Cypress path."""
        try:
            return quoted(node_path(path))
        except CypressPathError as error:
            raise self.error(field, f"is {path!r}, which {error.problem}", error.hint) from None

    def name(self, field: str, name: object) -> str:
        """Return a name that stands in a field; raises `QueryError` for an empty one, or what is no text."""
        if not isinstance(name, str) or not name:
            raise self.error(field, f"has {name!r}, which is no name", "names are texts of at least one character")
        try:
            name.encode()
        except UnicodeEncodeError:
            raise self.error(field, f"has {name!r}, which is not valid UTF-8", "correct the name") from None
        return name

    def sequence(self, field: str) -> Sequence[Any]:
        """Return a list or tuple; raises `QueryError` for anything else, or when it is empty."""
        value = self.value(field)
        if not isinstance(value, list | tuple):
            raise self.error(field, f"is {value!r}, not a list", "for example ['first', 'second']")
        if not value:
            raise self.error(field, "is empty", "name at least one")
        return value

    def names(self, field: str, value: object) -> list[str]:
        """Return one name or a list of them as a list; raises `QueryError` when one stands there twice."""
        if isinstance(value, str):
            value = [value]
        if not isinstance(value, list | tuple):
            raise self.error(field, f"is {value!r}", "it is a column's name, or a list of them")
        names = [self.name(field, item) for item in value]
        self.check_distinct(field, names)
        return names

    def check_distinct(self, field: str, names: Sequence[str]) -> None:
        """Raise `QueryError` for a column that stands there twice: a table has it once."""
        for name, count in Counter(names).items():
            if count > 1:
                raise self.error(field, f"has the column {name!r} twice", "name each column of the result once")

    def columns(self, field: str = "columns") -> str:
        """Return a list of columns for SELECT: `*` when there is none."""
        if self.value(field) is None:
            return "*"
        names = self.names(field, self.sequence(field))
        if names == ["*"]:
            return "*"
        if "*" in names:
            raise self.error(field, "has '*' beside other columns", "leave it out, or the others")
        return ", ".join(map(quoted, names))

    def expression(self, field: str, text: object) -> str:
        """Return a YQL expression, trimmed; raises `QueryError` when it would change the query around it."""
        if not isinstance(text, str) or not text.strip():
            raise self.error(field, f"is {text!r}", "give a YQL expression, such as 'value > 10'")
        self.name(field, text)
        problem = fault(text)
        if problem:
            raise self.error(field, f"{problem}: {text!r}", "correct the expression")
        return ended(text.strip())
