"""LIKE, ILIKE, REGEXP, RLIKE and MATCH. Source: YQL docs, "Expressions", "Matching a string by pattern"."""

from __future__ import annotations

from ytbuild.yql.binding import types
from ytbuild.yql.binding.typed_sql import Typed
from ytbuild.yql.syntax.tree import Match

_FUNCTIONS = {"REGEXP": "regexp_matches", "RLIKE": "regexp_matches", "MATCH": "regexp_full_match"}


def matched(node: Match, value: Typed, pattern: Typed, escape: Typed | None) -> Typed:
    """Return whether a text matches; raises `QueryError` for anything but texts, and for odd escapes."""
    for part, operand in ((value, node.operand), (pattern, node.pattern)):
        if part.type != types.NULL and not types.is_text(part.type):
            raise operand.place.error(f"{node.operator} matches texts, not {part.type}", "write CAST(… AS String)")
    if types.NULL in (value.type, pattern.type):
        return Typed("CAST(NULL AS BOOLEAN)", types.BOOL)
    if node.operator in _FUNCTIONS:
        if not isinstance(pattern.constant, str) or escape:
            raise node.pattern.place.error(f"the pattern of {node.operator} must be a literal, without ESCAPE")
        sql = f"{_FUNCTIONS[node.operator]}({value.sql}, {pattern.sql})"
    else:
        sql = f"{value.sql} {node.operator} {pattern.sql}{_escape(node, escape)}"
    return Typed(f"({'NOT ' * node.negated}({sql}))", types.BOOL)


def _escape(node: Match, escape: Typed | None) -> str:
    if escape is None:
        return ""
    if not isinstance(escape.constant, str) or len(escape.constant) != 1 or escape.constant in "%_\\":
        raise node.place.error("ESCAPE wants a literal of one character, none of % _ \\")
    return f" ESCAPE {escape.sql}"
