"""Parses expressions, with the precedence of YQL's operators. Source: the grammar of YQL v1, rule `expr`."""

from __future__ import annotations

from dataclasses import replace

from ytbuild.yql.syntax.operand_parser import REFUSED_WORDS, OperandParser
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import (  # fmt: skip
    Between,
    Binary,
    Chain,
    Expression,
    In,
    IsDistinct,
    IsNull,
    Literal,
    Match,
    NamedValue,
    Star,
    Unary,
)

# From the loosest to the tightest; all of them associate to the left.
_LEVELS: tuple[tuple[str, ...], ...] = (
    ("<", "<=", ">", ">="), ("<<", ">>", "&", "|", "^"), ("+", "-"), ("*", "/", "%"), ("||",),
)  # fmt: skip
_BITS = 1
_CHAINS = ("OR", "AND", "XOR")
_EQUALITY = ("=", "==", "!=", "<>")
_MATCHES = ("LIKE", "ILIKE", "REGEXP", "RLIKE", "MATCH")


class ExpressionParser(OperandParser):
    """Parses expressions from a cursor."""

    def expression(self) -> Expression:
        """Parse one expression; raises `QueryError` where there is none."""
        self._cursor.deeper()
        expression = self._chain(0)
        self._cursor.shallower()
        return expression

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
            raise cursor.unexpected("IN, LIKE, ILIKE, REGEXP, RLIKE, MATCH or BETWEEN", REFUSED_WORDS["GLOB"])
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
            operand = self.operand()
            if isinstance(operand, Literal):
                _check_whole(operand)
            return operand
        if cursor.is_sign("-", "+", "~") or cursor.is_word("NOT"):
            raise cursor.unexpected(f"an operand after {sign}", "YQL wants parentheses here: -(-x), NOT (NOT x)")
        operand = self.operand()
        if isinstance(operand, Literal) and sign in "+-" and type(operand.value) in (int, float):
            return _signed(place, sign, operand)
        return Unary(place, sign, operand)


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
