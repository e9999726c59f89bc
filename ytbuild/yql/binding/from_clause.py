"""FROM and its joins: the columns and the SQL. Sources: YQL docs, "JOIN"; YQL's own code, `TJoinBase`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from ytbuild.yql.binding import operators
from ytbuild.yql.binding.context import Context
from ytbuild.yql.binding.expression_binder import BindQuery, ExpressionBinder
from ytbuild.yql.binding.scopes import Column, QueryRelation, Relation, RowScope, TableRelation
from ytbuild.yql.binding.typed_sql import Typed, together
from ytbuild.yql.syntax.paths import table_path
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import (
    Binary,
    Chain,
    ColumnName,
    Expression,
    FromItem,
    Item,
    Join,
    Literal,
    NamedSource,
    QuerySource,
    Select,
    Star,
    TableSource,
    Union,
    children,
)

_SQL = {"INNER": "JOIN", "LEFT": "LEFT JOIN", "RIGHT": "RIGHT JOIN", "FULL": "FULL JOIN", "CROSS": "CROSS JOIN"}
_ONE_SIDED = {
    "LEFT SEMI": "SEMI JOIN",
    "RIGHT SEMI": "SEMI JOIN",
    "LEFT ONLY": "ANTI JOIN",
    "RIGHT ONLY": "ANTI JOIN",
}


@dataclass
class _JoinStep:
    """One join: what was written, its relation, and the SQL of its condition."""

    written: Join
    relation: Relation
    condition: str = ""


@dataclass
class FromClause:
    """The relations of a SELECT; `hidden` says of an alias why its columns cannot be used."""

    first: Relation | None
    steps: list[_JoinStep] = field(default_factory=list)
    hidden: dict[str, str] = field(default_factory=dict)
    # The names that are the same join key in several relations, by the relations' labels.
    same_keys: dict[str, set[str]] = field(default_factory=dict)

    @property
    def visible(self) -> tuple[Relation, ...]:
        """The relations whose columns the SELECT sees."""
        relations = [self.first] if self.first else []
        relations += [step.relation for step in self.steps]
        return tuple(relation for relation in relations if relation.label not in self.hidden)

    def sql(self, context: Context) -> str:
        """Return what stands after FROM, once everything has been bound."""
        assert self.first is not None
        joined = f"{self.first.sql()} AS {context.new_name()}"
        for step in self.steps:
            joined = _joined(joined, f"{step.relation.sql()} AS {context.new_name()}", step, context)
        return joined

    def star(self, node: Star) -> Iterator[Column]:
        """Give the columns of `*` or `alias.*`; a key that has one name on both sides is one column.

        Raises `QueryError` for a name that two relations have.
        """
        relations = [relation for relation in self.visible if node.table in (None, relation.label)]
        if not relations:
            RowScope(self.visible, self.hidden).column(ColumnName(node.place, "*", node.table))
        for relation in relations:
            for name in relation.names():
                value = relation.find(name)
                assert value is not None
                yield Column(name, self._coalesced(name, relation, value, node.place))

    def _coalesced(self, name: str, relation: Relation, value: Typed, place: Place) -> Typed:
        if relation.label not in self.same_keys.get(name, ()):
            return value
        sides = [other.find(name) for other in self.visible if other.label in self.same_keys[name]]
        values = together([side for side in sides if side is not None], place, f"the key {name}")
        if len(values) == 1:
            return values[0]
        return Typed(f"COALESCE({', '.join(one.sql for one in values)})", values[0].type, finite=value.finite)


def bind_from(select: Select, context: Context, bind_query: BindQuery) -> FromClause:
    """Bind what stands after FROM; raises `QueryError` for unknown tables and for conditions that YQL refuses."""
    if select.source is None:
        return FromClause(None)
    first = _bind_item(select.source, context, bind_query, bool(select.joins))
    clause = FromClause(first)
    if isinstance(first, TableRelation) and not select.joins and select.source.alias is None:
        first.label = None
    for written in select.joins:
        relation = _bind_item(written.source, context, bind_query, True)
        labels = [known.label for known in (first, *(step.relation for step in clause.steps))]
        if relation.label in labels:
            hint = "give one another name: AS"
            raise written.source.place.error(f"two tables are named {relation.label} here", hint)
        if written.using and len(select.joins) > 1:
            raise written.place.error("USING joins two tables only", "write ON for a join of more of them")
        step = _JoinStep(written, relation)
        step.condition = _condition(step, clause, context, bind_query)
        clause.steps.append(step)
        _hide(step, clause)
    return clause


def _hide(step: _JoinStep, clause: FromClause) -> None:
    kind = step.written.kind
    if kind in ("LEFT SEMI", "LEFT ONLY"):
        hidden = [step.relation]
    elif kind in ("RIGHT SEMI", "RIGHT ONLY"):
        hidden = [relation for relation in clause.visible if relation is not step.relation]
    else:
        return
    for relation in hidden:
        assert relation.label is not None
        clause.hidden[relation.label] = f"a {kind} JOIN gives the columns of the other side only"


def _bind_item(source: FromItem, context: Context, bind_query: BindQuery, joined: bool) -> Relation:
    if isinstance(source, NamedSource):
        definition = context.definition(source.name, source.place)
        value = definition.value
        if isinstance(value, Literal) and isinstance(value.value, str):
            path = table_path(value.value, source.place)
            return TableRelation(context.table(path, source.place), source.alias or path, context)
        if not isinstance(value, Select | Union):
            raise source.place.error(f"${source.name} is neither a query nor a table's path")
        columns, sql = bind_query(value, context.inside(definition))
    elif isinstance(source, TableSource):
        label = source.alias or source.path
        if joined and "." in label:
            raise source.place.error(f"a table in a join whose name has a dot: {label}", "give it a name with AS")
        return TableRelation(context.table(source.path, source.place), label, context)
    else:
        columns, sql = bind_query(source.query, context)
    if joined and source.alias is None:
        raise source.place.error("a query in a join needs a name", "write AS name after it")
    return QueryRelation(columns, sql, source.alias)


def _condition(step: _JoinStep, clause: FromClause, context: Context, bind_query: BindQuery) -> str:
    written = step.written
    scope = RowScope((*clause.visible, step.relation), clause.hidden, where="in the condition of a join")
    binder = ExpressionBinder(context, scope, bind_query)
    pairs: list[tuple[Place, Expression, Expression]] = []
    if written.using:
        place, left, right = written.place, clause.visible[-1].label, step.relation.label
        pairs = [(place, ColumnName(place, name, left), ColumnName(place, name, right)) for name in written.using]
    elif written.on is not None:
        pairs = list(_equalities(written.on))
    tests = []
    for place, one, other in pairs:
        _check_sides(place, one, other, step.relation)
        _note_same_key(one, other, clause)
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


def _check_sides(place: Place, one: Expression, other: Expression, right: Relation) -> None:
    sides = []
    for side in (one, other):
        tables = {column.table for column in _columns_in(side)}
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


def _note_same_key(one: Expression, other: Expression, clause: FromClause) -> None:
    if isinstance(one, ColumnName) and isinstance(other, ColumnName) and one.name == other.name:
        labels = {label for label in (one.table, other.table) if label is not None}
        clause.same_keys.setdefault(one.name, set()).update(labels)


def _columns_in(node: object) -> Iterator[ColumnName]:
    """Give the columns in an expression, as far as they are written in it."""
    if isinstance(node, ColumnName):
        yield node
    elif not isinstance(node, Select | Union | QuerySource | Item):
        for child in children(node):
            yield from _columns_in(child)


def _joined(left: str, right: str, step: _JoinStep, context: Context) -> str:
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
