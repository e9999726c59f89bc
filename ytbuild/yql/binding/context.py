"""What a binder knows besides the syntax tree: tables, names, settings, and a budget."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field, replace

from ytbuild.base.errors import closest
from ytbuild.yql.binding.pragmas import Settings
from ytbuild.yql.binding.schema import Table
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import Expression, Query

# A name that holds itself twice, forty times over, would fill the memory with SQL.
_MOST_NODES = 100_000


@dataclass(frozen=True)
class Definition:
    """What a `$name` stands for, and the names that were known where it was defined."""

    value: Expression | Query
    names: Mapping[str, Definition]


@dataclass(frozen=True)
class Context:
    """The surroundings of an expression or a query; `table` gives a table's columns by its path."""

    table: Callable[[str, Place], Table]
    names: Mapping[str, Definition] = field(default_factory=dict)
    settings: Settings = field(default_factory=Settings)
    now_micros: int = 0
    _numbers: Iterator[int] = field(default_factory=lambda: itertools.count(1))
    _nodes: Iterator[int] = field(default_factory=lambda: itertools.count(1))

    def new_name(self) -> str:
        """Return a name for a column in SQL that no other has."""
        return f"c{next(self._numbers)}"

    def count(self, place: Place) -> None:
        """Count one node; raises `QueryError` for a query that grew too large by its names."""
        if next(self._nodes) > _MOST_NODES:
            raise place.error(
                "the query is too large once its $names are replaced", "write results to a table in between"
            )

    def definition(self, name: str, place: Place) -> Definition:
        """Return what a name stands for; raises `QueryError` for an unknown one."""
        definition = self.names.get(name)
        if definition is None:
            raise place.error(f"${name} is not defined", closest(name, self.names) or f"write ${name} = …; before")
        return definition

    def inside(self, definition: Definition) -> Context:
        """Return the context of a definition's value."""
        return replace(self, names=definition.names)
