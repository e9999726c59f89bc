"""Parses expressions: YQL's operators with its own precedence. Source: the grammar of YQL v1, rule `expr` and below."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

from ytbuild.clients.dev.yql.cursor import Cursor
from ytbuild.clients.dev.yql.syntax import (
    Between, Binary, Call, Case, Cast, Chain, ColumnName, Expression, In, IsDistinct, IsNull, ListItems, Literal, Match,
    NamedValue, Place, Query, ScalarQuery, Star, TypeName, Unary,
)  # fmt: skip

# From the loosest to the tightest; all of them associate to the left.
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("<", "<=", ">", ">="), ("<<", ">>", "&", "|", "^"), ("+", "-"), ("*", "/", "%"), ("||",),
)  # fmt: skip
_BITS = 1
_CHAINS = ("OR", "AND", "XOR")
_EQUALITY = ("=", "==", "!=", "<>")
_MATCHES = ("LIKE", "ILIKE", "REGEXP", "RLIKE", "MATCH")
_REFUSED_WORDS = {
    "EXISTS": "use a LEFT SEMI JOIN, or $name = (SELECT COUNT(*) …)",
    "BITCAST": "use CAST; it gives NULL where the value does not fit",
    "GLOB": "use LIKE or REGEXP",
}


class ValuesParser:
    """Parses expressions from a cursor; `query` parses what begins with SELECT."""

    def __init__(self, cursor: Cursor, query: Callable[[], Query]) -> None:
        self._cursor = cursor
        self._query = query

    def expression(self) -> Expression:
        """Parse one expression; raises `QueryError` where there is none."""
        self._cursor.deeper()
        found = self._chain(0)
        self._cursor.shallower()
        return found

    def expression_or_star(self) -> Expression | Star:
        """Parse an item of a select list: an expression, or `alias.*`."""
        cursor = self._cursor
        if cursor.is_name() and cursor.following().text == "." and cursor.following(2).text == "*":
            place = cursor.place
            table = cursor.need_name("a table")
            cursor.need_sign(".")
            cursor.need_sign("*")
            return Star(place, table)
        return self.expression()

    def expressions(self, closing: str) -> tuple[Expression, ...]:
        """Parse expressions between commas up to and with the closing sign; a comma before it is allowed."""
        found = []
        while not self._cursor.is_sign(closing):
            found.append(self.expression())
            if not self._cursor.take_sign(","):
                break
        self._cursor.need_sign(closing)
        return tuple(found)

    def _chain(self, level: int) -> Expression:
        if level == len(_CHAINS):
            return self._condition()
        place = self._cursor.place
        operands = [self._chain(level + 1)]
        while self._cursor.take_word(_CHAINS[level]):
            operands.append(self._chain(level + 1))
        return operands[0] if len(operands) == 1 else Chain(place, _CHAINS[level], tuple(operands))

    def _condition(self) -> Expression:
        """One comparison, test or membership: YQL allows one of them after an operand, and a row of equalities."""
        cursor = self._cursor
        left = self._operators(0)
        if cursor.is_sign(*_EQUALITY):
            while cursor.is_sign(*_EQUALITY):
                place = cursor.place
                sign = cursor.advance().text
                left = Binary(place, "=" if sign in ("=", "==") else "!=", left, self._operators(0))
            return left
        place = cursor.place
        if word := cursor.take_word("ISNULL", "NOTNULL"):
            return IsNull(place, left, word == "NOTNULL")
        if cursor.take_word("IS"):
            return self._is(place, left)
        negated = bool(cursor.take_word("NOT"))
        if negated and cursor.take_word("NULL"):
            return IsNull(place, left, True)
        if cursor.take_word("BETWEEN"):
            return self._between(place, left, negated)
        if cursor.take_word("IN"):
            return self._in(place, left, negated)
        if word := cursor.take_word(*_MATCHES):
            pattern = self._operators(0)
            escape = self._operators(0) if cursor.take_word("ESCAPE") else None
            return Match(place, word, left, pattern, escape, negated)
        if cursor.is_word("GLOB") or negated:
            raise cursor.unexpected("IN, LIKE, ILIKE, REGEXP, RLIKE, MATCH or BETWEEN", _REFUSED_WORDS["GLOB"])
        return left

    def _is(self, place: Place, left: Expression) -> Expression:
        negated = bool(self._cursor.take_word("NOT"))
        if self._cursor.take_word("DISTINCT"):
            self._cursor.need_word("FROM")
            return IsDistinct(place, left, self._operators(0), negated)
        self._cursor.need_word("NULL")
        return IsNull(place, left, negated)

    def _between(self, place: Place, left: Expression, negated: bool) -> Expression:
        if self._cursor.is_word("SYMMETRIC", "ASYMMETRIC"):
            raise self._cursor.unexpected("an expression", "write the bounds in their order")
        low = self._operators(0)
        self._cursor.need_word("AND")
        return Between(place, left, low, self._operators(0), negated)

    def _in(self, place: Place, left: Expression, negated: bool) -> Expression:
        cursor = self._cursor
        cursor.take_word("COMPACT")
        if cursor.token.kind == "named":
            return In(place, left, NamedValue(cursor.place, cursor.need_named()), negated)
        if cursor.is_word("ASLIST"):
            cursor.advance()
        opening = cursor.take_sign("(", "[")
        if not opening:
            raise cursor.unexpected("( or $name after IN", "IN searches a list, a query or a named one, not a text")
        if opening == "(" and cursor.is_word("SELECT"):
            query = self._query()
            cursor.need_sign(")")
            return In(place, left, query, negated)
        items = self.expressions(")" if opening == "(" else "]")
        if not items:
            raise place.error("the list after IN is empty")
        return In(place, left, items, negated)

    def _operators(self, level: int) -> Expression:
        if level == len(_LEVELS):
            return self._unary()
        left = self._operators(level + 1)
        while self._cursor.is_sign(*_LEVELS[level]):
            place = self._cursor.place
            sign = self._cursor.advance().text
            left = _joined(place, sign, left, self._operators(level + 1))
        if level == _BITS and self._cursor.is_sign("??"):
            place = self._cursor.advance().place
            self._cursor.deeper()
            left = Binary(place, "??", left, self._operators(_BITS))
            self._cursor.shallower()
        return left

    def _unary(self) -> Expression:
        cursor = self._cursor
        place = cursor.place
        sign = cursor.take_sign("-", "+", "~") or cursor.take_word("NOT")
        if not sign:
            found = self._atom()
            if isinstance(found, Literal):
                _check_whole(found)
            return found
        if cursor.is_sign("-", "+", "~") or cursor.is_word("NOT"):
            raise cursor.unexpected(f"an operand after {sign}", "YQL wants parentheses here: -(-x), NOT (NOT x)")
        operand = self._atom()
        if isinstance(operand, Literal) and sign in "+-" and type(operand.value) in (int, float):
            return _signed(place, sign, operand)
        return Unary(place, sign, operand)

    def _atom(self) -> Expression:
        cursor = self._cursor
        token = cursor.token
        if token.kind == "literal":
            cursor.advance()
            found: Expression = token.value
        elif token.kind == "named":
            found = NamedValue(token.place, cursor.need_named())
            if cursor.is_sign("("):
                raise token.place.error(f"{token.text}(…): lambdas are not supported in dev", "write the expression out")
        elif cursor.take_sign("("):
            found = self._parentheses(token.place)
        elif cursor.take_sign("["):
            found = ListItems(token.place, self.expressions("]"))
        elif token.kind == "word" and (special := self._special()):
            found = special
        else:
            found = self._column_or_call()
        if cursor.is_sign("[", "."):
            raise cursor.place.error("access to the items of a container is not supported in dev")
        return found

    def _parentheses(self, place: Place) -> Expression:
        cursor = self._cursor
        if cursor.is_word("SELECT"):
            query = self._query()
            cursor.need_sign(")")
            return ScalarQuery(place, query)
        found = self.expression()
        if cursor.is_sign(","):
            raise place.error("a tuple is not supported in dev", "compare the values one by one")
        cursor.need_sign(")")
        return found

    def _special(self) -> Expression | None:
        cursor = self._cursor
        place = cursor.place
        word = cursor.token.text.upper()
        if word in ("TRUE", "FALSE", "NULL"):
            cursor.advance()
            return Literal(place, "Null" if word == "NULL" else "Bool", {"TRUE": True, "FALSE": False}.get(word))
        if word in _REFUSED_WORDS and (word == "EXISTS" or cursor.following().text == "("):
            raise place.error(f"{word} is not supported in dev", _REFUSED_WORDS[word])
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
        found = []
        while not cursor.is_sign(")"):
            found.append(self.expression())
            if cursor.is_word("AS"):
                raise cursor.place.error("named arguments (AS) of a function are not supported in dev")
            if not cursor.take_sign(","):
                break
        cursor.need_sign(")")
        return tuple(found)


def _joined(place: Place, sign: str, left: Expression, right: Expression) -> Expression:
    if sign != "||":
        return Binary(place, sign, left, right)
    parts = left.operands if isinstance(left, Chain) and left.operator == "||" else (left,)
    return Chain(place, "||", (*parts, right))


def _signed(place: Place, sign: str, literal: Literal) -> Literal:
    value = -literal.value if sign == "-" else literal.value
    kind = literal.kind
    if kind == "Uint64" and literal.value == 2**63 and sign == "-":
        kind = "Int64"
    if kind.startswith("Uint") and value < 0:
        raise place.error(f"-{literal.value} does not fit {kind}", "leave out the suffix u")
    if kind == "Int64" and value == -(2**31):
        kind = "Int32"
    signed = replace(literal, place=place, kind=kind, value=value)
    _check_whole(signed)
    return signed


def _check_whole(literal: Literal) -> None:
    """An integer literal of 2^(n-1) fits its type only behind a minus."""
    if isinstance(literal.value, int) and literal.kind in ("Int8", "Int16", "Int64"):
        bits = int(literal.kind[3:])
        if literal.value >= 2 ** (bits - 1):
            raise literal.place.error(f"{literal.value} does not fit {literal.kind}")
