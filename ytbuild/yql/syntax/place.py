"""Places in the text of a query, which its errors name."""

from __future__ import annotations

from dataclasses import dataclass

from ytbuild.base.errors import QueryError


@dataclass(frozen=True)
class Place:
    """A line and a column of the query's text, both from 1."""

    line: int
    column: int

    def error(self, problem: str, hint: str = "") -> QueryError:
        """Return the error for something that stands here."""
        return QueryError(f"YQL, {self.line}:{self.column}: {problem}", hint)
