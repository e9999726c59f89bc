"""The paths of tables that a query names."""

from __future__ import annotations

from ytbuild.base.errors import CypressPathError
from ytbuild.config.cypress_path import node_path
from ytbuild.yql.syntax.place import Place


def table_path(path: str, place: Place) -> str:
    """Return a table's path; raises `QueryError` for a text that is none."""
    try:
        return node_path(path)
    except CypressPathError as error:
        raise place.error(error.message, "write a whole path in backticks: `//tmp/me/data`") from None
