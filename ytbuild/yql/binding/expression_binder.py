"""Gives an expression its type and its SQL."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ytbuild.base.errors import closest
from ytbuild.yql.binding import operators, types
from ytbuild.yql.binding.aggregates import AGGREGATES, Aggregate, count_rows
from ytbuild.yql.binding.casts import cast
from ytbuild.yql.binding.constructors import CONSTRUCTORS, constructed
from ytbuild.yql.binding.context import Context
from ytbuild.yql.binding.functions import SCALARS, Function, key_of
from ytbuild.yql.binding.matching import matched
from ytbuild.yql.binding.scopes import Column, Scope, item_type
from ytbuild.yql.binding.typed_sql import Typed, integer_sql, literal, need, together
from ytbuild.yql.binding.types import Type
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import (  # fmt: skip
    Between,
    Binary,
    Call,
    Case,
    Cast,
    Chain,
    ColumnName,
    Expression,
    In,
    IsDistinct,
    IsNull,
    ListItems,
    Literal,
    Match,
    NamedValue,
    Query,
    ScalarQuery,
    Select,
    Unary,
    Union,
)

# Binds a query in a context: its columns and its SQL.
BindQuery = Callable[[Query, Context], tuple[tuple[Column, ...], str]]

_COMPARISONS = ("=", "!=", "<", "<=", ">", ">=")
_BITS = ("&", "|", "^", "<<", ">>")
NOW = {"CurrentUtcDate": types.DATE, "CurrentUtcDatetime": types.DATETIME, "CurrentUtcTimestamp": types.TIMESTAMP}
_NOW = {key_of(name): kind for name, kind in NOW.items()}


class ExpressionBinder:
    """Binds the expressions of one part of a query."""

    def __init__(self, context: Context, scope: Scope, bind_query: BindQuery) -> None:
        self._context = context
        self._scope = scope
        self._bind_query = bind_query

    def bind(self, node: Expression) -> Typed:
        """Return an expression's value; raises `QueryError`, naming the place, for what has none."""
        self._context.count(node.place)
        method: Callable[[Any], Typed] = getattr(self, f"_{type(node).__name__.lower()}")
        return method(node)

    def condition(self, node: Expression, what: str) -> str:
        """Return the SQL of an expression that must be a Bool."""
        return need(self.bind(node), types.BOOL, node.place, what).sql

    def _literal(self, node: Literal) -> Typed:
        return literal(node.kind, node.value)

    def _columnname(self, node: ColumnName) -> Typed:
        return self._scope.column(node)

    def _namedvalue(self, node: NamedValue) -> Typed:
        definition = self._context.definition(node.name, node.place)
        inside = ExpressionBinder(self._context.inside(definition), self._scope, self._bind_query)
        if isinstance(definition.value, Select | Union):
            return inside._scalar(node.place, definition.value)
        return inside.bind(definition.value)

    def _scalarquery(self, node: ScalarQuery) -> Typed:
        return self._scalar(node.place, node.query)

    def _scalar(self, place: Place, query: Query) -> Typed:
        columns, sql = self._bind_query(query, self._context)
        kind = item_type(place, columns, "a query that stands for one value")
        return Typed(f"(SELECT {columns[0].value.sql} FROM ({sql}) LIMIT 1)", kind, finite=columns[0].value.finite)

    def _unary(self, node: Unary) -> Typed:
        value = self.bind(node.operand)
        if node.operator == "NOT":
            operand = need(value, types.BOOL, node.operand.place, "the operand of NOT")
            return Typed(f"(NOT {operand.sql})", types.BOOL)
        if node.operator == "~":
            return operators.inverted(value, node.place)
        if node.operator == "+":
            if value.type != types.NULL and not types.is_number(value.type):
                raise node.place.error(f"plus before {value.type}")
            return value
        return operators.negated(value, node.place)

    def _binary(self, node: Binary) -> Typed:
        left, right = self.bind(node.left), self.bind(node.right)
        if node.operator in _COMPARISONS:
            return operators.compared(node.operator, left, right, node.place)
        if node.operator in _BITS:
            return operators.bits(node.operator, left, right, node.place)
        if node.operator == "??":
            return SCALARS["coalesce"].build([left, right], node.place)
        return operators.arithmetic(node.operator, left, right, node.place)

    def _chain(self, node: Chain) -> Typed:
        values = [self.bind(operand) for operand in node.operands]
        if node.operator != "||":
            return operators.logic(node.operator, values, [operand.place for operand in node.operands])
        for value, operand in zip(values, node.operands, strict=True):
            if value.type != types.NULL and not types.is_text(value.type):
                raise operand.place.error(f"|| joins texts, not {value.type}", "write CAST(… AS String)")
        if any(value.type == types.NULL for value in values):
            return Typed("CAST(NULL AS VARCHAR)", types.STRING)
        wanted = types.UTF8 if all(value.type == types.UTF8 for value in values) else types.STRING
        return Typed(f"({' || '.join(value.sql for value in values)})", wanted)

    def _isnull(self, node: IsNull) -> Typed:
        return Typed(f"({self.bind(node.operand).sql} IS {'NOT ' * node.negated}NULL)", types.BOOL)

    def _isdistinct(self, node: IsDistinct) -> Typed:
        left, right = self.bind(node.left), self.bind(node.right)
        operators.check_comparable(left.type, right.type, node.place)
        one, other = operators.alike(left, right)
        return Typed(f"({one.sql} IS {'NOT ' * node.negated}DISTINCT FROM {other.sql})", types.BOOL)

    def _between(self, node: Between) -> Typed:
        value, low, high = self.bind(node.operand), self.bind(node.low), self.bind(node.high)
        above = operators.compared(">=", value, low, node.place).sql
        below = operators.compared("<=", value, high, node.place).sql
        return Typed(f"({'NOT ' * node.negated}({above} AND {below}))", types.BOOL)

    def _in(self, node: In) -> Typed:
        value = self.bind(node.operand)
        among = node.among
        context = self._context
        if isinstance(among, NamedValue):
            definition = context.definition(among.name, among.place)
            context = context.inside(definition)
            if isinstance(definition.value, ListItems):
                among = definition.value.items
            elif isinstance(definition.value, Select | Union):
                among = definition.value
            else:
                raise node.place.error(f"${among.name} is neither a query nor a list", "IN searches one of them")
        if isinstance(among, tuple):
            inside = ExpressionBinder(context, self._scope, self._bind_query)
            sql, value_sql = self._in_list(node.place, value, [inside.bind(item) for item in among])
        else:
            columns, query_sql = self._bind_query(among, context)
            item = Typed(
                columns[0].value.sql if columns else "", item_type(node.place, columns, "the query after IN")
            )
            operators.check_comparable(value.type, item.type, node.place)
            one, other = operators.alike(value, item)
            sql, value_sql = f"{one.sql} IN (SELECT {other.sql} FROM ({query_sql}))", one.sql
        if not self._context.settings.ansi_in:
            # YQL takes a NULL among the items for an item that nothing equals; in SQL it makes the answer unknown.
            sql = f"CASE WHEN {value_sql} IS NULL THEN NULL ELSE COALESCE({sql}, false) END"
        return Typed(f"({'NOT ' * node.negated}({sql}))", types.BOOL)

    def _in_list(self, place: Place, value: Typed, items: list[Typed]) -> tuple[str, str]:
        for item in items:
            operators.check_comparable(value.type, item.type, place)
        pairs = [operators.alike(value, item) for item in items]
        if len({one.sql for one, _ in pairs}) == 1:
            return f"{pairs[0][0].sql} IN ({', '.join(other.sql for _, other in pairs)})", pairs[0][0].sql
        return f"({' OR '.join(f'{one.sql} = {other.sql}' for one, other in pairs)})", value.sql

    def _match(self, node: Match) -> Typed:
        escape = self.bind(node.escape) if node.escape else None
        return matched(node, self.bind(node.operand), self.bind(node.pattern), escape)

    def _case(self, node: Case) -> Typed:
        conditions = []
        operand = self.bind(node.operand) if node.operand else None
        for when, _ in node.branches:
            value = self.bind(when)
            if operand is None:
                conditions.append(need(value, types.BOOL, when.place, "the condition of WHEN").sql)
            else:
                conditions.append(operators.compared("=", operand, value, when.place).sql)
        results = [self.bind(then) for _, then in node.branches]
        ready = together([*results, self.bind(node.otherwise)], node.place, "CASE")
        branches = " ".join(f"WHEN {test} THEN {then.sql}" for test, then in zip(conditions, ready, strict=False))
        finite = all(value.finite for value in ready)
        return Typed(f"CASE {branches} ELSE {ready[-1].sql} END", ready[0].type, finite=finite)

    def _cast(self, node: Cast) -> Typed:
        return cast(self.bind(node.operand), types.resolved(node.target), node.place)

    def _listitems(self, node: ListItems) -> Typed:
        if not node.items:
            raise node.place.error("an empty list has no type")
        items = together([self.bind(item) for item in node.items], node.place, "the list")
        inside = types.STRING if items[0].type == types.NULL else items[0].type
        return Typed(f"[{', '.join(item.sql for item in items)}]", Type("List", (inside,)))

    def _call(self, node: Call) -> Typed:
        key = key_of(node.name)
        if aggregate := AGGREGATES.get(key):
            return self._aggregate(node, aggregate)
        if node.star or node.distinct:
            raise node.place.error(f"{node.name} is no aggregate function: it takes neither * nor DISTINCT")
        if now := _NOW.get(key):
            return Typed(integer_sql(self._context.now_micros // types.DATES[now.name], now), now)
        if constructor := CONSTRUCTORS.get(key):
            return constructed(constructor, node)
        function = SCALARS.get(key)
        if function is None:
            known = [entry.name for table in (SCALARS, AGGREGATES, CONSTRUCTORS) for entry in table.values()]
            hint = closest(node.name, known) or closest(node.name.upper(), known)
            raise node.place.error(f"dev does not know the function {node.name}", hint)
        _check_count(node, function)
        values = [self.bind(argument) for argument in node.arguments]
        return function.build(values, node.place)

    def _aggregate(self, node: Call, aggregate: Aggregate) -> Typed:
        if node.star:
            if aggregate.name != "COUNT":
                raise node.place.error(f"{aggregate.name}(*)", "only COUNT takes *")
            return self._scope.aggregate(node, count_rows())
        _check_count(node, aggregate)
        if node.distinct and not aggregate.distinct:
            raise node.place.error(f"{aggregate.name} does not take DISTINCT")
        inside = ExpressionBinder(self._context, self._scope.arguments(), self._bind_query)
        values = [inside.bind(argument) for argument in node.arguments]
        return self._scope.aggregate(node, aggregate.build(values, "DISTINCT " * node.distinct, node.place))


def _check_count(node: Call, function: Function | Aggregate) -> None:
    count = len(node.arguments)
    if not function.least <= count <= function.most:
        wanted = str(function.least) if function.least == function.most else f"{function.least} to {function.most}"
        raise node.place.error(
            f"{function.name} takes {wanted} arguments, not {count}", f"{function.name}{function.signature}"
        )
