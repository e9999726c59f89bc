"""The SELECT of a join.

Source: https://ydb.tech/docs/en/yql/reference/syntax/select/join and, for `*` and `SimpleColumns`,
https://ydb.tech/docs/en/yql/reference/syntax/pragma/global#simplecolumns. What decides the text:

- `SELECT *` gives a join column of one name in both tables once, as `a.key ?? b.key`, and fails when another name
  is in both. `a.*, b.*` does the same or fails, depending on a setting of the cluster, so `*` takes its place.
- A column without `a.` or `b.` is found where only one table has it. A join column is in both, so it is written out.
- `a.col` alone may be called `a.col` in the result, depending on a setting, so each column gets its name by AS.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from ytbuild.base.errors import closest
from ytbuild.yql import JoinTablesRequest
from ytbuild.yql.requests.fragments import Fields, quoted

_HOWS = ("inner", "left", "right", "full")
_SIDES = ("left", "right")
_NAME = r"[^\W\d]\w*"
_ENTRY = re.compile(rf"(?:(?P<side>[ab])\s*\.\s*)?(?P<column>{_NAME}|\*)(?:\s+(?i:AS)\s+(?P<name>{_NAME}))?")
_BOTH_WHOLE = {"a.*", "b.*"}


def select(request: JoinTablesRequest) -> str:
    """Return the SELECT of a join; raises `QueryError` for whatever is wrong with the request."""
    fields = Fields(request)
    how = _how(fields)
    pairs = _pairs(fields)
    shared = {left for left, right in pairs if left == right}
    return (
        f"SELECT {_Selection(fields, how, shared).text()}\n"
        f"FROM {fields.table('left_table')} AS a\n"
        f"{how.upper()} JOIN {fields.table('right_table')} AS b\n"
        f"{_condition(pairs)}"
    )


def _how(fields: Fields) -> str:
    how = fields.value("how")
    if not isinstance(how, str) or how.lower() not in _HOWS:
        hint = closest(str(how).lower(), _HOWS) or f"it is one of {', '.join(_HOWS)}"
        raise fields.error("how", f"is {how!r}", hint)
    return how.lower()


def _pairs(fields: Fields) -> list[tuple[str, str]]:
    """Return the columns of the join's condition, left and right."""
    on = fields.value("on")
    if isinstance(on, Mapping):
        on = _sides(fields, on)
    if isinstance(on, tuple):
        if len(on) != 2:
            hint = "a tuple is one pair (left, right); give several columns that both tables have as a list"
            raise fields.error("on", f"is {on!r}", hint)
        left, right = (fields.names("on", side) for side in on)
    else:
        left = right = fields.names("on", on)
    if len(left) != len(right):
        problem = f"has {len(left)} columns for the left table and {len(right)} for the right one"
        raise fields.error("on", problem, "give one column on the right for each on the left")
    if not left:
        raise fields.error("on", "is empty", "name at least one column")
    return list(zip(left, right, strict=True))


def _sides(fields: Fields, on: Mapping[Any, Any]) -> tuple[Any, ...]:
    for key in on:
        if key not in _SIDES:
            raise fields.error(
                "on", f"has the key {key!r}", closest(str(key), _SIDES) or "its keys are left and right"
            )
    for side in _SIDES:
        if side not in on:
            raise fields.error("on", f"has no {side!r}", "its keys are left and right")
    return tuple(on[side] for side in _SIDES)


def _condition(pairs: list[tuple[str, str]]) -> str:
    if all(left == right for left, right in pairs):
        return f"USING ({', '.join(quoted(left) for left, _ in pairs)})"
    return "ON " + " AND ".join(f"a.{quoted(left)} = b.{quoted(right)}" for left, right in pairs)


class _Selection:
    """The columns of a join's result; `shared` are the join columns of one name in both tables."""

    def __init__(self, fields: Fields, how: str, shared: set[str]) -> None:
        self._fields = fields
        self._how = how
        self._shared = shared

    def text(self) -> str:
        """Return what stands after SELECT."""
        if self._fields.value("select_columns") is None:
            return "*"
        entries = [
            self._fields.expression("select_columns", entry) for entry in self._fields.sequence("select_columns")
        ]
        matches = [_ENTRY.fullmatch(entry) for entry in entries]
        named = [match["name"] or match["column"] for match in matches if match and match["column"] != "*"]
        self._fields.check_distinct("select_columns", named)
        if set(entries) == _BOTH_WHOLE or entries == ["*"]:
            return "*"
        return ", ".join(
            entry if match is None else self._column(match) for entry, match in zip(entries, matches, strict=True)
        )

    def _column(self, entry: re.Match[str]) -> str:
        side, column, name = entry["side"], entry["column"], entry["name"]
        if column == "*":
            if side is None or name is not None:
                hint = "'*' stands alone and has no name; beside other columns write a.* or b.*"
                raise self._fields.error("select_columns", f"has {entry[0]!r}", hint)
            return f"{side}.*"
        if side is None:
            source = self._join_column(column) if column in self._shared else quoted(column)
        else:
            source = f"{side}.{quoted(column)}"
        return f"{source} AS {quoted(name or column)}"

    def _join_column(self, column: str) -> str:
        left, right = f"a.{quoted(column)}", f"b.{quoted(column)}"
        if self._how == "full":
            return f"COALESCE({left}, {right})"
        return right if self._how == "right" else left
