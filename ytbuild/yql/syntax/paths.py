"""The paths of tables that a query names."""

from __future__ import annotations

from ytbuild.config.cypress_path import path_problem
from ytbuild.yql.syntax.tree import Place


def table_path(path: str, place: Place) -> str:
    """Return a table's path; raises `QueryError` for a text that is none."""
    problem = path_problem(path)
    if problem:
        raise place.error(f"{path!r} {problem}", "write a whole path in backticks: `//tmp/me/data`")
    return path
