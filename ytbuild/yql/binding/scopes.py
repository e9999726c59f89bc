"""Which columns an expression sees, and where they come from."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from ytbuild.base.errors import QueryError, closest
from ytbuild.base.sql import pointer
from ytbuild.yql.binding import types
from ytbuild.yql.binding.context import Context
from ytbuild.yql.binding.schema import Table
from ytbuild.yql.binding.typed_sql import NOTHING, Typed
from ytbuild.yql.binding.types import Type
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import Call, ColumnName


@dataclass(frozen=True)
class Column:
    """A column of a relation: its YQL name, and its name and type in SQL."""

    name: str
    value: Typed


class Relation(Protocol):
    """Something in FROM."""

    label: str | None

    def names(self) -> list[str]:
        """Return the names of its columns."""

    def find(self, name: str) -> Typed | None:
        """Return a column, None when there is none of that name."""

    def sql(self) -> str:
        """Return what stands in FROM, once all columns have been asked for."""


class TableRelation:
    """A table; only the columns that were asked for are read."""

    def __init__(self, table: Table, label: str | None, context: Context) -> None:
        self.label = label
        self._table = table
        self._context = context
        self._asked: dict[str, Typed] = {}

    def names(self) -> list[str]:
        return list(self._table.columns)

    def find(self, name: str) -> Typed | None:
        if self._table.empty:
            return NOTHING
        kind = self._table.columns.get(name)
        if kind is None:
            return None
        if name not in self._asked:
            self._asked[name] = Typed(self._context.new_name(), kind, finite=True)
        return self._asked[name]

    def sql(self) -> str:
        table = self._table
        if table.empty:
            return f"(SELECT 1 AS {self._context.new_name()} WHERE false)"
        texts = [name for name in self._asked if table.columns[name] != types.YSON]
        nested = [name for name in self._asked if table.columns[name] == types.YSON]
        outer = [_read(f"texts[{at}]", self._asked[name]) for at, name in enumerate(texts, 1)]
        outer += [_read(f"nested[{at}]", self._asked[name]) for at, name in enumerate(nested, 1)]
        inner = [f"json_extract_string(json, [{', '.join(map(pointer, texts))}]) AS texts"] if texts else []
        inner += [f"json_extract(json, [{', '.join(map(pointer, nested))}]) AS nested"] if nested else []
        columns = ", ".join(outer or [f"1 AS {self._context.new_name()}"])
        return f"(SELECT {columns} FROM (SELECT {', '.join(inner or ['1 AS one'])} FROM {table.rows_sql}))"


def _read(sql: str, column: Typed) -> str:
    if column.type == types.YSON:
        # A null of JSON is a NULL; what is nested stays the text that it was.
        return f"nullif(CAST({sql} AS VARCHAR), 'null') AS {column.sql}"
    if column.type in (types.STRING, types.NULL):
        return f"{sql} AS {column.sql}"
    return f"CAST({sql} AS {types.sql_type(column.type)}) AS {column.sql}"


class QueryRelation:
    """A query in FROM."""

    def __init__(self, columns: Iterable[Column], sql: str, label: str | None) -> None:
        self.label = label
        self._columns = {column.name: column.value for column in columns}
        self._sql = sql

    def names(self) -> list[str]:
        return list(self._columns)

    def find(self, name: str) -> Typed | None:
        return self._columns.get(name)

    def sql(self) -> str:
        return f"({self._sql})"


class Scope(Protocol):
    """Gives the columns and aggregates that an expression may use."""

    def column(self, node: ColumnName) -> Typed:
        """Return a column; raises `QueryError` for one that is not there."""

    def aggregate(self, call: Call, value: Typed) -> Typed:
        """Return the column that will hold an aggregate's value; raises `QueryError` where there can be none."""

    def arguments(self) -> Scope:
        """Return the scope of an aggregate's arguments."""


@dataclass(frozen=True)
class NoScope:
    """No columns at all; `where` says to which part of a query that applies."""

    where: str

    def column(self, node: ColumnName) -> Typed:
        hint = "a text stands in quotes" if not node.table else ""
        raise node.place.error(f"there is no column {node.name} here: {self.where}", hint)

    def aggregate(self, call: Call, value: Typed) -> Typed:
        raise call.place.error(f"there is nothing to aggregate with {call.name} here: {self.where}")

    def arguments(self) -> Scope:
        return self


