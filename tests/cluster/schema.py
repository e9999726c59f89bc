"""Table schemas: what a row may hold, and by which columns a table is sorted."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import Any

from yt import yson

from tests.cluster.errors import generic, schema_violation
from tests.cluster.values import plain, with_attributes

_INTEGERS = {f"{sign}int{bits}": (sign, bits) for sign in ("", "u") for bits in (8, 16, 32, 64)}
_CHECKS: dict[str, Any] = {
    "string": (str, bytes),
    "utf8": str,
    "json": str,
    "boolean": bool,
    "bool": bool,
    "double": float,
    "float": float,
    "null": type(None),
    "void": type(None),
}
_TIMES = {"date": 32, "datetime": 32, "timestamp": 64, "interval": 64}


@dataclass(frozen=True)
class Column:
    """One column."""

    name: str
    type: str
    required: bool
    sort_order: str | None
    optional: bool = True

    def description(self) -> dict[str, Any]:
        """The column as @schema shows it."""
        kind: Any = {"bool": "bool", "boolean": "bool", "any": "yson"}.get(self.type, self.type)
        shown: dict[str, Any] = {
            "name": self.name,
            "required": self.required,
            "type": "boolean" if self.type == "bool" else self.type,
        }
        shown["type_v3"] = kind if self.required else {"type_name": "optional", "item": kind}
        if self.sort_order:
            shown["sort_order"] = self.sort_order
        return shown


@dataclass(frozen=True)
class Schema:
    """A schema; without columns and not strict it allows everything (mode weak)."""

    columns: tuple[Column, ...] = ()
    strict: bool = False
    unique_keys: bool = False
    mode: str = "weak"

    @classmethod
    def parse(cls, value: Any) -> Schema:
        """From a list of columns, with strict and unique_keys as attributes or as `{"$value", "$attributes"}`."""
        attributes = plain(getattr(value, "attributes", {}) or {})
        if isinstance(value, dict) and "$value" in value:
            attributes, value = value.get("$attributes", {}), value["$value"]
        if not isinstance(value, (list, tuple)):
            raise generic("A schema must be a list of columns")
        columns = tuple(_column(plain(each)) for each in value)
        names = [column.name for column in columns]
        if len(set(names)) != len(names):
            raise generic("Duplicate column names in the schema")
        if any(later.sort_order and not earlier.sort_order for earlier, later in itertools.pairwise(columns)):
            raise generic("Key columns must form a prefix of the schema")
        return cls(
            columns, bool(attributes.get("strict", True)), bool(attributes.get("unique_keys", False)), "strong"
        )

    @property
    def sorted_by(self) -> list[tuple[str, bool]]:
        """The columns that rows are sorted by, and whether downwards."""
        return [(column.name, column.sort_order == "descending") for column in self.columns if column.sort_order]

    def sorted(self, columns: list[tuple[str, bool]]) -> Schema:
        """This schema with other sort columns: they come first."""
        old = {column.name: column for column in self.columns}
        first = [
            Column(
                name,
                old[name].type if name in old else "any",
                name in old and old[name].required,
                "descending" if down else "ascending",
            )
            for name, down in columns
        ]
        chosen = {name for name, _ in columns}
        rest = [Column(c.name, c.type, c.required, None) for c in self.columns if c.name not in chosen]
        return Schema((*first, *rest), self.strict, bool(columns) and self.unique_keys, self.mode)

    def attributes(self) -> dict[str, Any]:
        """The attributes of a table that follow from its schema."""
        flags = {"strict": self.strict, "unique_keys": self.unique_keys}
        shown: dict[str, Any] = {
            "schema": with_attributes([column.description() for column in self.columns], flags),
            "schema_mode": self.mode,
            "sorted": bool(self.sorted_by),
        }
        if self.sorted_by:
            names = [name for name, _ in self.sorted_by]
            shown |= {"sorted_by": names, "key_columns": names}
        return shown

    def check(self, row: dict[str, Any]) -> None:
        """ClusterError 307 for a row that does not fit; a weak schema allows everything."""
        if self.mode == "weak":
            return
        known = {column.name for column in self.columns}
        extra = [name for name in row if name not in known]
        if self.strict and extra:
            raise schema_violation(f'Unknown column "{extra[0]}" in a strict schema', column=extra[0])
        for column in self.columns:
            value = row.get(column.name)
            if value is None and column.required:
                raise schema_violation(
                    f'Required column "{column.name}" cannot have "null" value', column=column.name
                )
            if value is not None and not _fits(column.type, value):
                shown = type(value).__name__
                raise schema_violation(
                    f'Invalid type of column "{column.name}": expected "{column.type}", got {shown}',
                    column=column.name,
                )


def _column(value: Any) -> Column:
    if not isinstance(value, dict) or not isinstance(value.get("name"), str):
        raise generic("A column of a schema needs a name")
    order = value.get("sort_order")
    if "type_v3" in value:
        kind, required = _type_v3(value["type_v3"])
    else:
        kind, required = str(value.get("type", "any")), bool(value.get("required", False))
    if kind not in _CHECKS and kind not in _INTEGERS and kind not in _TIMES and kind != "any":
        raise generic(f'Error parsing ESimpleLogicalValueType value "{kind}"')
    return Column(value["name"], kind, required, order)


def _type_v3(value: Any) -> tuple[str, bool]:
    if isinstance(value, str):
        return {"yson": "any"}.get(value, value), value not in ("null", "void")
    if isinstance(value, dict) and value.get("type_name") == "optional":
        return _type_v3(value["item"])[0], False
    # Composite values are not looked into.
    return "any", True


def _fits(kind: str, value: Any) -> bool:
    if kind == "any":
        return True
    if kind in _TIMES:
        return isinstance(value, int) and not isinstance(value, bool)
    if kind in _INTEGERS:
        sign, bits = _INTEGERS[kind]
        if isinstance(value, bool) or not isinstance(value, int):
            return False
        if sign == "" and isinstance(value, yson.YsonUint64):
            return False
        low, high = (0, 2**bits) if sign else (-(2 ** (bits - 1)), 2 ** (bits - 1))
        return bool(low <= value < high)
    if kind in ("double", "float") and isinstance(value, int) and not isinstance(value, bool):
        return False
    return bool(isinstance(value, _CHECKS[kind]))
