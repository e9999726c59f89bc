"""FROM and its joins: the columns and the SQL. Sources: YQL docs, "JOIN"; YQL's own code, `TJoinBase`."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ytbuild.yql.binding import operators
from ytbuild.yql.binding.context import Context
from ytbuild.yql.binding.expressions import BindQuery, Expressions
from ytbuild.yql.binding.scopes import Column, QuerySource, RowScope, Source, TableSource
from ytbuild.yql.binding.values import Typed, together
from ytbuild.yql.syntax.paths import table_path
from ytbuild.yql.syntax.tree import (
    Binary,
    Chain,
    ColumnName,
    Expression,
    Item,
    Join,
    Literal,
    NamedSource,
    Place,
    Select,
    Single,
    Star,
    Union,
)  # fmt: skip
from ytbuild.yql.syntax.tree import (
    QuerySource as WrittenQuery,
)
from ytbuild.yql.syntax.tree import (
    TableSource as WrittenTable,
)

_SQL = {"INNER": "JOIN", "LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN", "FULL": "FULL JOIN", "CROSS": "CROSS JOIN"}
_ONE_SIDED = {
    "LEFT SEMI": "SEMI JOIN",
    "RIGHT SEMI": "SEMI JOIN",
    "LEFT ONLY": "ANTI JOIN",
    "RIGHT ONLY": "ANTI JOIN",
}


@dataclass
class _Step:
    """One join: what was written, its source, and the SQL of its condition."""

    written: Join
    source: Source
    condition: str = ""


@dataclass
class From:
    """The sources of a SELECT; `hidden` says of an alias why its columns cannot be used."""

    first: Source | None
    steps: list[_Step] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)
    # The names that are the same join key in several sources, by the sources' labels.
    same_keys: dict[str, set[str]] = field(default_factory=dict)

    @property
    def visible(self) -> tuple[Source, ...]:
        """The sources whose columns the SELECT sees."""
        found = [self.first] if self.first else []
        found += [step.source for step in self.steps]
        return tuple(source for source in found if source.label is None or source.label not in self.hidden)

    def sql(self, context: Context) -> str:
        """Return what stands after FROM, once everything has been bound."""
        assert self.first is not None
        found = f"{self.first.sql()} AS {context.new_name()}"
        for step in self.steps:
            found = _joined(found, f"{step.source.sql()} AS {context.new_name()}", step, context)
        return found

    def star(self, node: Star) -> Iterator[Column]:
        """Give the columns of `*` or `alias.*`; a key that has one name on both sides is one column.

        Raises `QueryError` for a name that two sources have.
        """
        sources = [source for source in self.visible if node.table in (None, source.label)]
        if not sources:
            RowScope(self.visible, self.hidden).column(ColumnName(node.place, "*", node.table))
        for source in sources:
            for name in source.names():
                value = source.find(name)
                assert value is not None
                yield Column(name, self._coalesced(name, source, value, node.place))

    def _coalesced(self, name: str, source: Source, value: Typed, place: Place) -> Typed:
        if source.label not in self.same_keys.get(name, ()):
            return value
        found = [other.find(name) for other in self.visible if other.label in self.same_keys[name]]
        values = together([one for one in found if one is not None], place, f"the key {name}")
        if len(values) == 1:
            return values[0]
        return Typed(f"COALESCE({', '.join(one.sql for one in values)})", values[0].type, finite=value.finite)


def bind_from(select: Select, context: Context, bind_query: BindQuery) -> From:
    """Bind what stands after FROM; raises `QueryError` for unknown tables and for conditions that YQL refuses."""
    if select.source is None:
        return From(None)
    first = _bind_single(select.source, context, bind_query, bool(select.joins))
    found = From(first)
    if isinstance(first, TableSource) and not select.joins and select.source.alias is None:
        first.label = None
    for written in select.joins:
        source = _bind_single(written.source, context, bind_query, True)
        labels = [known.label for known in (first, *(step.source for step in found.steps))]
        if source.label in labels:
            raise written.source.place.error(f"two tables are named {source.label} here", "give one another name: AS")
        if written.using and len(select.joins) > 1:
            raise written.place.error("USING joins two tables only", "write ON for a join of more of them")
        step = _Step(written, source)
        step.condition = _condition(step, found, context, bind_query)
        found.steps.append(step)
        _hide(step, found)
    return found


def _hide(step: _Step, found: From) -> None:
    kind = step.written.kind
    if kind in ("LEFT SEMI", "LEFT ONLY"):
        hidden = [step.source]
    elif kind in ("RIGHT SEMI", "RIGHT ONLY"):
        hidden = [source for source in found.visible if source is not step.source]
    else:
        return
    for source in hidden:
        assert source.label is not None
        found.hidden[source.label] = f"a {kind} JOIN gives the columns of the other side only"


def _bind_single(source: Single, context: Context, bind_query: BindQuery, joined: bool) -> Source:
    if isinstance(source, NamedSource):
        definition = context.definition(source.name, source.place)
        value = definition.value
        if isinstance(value, Literal) and isinstance(value.value, str):
            path = table_path(value.value, source.place)
            return TableSource(context.table(path, source.place), source.alias or path, context)
        if not isinstance(value, Select | Union):
            raise source.place.error(f"${source.name} is neither a query nor a table's path")
        columns, sql = bind_query(value, context.inside(definition))
    elif isinstance(source, WrittenTable):
        label = source.alias or source.path
        if joined and "." in label:
            raise source.place.error(f"a table in a join whose name has a dot: {label}", "give it a name with AS")
        return TableSource(context.table(source.path, source.place), label, context)
    else:
        columns, sql = bind_query(source.query, context)
    if joined and source.alias is None:
        raise source.place.error("a query in a join needs a name", "write AS name after it")
    return QuerySource(columns, sql, source.alias)


def _condition(step: _Step, found: From, context: Context, bind_query: BindQuery) -> str:
    written = step.written
    scope = RowScope((*found.visible, step.source), found.hidden, where="in the condition of a join")
    binder = Expressions(context, scope, bind_query)
    pairs: list[tuple[Place, Expression, Expression]] = []
    if written.using:
        left = next(source.label for source in reversed(found.visible))
        pairs = [
            (written.place, ColumnName(written.place, name, left), ColumnName(written.place, name, step.source.label))
            for name in written.using
        ]
    elif written.on is not None:
        pairs = list(_equalities(written.on))
    tests = []
    for place, one, other in pairs:
        _check_sides(place, one, other, step.source, found)
        _note_same_key(one, other, found)
        tests.append(operators.equal_keys(binder.bind(one), binder.bind(other), place))
    return " AND ".join(tests)


def _equalities(node: Expression) -> Iterator[tuple[Place, Expression, Expression]]:
    if isinstance(node, Chain) and node.operator == "AND":
        for operand in node.operands:
            yield from _equalities(operand)
    elif isinstance(node, Binary) and node.operator == "=":
        yield node.place, node.left, node.right
    else:
        raise node.place.error(
            "ON is a conjunction of equalities in YQL: a.x = b.x AND a.y = b.y", "put other conditions into WHERE"
        )


def _check_sides(place: Place, one: Expression, other: Expression, right: Source, found: From) -> None:
    sides = []
    for side in (one, other):
        tables = {column.table for column in columns_in(side)}
        if None in tables:
            raise side.place.error("a column in ON needs its table's name", "write a.x = b.x")
        if len(tables) != 1:
            raise side.place.error(
                "each side of an equality in ON has columns of exactly one table", "put other conditions into WHERE"
            )
        sides.append(tables.pop())
    if sides[0] == sides[1] or right.label not in sides:
        raise place.error(
            f"one side of an equality in ON must be of {right.label}, and the other of a table before it"
        )


def _note_same_key(one: Expression, other: Expression, found: From) -> None:
    if isinstance(one, ColumnName) and isinstance(other, ColumnName) and one.name == other.name:
        labels = {label for label in (one.table, other.table) if label is not None}
        found.same_keys.setdefault(one.name, set()).update(labels)


def columns_in(node: Any) -> Iterator[ColumnName]:
    """Give the columns in an expression, as far as they are written in it."""
    if isinstance(node, ColumnName):
        yield node
    elif isinstance(node, tuple):
        for item in node:
            yield from columns_in(item)
    elif dataclasses.is_dataclass(node) and not isinstance(node, Place | Select | Union | WrittenQuery | Item):
        for part in dataclasses.fields(node):
            yield from columns_in(getattr(node, part.name))


def _joined(left: str, right: str, step: _Step, context: Context) -> str:
    kind = step.written.kind
    if kind == "CROSS":
        return f"{left} CROSS JOIN {right}"
    if kind in _SQL:
        return f"{left} {_SQL[kind]} {right} ON ({step.condition})"
    if kind in _ONE_SIDED:
        if kind.startswith("RIGHT"):
            left, right = right, f"(SELECT * FROM {left}) AS {context.new_name()}"
        return f"(SELECT * FROM {left} {_ONE_SIDED[kind]} {right} ON ({step.condition})) AS {context.new_name()}"
    marks = context.new_name(), context.new_name()
    one, other = (f"(SELECT *, 1 AS {mark} FROM {side})" for mark, side in zip(marks, (left, right), strict=True))
    missing = " OR ".join(f"{mark} IS NULL" for mark in marks)
    both = f"{one} AS {context.new_name()} FULL JOIN {other} AS {context.new_name()} ON ({step.condition})"
    return f"(SELECT * FROM {both} WHERE {missing}) AS {context.new_name()}"
