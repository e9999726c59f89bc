"""A place in a list of tokens, and the small steps that both parsers are made of."""

from __future__ import annotations

from ytbuild.base.errors import QueryError
from ytbuild.yql.syntax.lexer import Token, tokens
from ytbuild.yql.syntax.place import Place

# What YQL's grammar keeps for itself: such a word is no name unless it stands in backticks.
RESERVED = {
    "ALL", "AND", "ANY", "AS", "ASSUME", "BETWEEN", "BITCAST", "BY", "CASE", "CAST", "CROSS", "DISTINCT",
    "ELSE", "END", "ESCAPE", "EXCEPT", "EXCLUSION", "EXISTS", "FALSE", "FLATTEN", "FROM", "FULL", "GLOB",
    "GROUP", "HAVING", "ILIKE", "IN", "INNER", "INSERT", "INTERSECT", "INTO", "IS", "ISNULL", "JOIN", "LEFT",
    "LIKE", "LIMIT", "MATCH", "NATURAL", "NOT", "NOTNULL", "NULL", "OFFSET", "ON", "ONLY", "OR", "ORDER",
    "OVER", "PROCESS", "REDUCE", "REGEXP", "RIGHT", "RLIKE", "SAMPLE", "SELECT", "SEMI", "TABLESAMPLE",
    "THEN", "TRUE", "UNION", "USING", "VALUES", "VIEW", "WHEN", "WHERE", "WINDOW", "WITH", "WITHOUT", "XOR",
}  # fmt: skip
_DEEPEST = 60


class Cursor:
    """The tokens of one query, read from left to right."""

    def __init__(self, query: str) -> None:
        self._tokens = tokens(query)
        self._at = 0
        self._depth = 0

    @property
    def token(self) -> Token:
        """The token that is next."""
        return self._tokens[self._at]

    @property
    def place(self) -> Place:
        """Where the next token stands."""
        return self.token.place

    def following(self, distance: int = 1) -> Token:
        """Return the token that comes so many tokens after the next one."""
        return self._tokens[min(self._at + distance, len(self._tokens) - 1)]

    def advance(self) -> Token:
        """Take the next token."""
        token = self.token
        if token.kind != "end":
            self._at += 1
        return token

    def is_word(self, *words: str) -> bool:
        """Tell whether the next token is one of these keywords."""
        return self.token.kind == "word" and self.token.text.upper() in words

    def is_sign(self, *signs: str) -> bool:
        """Tell whether the next token is one of these signs."""
        return self.token.kind == "sign" and self.token.text in signs

    def take_word(self, *words: str) -> str:
        """Take one of these keywords and return it in capitals, an empty text when something else is next."""
        return self.advance().text.upper() if self.is_word(*words) else ""

    def take_sign(self, *signs: str) -> str:
        """Take one of these signs and return it, an empty text when something else is next."""
        return self.advance().text if self.is_sign(*signs) else ""

    def need_word(self, word: str) -> None:
        """Take this keyword; raises `QueryError` when something else is next."""
        if not self.take_word(word):
            raise self.unexpected(word)

    def need_sign(self, sign: str) -> None:
        """Take this sign; raises `QueryError` when something else is next."""
        if not self.take_sign(sign):
            raise self.unexpected(f"'{sign}'")

    def is_name(self) -> bool:
        """Tell whether the next token can be a name: one in backticks, or a word that is no keyword."""
        return self.token.kind == "name" or (self.token.kind == "word" and self.token.text.upper() not in RESERVED)

    def need_name(self, what: str) -> str:
        """Take a name; raises `QueryError` when there is none, or an empty one."""
        token = self.token
        if not self.is_name():
            hint = ""
            if token.kind == "word":
                hint = f"{token.text} is a keyword of YQL; as a name it stands in backticks: `{token.text}`"
            raise self.unexpected(what, hint)
        self.advance()
        name: str = token.value if token.kind == "name" else token.text
        if not name:
            raise token.place.error(f"{what} is empty")
        return name

    def need_named(self) -> str:
        """Take `$name` and return the name; raises `QueryError` when something else is next."""
        if self.token.kind != "named":
            raise self.unexpected("$name")
        name: str = self.advance().value
        return name

    def unexpected(self, expected: str, hint: str = "") -> QueryError:
        """Return the error for a token where something else is expected."""
        return self.place.error(f"expected {expected}, found {self.token.label}", hint)

    def deeper(self) -> None:
        """Count one level of nesting; raises `QueryError` for more than dev follows."""
        self._depth += 1
        if self._depth > _DEEPEST:
            raise self.place.error(
                f"this is nested more than {_DEEPEST} levels deep", "give parts of it a name: $part = …;"
            )

    def shallower(self) -> None:
        """Count one level less."""
        self._depth -= 1
