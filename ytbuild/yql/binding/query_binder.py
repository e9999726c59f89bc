"""Binds queries: SELECT, UNION and VALUES become columns with types, and SQL."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass

from ytbuild.yql.binding import types
from ytbuild.yql.binding.aggregates import AGGREGATES
from ytbuild.yql.binding.context import Context
from ytbuild.yql.binding.expression_binder import ExpressionBinder
from ytbuild.yql.binding.from_clause import FromClause, bind_from
from ytbuild.yql.binding.functions import key_of
from ytbuild.yql.binding.scopes import Column, GroupScope, Key, NoScope, OrderScope, RowScope, Scope
from ytbuild.yql.binding.typed_sql import NOTHING, Typed, converted, together
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import (  # fmt: skip
    Call,
    ColumnName,
    Expression,
    Item,
    Literal,
    NamedValue,
    Order,
    Query,
    Select,
    Star,
    Union,
    Values,
    children,
)


@dataclass(frozen=True)
class BoundQuery:
    """A bound query: its columns, `FROM …` with all that comes before ORDER BY, the order, and the limit."""

    columns: tuple[Column, ...]
    source: str
    order: str = ""
    limit: str = ""
    # The columns, by name, that the rows are in the ascending order of.
    sorted_by: tuple[str, ...] = ()

    def sql(self, what: str, ordered: bool = True) -> str:
        """Return the SQL that selects `what`; a subquery has no order unless a limit needs it."""
        order = f" ORDER BY {self.order}" if self.order and (ordered or self.limit) else ""
        return f"SELECT {what} FROM {self.source}{order}{self.limit}"

    def subquery(self) -> str:
        """Return the SQL of the columns, for use inside another query."""
        return self.sql(", ".join(column.value.sql for column in self.columns) or "1 AS one", ordered=False)


def bind(query: Query, context: Context) -> BoundQuery:
    """Bind a query; raises `QueryError`, naming the place, for what does not fit."""
    if isinstance(query, Union):
        return _bind_union(query, context)
    return _SelectBinder(query, context).bound()


def bind_values(values: Values, columns: tuple[str, ...], context: Context) -> BoundQuery:
    """Bind the rows of an INSERT … VALUES under their columns' names."""
    binder = ExpressionBinder(context, NoScope("VALUES has no table to read"), _subquery)
    rows = [[binder.bind(value) for value in row] for row in values.rows]
    values_of = [together(list(column), values.place, "VALUES") for column in zip(*rows, strict=True)]
    names = [context.new_name() for _ in columns]
    written = ", ".join(f"({', '.join(value.sql for value in row)})" for row in zip(*values_of, strict=True))
    bound = tuple(
        Column(column, Typed(name, items[0].type))
        for column, name, items in zip(columns, names, values_of, strict=True)
    )
    return BoundQuery(bound, f"(VALUES {written}) AS {context.new_name()}({', '.join(names)})")


def _subquery(query: Query, context: Context) -> tuple[tuple[Column, ...], str]:
    context.count(query.place)
    bound = bind(query, context)
    return bound.columns, bound.subquery()


def _bind_union(union: Union, context: Context) -> BoundQuery:
    """Unite by name, as YQL does: a column that a part lacks is NULL there."""
    parts = [bind(part, context) for part in union.parts]
    names = list(dict.fromkeys(column.name for part in parts for column in part.columns))
    merged = {name: _together(name, parts, union.place) for name in names}
    if union.distinct:
        _check_distinct([Column(name, values[0]) for name, values in merged.items()], union.place)
    outs = [context.new_name() for _ in names]
    selects = []
    for at, part in enumerate(parts):
        items = [f"{merged[name][at].sql} AS {out}" for name, out in zip(names, outs, strict=True)]
        selects.append(f"SELECT {', '.join(items) or '1 AS one'} FROM ({part.subquery()})")
    word = " UNION " if union.distinct else " UNION ALL "
    columns = tuple(
        Column(name, Typed(out, merged[name][0].type, finite=all(value.finite for value in merged[name])))
        for name, out in zip(names, outs, strict=True)
    )
    return BoundQuery(columns, f"({word.join(selects)})")


def _together(name: str, parts: list[BoundQuery], place: Place) -> list[Typed]:
    values = [next((column.value for column in part.columns if column.name == name), NOTHING) for part in parts]
    return together(values, place, f"the column {name} of UNION")


