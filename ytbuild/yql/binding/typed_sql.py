"""A value's SQL together with its YQL type, and the conversions that need no CAST."""

from __future__ import annotations

from dataclasses import dataclass

from ytbuild.base.sql import text_sql
from ytbuild.yql.binding import types
from ytbuild.yql.binding.types import Type
from ytbuild.yql.syntax.place import Place


@dataclass(frozen=True)
class Typed:
    """A piece of SQL of a known type.

    `constant` is the value of a literal, which lets integers take another type without a cast. `finite` is true of
    what can be neither NaN nor infinite: DuckDB orders those unlike YQL does.
    """

    sql: str
    type: Type
    constant: int | float | str | bool | None = None
    finite: bool = False


NOTHING = Typed("NULL", types.NULL)


def integer_sql(value: int, kind: Type) -> str:
    """Return an integer as SQL."""
    return f"({value})::{types.sql_type(kind)}"


def literal(kind: str, value: int | float | str | bool | None) -> Typed:
    """Return a literal's value."""
    if value is None:
        return NOTHING
    wanted = Type(kind)
    if isinstance(value, bool):
        return Typed("true" if value else "false", wanted, value)
    if isinstance(value, int):
        return Typed(integer_sql(value, wanted), wanted, value)
    if isinstance(value, float):
        exact = f"'{value!r}'::DOUBLE"
        return Typed(f"{exact}::FLOAT::DOUBLE" if kind == "Float" else exact, wanted, value, finite=True)
    return Typed(f"({text_sql(value)})", wanted, value)


def converted(value: Typed, wanted: Type) -> Typed:
    """Return a value as a type that `common_type` gave for it."""
    if value.type == wanted:
        return value
    if value.type == types.NULL:
        return Typed(f"CAST(NULL AS {types.sql_type(wanted)})", wanted)
    if types.is_integer(wanted):
        return _integer(value, wanted)
    if types.is_floating(wanted):
        exact = f"CAST({value.sql} AS DOUBLE)"
        sql = exact if wanted == types.DOUBLE else f"{exact}::FLOAT::DOUBLE"
        return Typed(sql, wanted, None, value.finite or types.is_integer(value.type))
    if wanted.name in types.DATES:
        factor = types.DATES[value.type.name] // types.DATES[wanted.name]
        return Typed(f"({value.sql} * {factor})", wanted)
    if wanted.name == "List":
        return Typed(f"CAST({value.sql} AS {types.sql_type(wanted)})", wanted)
    return Typed(value.sql, wanted, value.constant)


def _integer(value: Typed, wanted: Type) -> Typed:
    if isinstance(value.constant, int) and (value.constant >= 0 or wanted.name in types.SIGNED):
        return Typed(integer_sql(value.constant, wanted), wanted, value.constant)
    if types.sql_type(value.type) == types.sql_type(wanted):
        return Typed(value.sql, wanted)
    # Fails for a value that the other signedness does not have; the cluster would take its bits.
    return Typed(f"CAST({value.sql} AS {types.sql_type(wanted)})", wanted)


def together(values: list[Typed], place: Place, what: str) -> list[Typed]:
    """Return values as their common type; raises `QueryError`, naming both types, when there is none."""
    wanted = values[0].type
    for value in values[1:]:
        common = types.common_type(wanted, value.type)
        if common is None:
            raise place.error(f"{what} has values of the types {wanted} and {value.type}", "CAST one of them")
        wanted = common
    return [converted(value, wanted) for value in values]


def need(value: Typed, wanted: Type, place: Place, what: str) -> Typed:
    """Return a value of this very type, NULL included; raises `QueryError` for any other."""
    if value.type == types.NULL:
        return converted(value, wanted)
    if value.type != wanted:
        raise place.error(f"{what} must be {wanted}, not {value.type}", _hint(wanted))
    return value


def _hint(wanted: Type) -> str:
    if wanted == types.BOOL:
        return "write a comparison, such as x != 0"
    return f"write CAST(… AS {wanted})"