@dataclass(frozen=True)
class RowScope:
    """The columns of the relations; `keys` are names that GROUP BY gave, which come before columns."""

    relations: tuple[Relation, ...]
    hidden: dict[str, str] = field(default_factory=dict)
    keys: dict[str, Typed] = field(default_factory=dict)
    where: str = "outside of SELECT, HAVING and ORDER BY"

    def column(self, node: ColumnName) -> Typed:
        if node.table is not None:
            return self._of(node, node.table)
        if node.name in self.keys:
            return self.keys[node.name]
        values = [(relation, relation.find(node.name)) for relation in self.relations]
        holders = [(relation, value) for relation, value in values if value is not None]
        if len(holders) > 1:
            # A table without rows has every column; one that names it comes first.
            holders = [pair for pair in holders if node.name in pair[0].names()] or holders[:1]
        if not holders:
            raise self._unknown(node, [name for relation in self.relations for name in relation.names()])
        if len(holders) > 1:
            labels = " and ".join(relation.label or "" for relation, _ in holders)
            hint = f"write {holders[0][0].label}.{node.name}"
            raise node.place.error(f"the column {node.name} is in {labels}", hint)
        return holders[0][1]

    def _of(self, node: ColumnName, table: str) -> Typed:
        if table in self.hidden:
            raise node.place.error(f"{table}.{node.name}: {self.hidden[table]}")
        for relation in self.relations:
            if relation.label == table:
                value = relation.find(node.name)
                if value is None:
                    raise self._unknown(node, relation.names())
                return value
        labels = [relation.label for relation in self.relations if relation.label]
        hint = closest(table, labels) or (f"the names here are {', '.join(labels)}" if labels else "")
        raise node.place.error(f"there is no table {table} in this SELECT", hint or "give it that name with AS")

    def _unknown(self, node: ColumnName, known: list[str]) -> QueryError:
        written = f"{node.table}.{node.name}" if node.table else node.name
        columns = ", ".join(known[:20]) + (", …" if len(known) > 20 else "")
        hint = closest(node.name, known) or (f"the columns are {columns}" if known else "the rows have no columns")
        return node.place.error(f"unknown column {written}", hint)

    def aggregate(self, call: Call, value: Typed) -> Typed:
        raise call.place.error(f"the aggregate function {call.name} stands {self.where}")

    def arguments(self) -> Scope:
        return self


@dataclass(frozen=True)
class Key:
    """A key of GROUP BY: the name it can be used by, its value in the rows, and its column after grouping."""

    name: str | None
    row: Typed
    grouped: Typed


class GroupScope:
    """What SELECT, HAVING and ORDER BY see of groups: the keys, and aggregates, which are collected here."""

    def __init__(self, rows: RowScope, keys: list[Key], context: Context) -> None:
        self.keys = keys
        self.aggregates: list[tuple[str, str]] = []
        self._rows = rows
        self._context = context

    def column(self, node: ColumnName) -> Typed:
        for key in self.keys:
            if node.table is None and key.name == node.name:
                return key.grouped
        value = self._rows.column(node)
        for key in self.keys:
            if key.row.sql == value.sql and value.type != types.NULL:
                return key.grouped
        if value.type == types.NULL and value.sql == "NULL":
            return value
        raise node.place.error(
            f"the column {node.name} is neither a key of GROUP BY nor inside an aggregate function",
            "add it to GROUP BY, or write SOME(…); an expression in GROUP BY needs a name: AS",
        )

    def aggregate(self, call: Call, value: Typed) -> Typed:
        if value == NOTHING:
            return value
        name = next((name for name, sql in self.aggregates if sql == value.sql), "")
        if not name:
            name = self._context.new_name()
            self.aggregates.append((name, value.sql))
        return Typed(name, value.type, finite=value.finite)

    def arguments(self) -> Scope:
        return RowScope(self._rows.relations, self._rows.hidden, self._rows.keys, "inside another aggregate function")


@dataclass(frozen=True)
class OrderScope:
    """What ORDER BY sees: the columns of the result, then, unless there is none, what SELECT saw."""

    results: dict[str, Typed]
    behind: Scope | None

    def column(self, node: ColumnName) -> Typed:
        if node.table is None and node.name in self.results:
            return self.results[node.name]
        if self.behind is None:
            raise node.place.error(
                f"unknown column {node.name}: with DISTINCT, ORDER BY sees only what SELECT lists",
                closest(node.name, self.results),
            )
        return self.behind.column(node)

    def aggregate(self, call: Call, value: Typed) -> Typed:
        if self.behind is None:
            raise call.place.error(f"{call.name} in ORDER BY after SELECT DISTINCT")
        return self.behind.aggregate(call, value)

    def arguments(self) -> Scope:
        return self if self.behind is None else self.behind.arguments()


def item_type(place: Place, columns: tuple[Column, ...], what: str) -> Type:
    """Return the type of a query's only column; raises `QueryError` when it has none or several."""
    if len(columns) != 1:
        raise place.error(f"{what} must have one column, not {len(columns)}", "list that one column in its SELECT")
    return columns[0].value.type
