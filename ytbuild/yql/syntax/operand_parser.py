"""Parses what operators stand between: literals, columns, calls, CASE, CAST, and what is in parentheses."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable

from ytbuild.yql.syntax.cursor import Cursor
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import (
    Call,
    Case,
    Cast,
    ColumnName,
    Expression,
    ListItems,
    Literal,
    NamedValue,
    Query,
    ScalarQuery,
    TypeName,
)

REFUSED_WORDS = {
    "EXISTS": "use a LEFT SEMI JOIN, or $name = (SELECT COUNT(*) …)",
    "BITCAST": "use CAST; it gives NULL where the value does not fit",
    "GLOB": "use LIKE or REGEXP",
}


class OperandParser(ABC):
    """Parses operands from a cursor; `query` parses what begins with SELECT, the subclass whole expressions."""

    def __init__(self, cursor: Cursor, query: Callable[[], Query]) -> None:
        self._cursor = cursor
        self._query = query

    @abstractmethod
    def expression(self) -> Expression:
        """Parse one expression; raises `QueryError` where there is none."""

    def expressions(self, closing: str) -> tuple[Expression, ...]:
        """Parse expressions between commas up to and with the closing sign; a comma before it is allowed."""
        expressions = []
        while not self._cursor.is_sign(closing):
            expressions.append(self.expression())
            if not self._cursor.take_sign(","):
                break
        self._cursor.need_sign(closing)
        return tuple(expressions)

    def operand(self) -> Expression:
        cursor = self._cursor
        token = cursor.token
        if token.kind == "literal":
            cursor.advance()
            operand: Expression = token.value
        elif token.kind == "named":
            operand = NamedValue(token.place, cursor.need_named())
            if cursor.is_sign("("):
                raise token.place.error(
                    f"{token.text}(…): lambdas are not supported in dev", "write the expression out"
                )
        elif cursor.take_sign("("):
            operand = self._parentheses(token.place)
        elif cursor.take_sign("["):
            operand = ListItems(token.place, self.expressions("]"))
        elif token.kind == "word" and (special := self._special()):
            operand = special
        else:
            operand = self._column_or_call()
        if cursor.is_sign("[", "."):
            raise cursor.place.error("access to the items of a container is not supported in dev")
        return operand

    def _parentheses(self, place: Place) -> Expression:
        cursor = self._cursor
        if cursor.is_word("SELECT"):
            query = self._query()
            cursor.need_sign(")")
            return ScalarQuery(place, query)
        inner = self.expression()
        if cursor.is_sign(","):
            raise place.error("a tuple is not supported in dev", "compare the values one by one")
        cursor.need_sign(")")
        return inner

    def _special(self) -> Expression | None:
        cursor = self._cursor
        place = cursor.place
        word = cursor.token.text.upper()
        if word in ("TRUE", "FALSE", "NULL"):
            cursor.advance()
            return Literal(place, "Null" if word == "NULL" else "Bool", {"TRUE": True, "FALSE": False}.get(word))
        if word in REFUSED_WORDS and (word == "EXISTS" or cursor.following().text == "("):
            raise place.error(f"{word} is not supported in dev", REFUSED_WORDS[word])
        if word == "CASE":
            cursor.advance()
            return self._case(place)
        if word == "CAST":
            cursor.advance()
            cursor.need_sign("(")
            operand = self.expression()
            cursor.need_word("AS")
            target = self._type()
            cursor.need_sign(")")
            return Cast(place, operand, target)
        return None

    def _case(self, place: Place) -> Expression:
        cursor = self._cursor
        operand = None if cursor.is_word("WHEN") else self.expression()
        branches = []
        while cursor.take_word("WHEN"):
            when = self.expression()
            cursor.need_word("THEN")
            branches.append((when, self.expression()))
        if not branches:
            raise cursor.unexpected("WHEN")
        if not cursor.take_word("ELSE"):
            raise cursor.unexpected("ELSE", "YQL requires it: write ELSE NULL")
        otherwise = self.expression()
        cursor.need_word("END")
        return Case(place, operand, tuple(branches), otherwise)

    def _type(self) -> TypeName:
        cursor = self._cursor
        place = cursor.place
        name = cursor.need_name("a type")
        arguments: tuple[TypeName | int, ...] = ()
        if cursor.take_sign("<"):
            arguments = (self._type(),)
            cursor.need_sign(">")
        elif name.lower() == "decimal" and cursor.take_sign("("):
            arguments = (self._whole(), *([self._whole()] if cursor.take_sign(",") else []))
            cursor.need_sign(")")
        while cursor.take_sign("?", "??"):
            pass
        return TypeName(place, name, arguments)

    def _whole(self) -> int:
        literal = self._cursor.token.value
        if not isinstance(literal, Literal) or literal.kind != "Int32":
            raise self._cursor.unexpected("a whole number")
        self._cursor.advance()
        value: int = literal.value
        return value

    def _column_or_call(self) -> Expression:
        cursor = self._cursor
        token = cursor.token
        name = cursor.need_name("an expression")
        if cursor.take_sign("::"):
            name = f"{name}::{cursor.need_name('the name of a function')}"
            if not cursor.is_sign("("):
                raise cursor.unexpected(f"( after {name}", "a function without its arguments is no value in dev")
        if token.kind == "word" and cursor.is_sign("("):
            return self._call(token.place, name)
        if cursor.is_sign(".") and cursor.following().kind in ("word", "name"):
            cursor.advance()
            # After a dot every word is a name, keywords too.
            word = cursor.advance()
            return ColumnName(token.place, word.value if word.kind == "name" else word.text, name)
        return ColumnName(token.place, name, None)

    def _call(self, place: Place, name: str) -> Expression:
        cursor = self._cursor
        cursor.need_sign("(")
        if cursor.take_sign("*"):
            cursor.need_sign(")")
            call = Call(place, name, (), star=True)
        else:
            distinct = bool(cursor.take_word("DISTINCT"))
            call = Call(place, name, self._arguments(), distinct=distinct)
        if cursor.is_word("OVER"):
            raise cursor.place.error("window functions (OVER) are not supported in dev", "use GROUP BY and a join")
        return ListItems(place, call.arguments) if name.upper() == "ASLIST" else call

    def _arguments(self) -> tuple[Expression, ...]:
        cursor = self._cursor
        arguments = []
        while not cursor.is_sign(")"):
            arguments.append(self.expression())
            if cursor.is_word("AS"):
                raise cursor.place.error("named arguments (AS) of a function are not supported in dev")
            if not cursor.take_sign(","):
                break
        cursor.need_sign(")")
        return tuple(arguments)
