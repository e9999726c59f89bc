"""The syntax tree of a query: what was written, and where."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, fields
from typing import Any

from ytbuild.yql.syntax.place import Place


@dataclass(frozen=True)
class Node:
    """Anything that was written at a place."""

    place: Place


def children(node: object) -> Iterator[object]:
    """Give what a node, or a tuple of them, consists of; its place is no part of it."""
    if isinstance(node, tuple):
        yield from node
    elif isinstance(node, Node):
        yield from (getattr(node, part.name) for part in fields(node) if part.name != "place")


# Expressions.


@dataclass(frozen=True)
class Literal(Node):
    """A constant: `kind` is its type's name, `value` a Python value, None for NULL."""

    kind: str
    value: Any


@dataclass(frozen=True)
class ColumnName(Node):
    """A column, with the table's alias where one was written."""

    name: str
    table: str | None


@dataclass(frozen=True)
class NamedValue(Node):
    """`$name`."""

    name: str


@dataclass(frozen=True)
class Unary(Node):
    """`-x`, `+x`, `~x`, `NOT x`."""

    operator: str
    operand: Expression


@dataclass(frozen=True)
class Binary(Node):
    """An operator between two operands: arithmetic, bits, comparison, `??`."""

    operator: str
    left: Expression
    right: Expression


@dataclass(frozen=True)
class Chain(Node):
    """`AND`, `OR`, `XOR` or `||` between any number of operands; flat, because such chains get long."""

    operator: str
    operands: tuple[Expression, ...]


@dataclass(frozen=True)
class IsNull(Node):
    """`x IS [NOT] NULL`."""

    operand: Expression
    negated: bool


@dataclass(frozen=True)
class IsDistinct(Node):
    """`x IS [NOT] DISTINCT FROM y`."""

    left: Expression
    right: Expression
    negated: bool


@dataclass(frozen=True)
class Between(Node):
    """`x [NOT] BETWEEN low AND high`."""

    operand: Expression
    low: Expression
    high: Expression
    negated: bool


@dataclass(frozen=True)
class In(Node):
    """`x [NOT] IN …`: a list of expressions, a query or `$name`."""

    operand: Expression
    among: tuple[Expression, ...] | Query | NamedValue
    negated: bool


@dataclass(frozen=True)
class Match(Node):
    """`x [NOT] LIKE pattern`, and `ILIKE`, `REGEXP`, `RLIKE`, `MATCH`."""

    operator: str
    operand: Expression
    pattern: Expression
    escape: Expression | None
    negated: bool


@dataclass(frozen=True)
class Case(Node):
    """`CASE [x] WHEN … THEN … ELSE … END`."""

    operand: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression


@dataclass(frozen=True)
class TypeName(Node):
    """A type as written: its name, the types or numbers in brackets."""

    name: str
    arguments: tuple[TypeName | int, ...] = ()


@dataclass(frozen=True)
class Cast(Node):
    """`CAST(x AS type)`."""

    operand: Expression
    target: TypeName


@dataclass(frozen=True)
class Call(Node):
    """A function's call; `star` for `COUNT(*)`."""

    name: str
    arguments: tuple[Expression, ...]
    distinct: bool = False
    star: bool = False


@dataclass(frozen=True)
class ListItems(Node):
    """`[a, b]` and `AsList(a, b)`."""

    items: tuple[Expression, ...]


@dataclass(frozen=True)
class ScalarQuery(Node):
    """`(SELECT …)` where a value is expected."""

    query: Query


Expression = (
    Literal | ColumnName | NamedValue | Unary | Binary | Chain | IsNull | IsDistinct | Between | In | Match | Case
    | Cast | Call | ListItems | ScalarQuery
)  # fmt: skip

# Queries.


@dataclass(frozen=True)
class TableSource(Node):
    """A table's path in FROM."""

    path: str
    alias: str | None


@dataclass(frozen=True)
class NamedSource(Node):
    """`$name` in FROM: a query, or a text that is a table's path."""

    name: str
    alias: str | None


@dataclass(frozen=True)
class QuerySource(Node):
    """`(SELECT …)` in FROM."""

    query: Query
    alias: str | None


FromItem = TableSource | NamedSource | QuerySource


@dataclass(frozen=True)
class Join(Node):
    """One step of a join: `kind` is such as `INNER` or `LEFT SEMI`; `on` or `using`, none of them for CROSS."""

    kind: str
    source: FromItem
    on: Expression | None
    using: tuple[str, ...]


@dataclass(frozen=True)
class Star(Node):
    """`*` or `alias.*`."""

    table: str | None


@dataclass(frozen=True)
class Item(Node):
    """An expression of the select list or of GROUP BY, with its alias."""

    value: Expression
    alias: str | None


@dataclass(frozen=True)
class Order(Node):
    """One term of ORDER BY."""

    value: Expression
    descending: bool


@dataclass(frozen=True)
class Select(Node):
    """One SELECT; `source` is None without FROM."""

    distinct: bool
    items: tuple[Star | Item, ...]
    source: FromItem | None
    joins: tuple[Join, ...]
    where: Expression | None
    group_by: tuple[Item, ...]
    having: Expression | None
    order_by: tuple[Order, ...]
    limit: Expression | None
    offset: Expression | None


@dataclass(frozen=True)
class Union(Node):
    """`UNION ALL`, or `UNION` when `distinct`."""

    parts: tuple[Query, ...]
    distinct: bool


@dataclass(frozen=True)
class Values(Node):
    """`VALUES (…), (…)`."""

    rows: tuple[tuple[Expression, ...], ...]


Query = Select | Union

# Statements.


@dataclass(frozen=True)
class Pragma(Node):
    """`PRAGMA name = value`."""

    name: str


@dataclass(frozen=True)
class Use(Node):
    """`USE cluster`."""


@dataclass(frozen=True)
class Commit(Node):
    """`COMMIT`."""


@dataclass(frozen=True)
class Assign(Node):
    """`$name = …`."""

    name: str
    value: Expression | Query


@dataclass(frozen=True)
class Insert(Node):
    """`INSERT INTO table [WITH TRUNCATE] [(columns)] …`."""

    table: TableSource | NamedSource
    truncate: bool
    columns: tuple[str, ...]
    source: Query | Values


@dataclass(frozen=True)
class SelectStatement(Node):
    """A SELECT that writes no table."""

    query: Query


Statement = Pragma | Use | Commit | Assign | Insert | SelectStatement
