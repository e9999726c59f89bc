"""Cypress paths."""

from __future__ import annotations

_NOT_IN_A_NAME = set('[]{}<>#&*@"\\')


def path_problem(table: str) -> str:
    """Return what is wrong with a table's path in dev, an empty text when nothing is."""
    last = table.rsplit("/", 1)[-1]
    if _NOT_IN_A_NAME & set(table):
        return "has attributes or ranges, which dev does not have"
    if not table.startswith("//") or not last or last in (".", "..") or "\0" in table:
        return "is no table's path"
    return ""