def _check_distinct(columns: list[Column], place: Place) -> None:
    for column in columns:
        if not types.is_comparable(column.value.type):
            raise place.error(
                f"the column {column.name} is {column.value.type}, which cannot be compared for DISTINCT"
            )


class _SelectBinder:
    """Binds one SELECT, clause by clause."""

    def __init__(self, select: Select, context: Context) -> None:
        context.count(select.place)
        self._select = select
        self._context = context
        self._from: FromClause = bind_from(select, context, _subquery)
        self._rows = RowScope(self._from.visible, self._from.hidden)
        self._keys = [self._key(item) for item in select.group_by]
        names = {key.name: key.row for key, item in zip(self._keys, select.group_by, strict=True) if item.alias}
        self._rows = dataclasses.replace(self._rows, keys={name: row for name, row in names.items() if name})

    def bound(self) -> BoundQuery:
        select = self._select
        where = self._binder(self._rows).condition(select.where, "the condition of WHERE") if select.where else ""
        grouped = bool(self._keys) or any(map(self._has_aggregate, self._expressions()))
        if select.having and not grouped:
            raise select.having.place.error("HAVING without GROUP BY and without an aggregate function", "use WHERE")
        if grouped and self._from.first is None:
            raise select.place.error("there is nothing to aggregate: the SELECT has no FROM")
        scope: Scope = self._rows
        groups = GroupScope(self._rows, self._keys, self._context) if grouped else None
        if groups:
            scope = groups
        elif self._from.first is None:
            scope = NoScope("the SELECT has no FROM")
        results = self._results(scope, groups)
        having = self._binder(scope).condition(select.having, "the condition of HAVING") if select.having else ""
        columns = tuple(Column(column.name, self._renamed(column.value)) for column in results)
        order, sorts = self._order(scope, results, columns)
        items = [f"{result.value.sql} AS {out.value.sql}" for result, out in zip(results, columns, strict=True)]
        listed = ", ".join([*items, *(sorts if not select.distinct else [])]) or "1 AS one"
        source = self._source(groups, where, having)
        inner = f"(SELECT {'DISTINCT ' * select.distinct}{listed}{source}) AS {self._context.new_name()}"
        return BoundQuery(columns, inner, order, self._limit(), self._sorted_by(columns))

    def _binder(self, scope: Scope) -> ExpressionBinder:
        return ExpressionBinder(self._context, scope, _subquery)

    def _renamed(self, value: Typed) -> Typed:
        return Typed(self._context.new_name(), value.type, finite=value.finite)

    def _key(self, item: Item) -> Key:
        value = self._binder(self._rows).bind(item.value)
        if not types.is_comparable(value.type):
            raise item.place.error(f"GROUP BY {value.type}", "values of this type cannot be compared")
        name = item.alias or (item.value.name if isinstance(item.value, ColumnName) else None)
        return Key(name, value, self._renamed(value))

    def _expressions(self) -> Iterator[Expression]:
        select = self._select
        yield from (item.value for item in select.items if isinstance(item, Item))
        yield from (order.value for order in select.order_by)
        if select.having:
            yield select.having

    def _has_aggregate(self, node: object, context: Context | None = None) -> bool:
        context = context or self._context
        if isinstance(node, Select | Union):
            return False
        if isinstance(node, Call) and key_of(node.name) in AGGREGATES:
            return True
        if isinstance(node, NamedValue):
            context.count(node.place)
            definition = context.definition(node.name, node.place)
            return self._has_aggregate(definition.value, context.inside(definition))
        return any(self._has_aggregate(child, context) for child in children(node))

    def _results(self, scope: Scope, groups: GroupScope | None) -> list[Column]:
        """Return the columns of the result under their names; raises `QueryError` for two of one name."""
        results: list[Column] = []
        seen: dict[str, Star | None] = {}
        for position, item in enumerate(self._select.items):
            columns = self._star(item, groups) if isinstance(item, Star) else [self._item(item, position, scope)]
            for column in columns:
                if column.name not in seen:
                    results.append(column)
                elif not self._is_same_key(column, item, seen):
                    raise item.place.error(
                        f"two columns of the result are named {column.name}",
                        "list the columns, and rename one with AS",
                    )
                seen[column.name] = item if isinstance(item, Star) else None
        if self._select.distinct:
            _check_distinct(results, self._select.place)
        return results

    def _is_same_key(self, column: Column, item: Star | Item, seen: dict[str, Star | None]) -> bool:
        return isinstance(item, Star) and seen[column.name] is not None and column.name in self._from.same_keys

    def _star(self, star: Star, groups: GroupScope | None) -> list[Column]:
        if star.table is None and len(self._select.items) > 1:
            raise star.place.error("* beside other columns", "name its table: t.*")
        if self._from.first is None:
            raise star.place.error("* without FROM")
        if groups is None:
            return list(self._from.star(star))
        if star.table is not None or not self._keys:
            raise star.place.error("* with GROUP BY or aggregate functions", "list the keys and the aggregates")
        return [Column(key.name or "", key.grouped) for key in self._keys if key.name]

    def _item(self, item: Item, position: int, scope: Scope) -> Column:
        return Column(item.alias or self._name(item.value, position), self._binder(scope).bind(item.value))

    def _name(self, value: Expression, position: int) -> str:
        """As YQL names columns: a qualified one keeps its table's name in a join, an expression gets its position."""
        if not isinstance(value, ColumnName):
            return f"column{position}"
        return f"{value.table}.{value.name}" if value.table and self._select.joins else value.name

    def _order(self, scope: Scope, results: list[Column], columns: tuple[Column, ...]) -> tuple[str, list[str]]:
        """Return ORDER BY, and the items that it needs in the select list below it."""
        distinct = self._select.distinct
        visible = {column.name: column.value for column in (columns if distinct else results)}
        binder = self._binder(OrderScope(visible, None if distinct else scope))
        terms, items = [], []
        for order in self._select.order_by:
            value = self._sortable(order, binder)
            direction = "DESC NULLS LAST" if order.descending else "ASC NULLS FIRST"
            name = self._context.new_name()
            items.append(f"{value.sql} AS {name}")
            terms.append(f"{value.sql if distinct else name} {direction}")
        return ", ".join(terms), items

    def _sorted_by(self, columns: tuple[Column, ...]) -> tuple[str, ...]:
        names = {column.name for column in columns}
        prefix: list[str] = []
        for order in self._select.order_by:
            value = order.value
            plain = isinstance(value, ColumnName) and value.table is None and value.name in names
            if order.descending or not plain or not isinstance(value, ColumnName):
                break
            prefix.append(value.name)
        return tuple(dict.fromkeys(prefix))

    def _sortable(self, order: Order, binder: ExpressionBinder) -> Typed:
        value = binder.bind(order.value)
        if not types.is_comparable(value.type):
            raise order.place.error(f"ORDER BY {value.type}", "values of this type have no order")
        if isinstance(order.value, Literal):
            raise order.place.error("ORDER BY a constant", "name a column; YQL does not order by a column's number")
        return converted(value, types.STRING) if value.type == types.NULL else value

    def _source(self, groups: GroupScope | None, where: str, having: str) -> str:
        source = f" FROM {self._from.sql(self._context)}" if self._from.first else ""
        filtered = source + (f" WHERE {where}" if where else "")
        if groups is None:
            return filtered
        items = [f"{key.row.sql} AS {key.grouped.sql}" for key in groups.keys]
        items += [f"{sql} AS {name}" for name, sql in groups.aggregates]
        by = f" GROUP BY {', '.join(str(at) for at in range(1, len(groups.keys) + 1))}" if groups.keys else ""
        inner = f"(SELECT {', '.join(items) or 'count(*)'}{filtered}{by}) AS {self._context.new_name()}"
        return f" FROM {inner}" + (f" WHERE {having}" if having else "")

    def _limit(self) -> str:
        binder = self._binder(NoScope("LIMIT and OFFSET are one number for the whole query"))
        clauses = ""
        for word, node in (("LIMIT", self._select.limit), ("OFFSET", self._select.offset)):
            if node is None:
                continue
            value = binder.bind(node)
            if not types.is_integer(value.type) or (isinstance(value.constant, int) and value.constant < 0):
                raise node.place.error(f"{word} must be a whole number, not {value.constant or value.type}")
            clauses += f" {word} ({value.sql})"
        return clauses
