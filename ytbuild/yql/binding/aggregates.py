"""The aggregate functions. Source: YQL docs, "Aggregate functions"."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from ytbuild.yql.binding import types
from ytbuild.yql.binding.functions import key_of
from ytbuild.yql.binding.typed_sql import NOTHING, Typed, converted, need
from ytbuild.yql.binding.types import Type
from ytbuild.yql.syntax.place import Place

# Arguments, `DISTINCT ` or nothing, and the place; gives SQL with an aggregate function of DuckDB in it.
Build = Callable[[list[Typed], str, Place], Typed]


@dataclass(frozen=True)
class Aggregate:
    """An aggregate function: name, signature for the docs, number of arguments, and its SQL."""

    name: str
    signature: str
    least: int
    most: int
    build: Build
    distinct: bool = False


def count_rows() -> Typed:
    """Return `COUNT(*)`."""
    return Typed("CAST(count(*) AS UBIGINT)", types.UINT64)


def _count(values: list[Typed], distinct: str, place: Place) -> Typed:
    _check_distinct(values[0], distinct, place)
    return Typed(f"CAST(count({distinct}{values[0].sql}) AS UBIGINT)", types.UINT64)


def _check_distinct(value: Typed, distinct: str, place: Place) -> None:
    if distinct and not types.is_comparable(value.type):
        raise place.error(f"DISTINCT of {value.type}", "values of this type cannot be compared")


def _sum(values: list[Typed], distinct: str, place: Place) -> Typed:
    """DuckDB adds integers in 128 bits; YQL's result has 64, so that more is an error in dev."""
    (value,) = values
    if value.type == types.NULL:
        return NOTHING
    if value.type.name == "Decimal":
        wanted = Type("Decimal", (35, value.type.arguments[1]))
    elif value.type == types.INTERVAL or types.is_number(value.type):
        wanted = {**dict.fromkeys(types.SIGNED, types.INT64), **dict.fromkeys(types.UNSIGNED, types.UINT64)}.get(
            value.type.name, value.type
        )
    else:
        raise place.error(f"SUM of {value.type}", "CAST it to a number; COUNT_IF counts Bools")
    return Typed(f"CAST(sum({distinct}{value.sql}) AS {types.sql_type(wanted)})", wanted)


def _doubles(function: str, name: str) -> Build:
    def build(values: list[Typed], distinct: str, place: Place) -> Typed:
        (value,) = values
        if value.type == types.NULL:
            return NOTHING
        if not types.is_number(value.type):
            raise place.error(f"{name} of {value.type}", "CAST it to Double")
        exact = types.is_integer(value.type) and function == "avg"
        inside = value.sql if exact else f"CAST({value.sql} AS DOUBLE)"
        return Typed(f"CAST({function}({distinct}{inside}) AS DOUBLE)", types.DOUBLE)

    return build


def _extreme(function: str) -> Build:
    def build(values: list[Typed], distinct: str, place: Place) -> Typed:
        (value,) = values
        if value.type == types.NULL:
            return NOTHING
        if not types.is_comparable(value.type):
            raise place.error(f"{function.upper()} of {value.type}", "values of this type cannot be compared")
        return Typed(f"{function}({value.sql})", value.type, finite=value.finite)

    return build


def _some(values: list[Typed], distinct: str, place: Place) -> Typed:
    return Typed(f"any_value({values[0].sql})", values[0].type, finite=values[0].finite)


def _count_if(values: list[Typed], distinct: str, place: Place) -> Typed:
    condition = need(values[0], types.BOOL, place, "the argument of COUNT_IF")
    return Typed(f"CAST(count(*) FILTER (WHERE {condition.sql}) AS UBIGINT)", types.UINT64)


def _where(build: Build, name: str) -> Build:
    """Return an aggregate of the rows for which the second argument is true."""

    def conditional(values: list[Typed], distinct: str, place: Place) -> Typed:
        condition = need(values[1], types.BOOL, place, f"the condition of {name}")
        value = values[0]
        if value.type == types.NULL:
            return NOTHING
        chosen = Typed(f"CASE WHEN {condition.sql} THEN {value.sql} END", value.type)
        return build([chosen], distinct, place)

    return conditional


def _by(function: str) -> Build:
    def build(values: list[Typed], distinct: str, place: Place) -> Typed:
        value, order = values
        if not types.is_comparable(order.type):
            raise place.error(f"the order of {order.type}", "values of this type cannot be compared")
        if types.NULL in (value.type, order.type):
            return NOTHING
        return Typed(f"{function}({value.sql}, {order.sql})", value.type, finite=value.finite)

    return build


def _list(always_distinct: bool) -> Build:
    def build(values: list[Typed], distinct: str, place: Place) -> Typed:
        value = values[0]
        distinct = "DISTINCT " if always_distinct else distinct
        _check_distinct(value, distinct, place)
        item = types.STRING if value.type == types.NULL else value.type
        ready = converted(value, item)
        kind = Type("List", (item,))
        filled = f"list({distinct}{ready.sql}) FILTER (WHERE {ready.sql} IS NOT NULL)"
        sql = f"COALESCE({filled}, []::{types.sql_type(kind)})"
        if len(values) > 1:
            limit = values[1].constant
            if type(limit) is not int or limit < 0:
                raise place.error("the limit of a list must be a whole number")
            sql = f"{sql}[1:{limit}]" if limit else sql
        return Typed(sql, kind)

    return build


def _percentile(values: list[Typed], distinct: str, place: Place) -> Typed:
    fraction = values[1].constant if len(values) > 1 else 0.5
    if not isinstance(fraction, int | float) or not 0 <= fraction <= 1:
        raise place.error("the fraction of PERCENTILE must be a literal from 0 to 1")
    if values[0].type == types.NULL:
        return NOTHING
    if not types.is_number(values[0].type):
        raise place.error(f"PERCENTILE of {values[0].type}", "CAST it to Double")
    return Typed(f"quantile_cont(CAST({values[0].sql} AS DOUBLE), {float(fraction)!r})", types.DOUBLE)


def _bools(sql: str, name: str) -> Build:
    def build(values: list[Typed], distinct: str, place: Place) -> Typed:
        value = need(values[0], types.BOOL, place, f"the argument of {name}")
        return Typed(sql.format(value.sql), types.BOOL)

    return build


def _bits(function: str) -> Build:
    def build(values: list[Typed], distinct: str, place: Place) -> Typed:
        (value,) = values
        if value.type == types.NULL:
            return NOTHING
        if not types.is_integer(value.type):
            raise place.error(f"{function.upper()} of {value.type}", "CAST it to an integer")
        return Typed(f"{function}({value.sql})", value.type)

    return build


# Unlike other aggregates these do not pass over NULL: `true AND NULL` is NULL.
_UNLESS_NULL = "WHEN count(*) > count({0}) THEN NULL"
_BOOL_AND = f"CASE WHEN bool_or(NOT {{0}}) THEN false {_UNLESS_NULL} ELSE bool_and({{0}}) END"
_BOOL_OR = f"CASE WHEN bool_or({{0}}) THEN true {_UNLESS_NULL} ELSE bool_or({{0}}) END"
_BOOL_XOR = f"CASE {_UNLESS_NULL} WHEN count(*) = 0 THEN NULL ELSE count(*) FILTER (WHERE {{0}}) % 2 = 1 END"

_LIST = "(value, limit?) -> List, without NULLs"
_ALL = (
    Aggregate("COUNT", "(value) or (*) -> Uint64", 1, 1, _count, distinct=True),
    Aggregate("SUM", "(number) -> Int64, Uint64, Double, Decimal or Interval", 1, 1, _sum, distinct=True),
    Aggregate("AVG", "(number) -> Double", 1, 1, _doubles("avg", "AVG"), distinct=True),
    Aggregate("MIN", "(value) -> the same type", 1, 1, _extreme("min"), distinct=True),
    Aggregate("MAX", "(value) -> the same type", 1, 1, _extreme("max"), distinct=True),
    Aggregate("SOME", "(value) -> the same type", 1, 1, _some),
    Aggregate("COUNT_IF", "(Bool) -> Uint64", 1, 1, _count_if),
    Aggregate("SUM_IF", "(number, Bool) -> as SUM", 2, 2, _where(_sum, "SUM_IF")),
    Aggregate("AVG_IF", "(number, Bool) -> Double", 2, 2, _where(_doubles("avg", "AVG"), "AVG_IF")),
    Aggregate("MIN_BY", "(value, order) -> the value's type", 2, 2, _by("arg_min_null")),
    Aggregate("MAX_BY", "(value, order) -> the value's type", 2, 2, _by("arg_max_null")),
    Aggregate("AGGREGATE_LIST", _LIST, 1, 2, _list(False), distinct=True),
    Aggregate("AGG_LIST", _LIST, 1, 2, _list(False), distinct=True),
    Aggregate("AGGREGATE_LIST_DISTINCT", _LIST, 1, 2, _list(True)),
    Aggregate("AGG_LIST_DISTINCT", _LIST, 1, 2, _list(True)),
    Aggregate("MEDIAN", "(number) -> Double", 1, 1, _percentile),
    Aggregate("PERCENTILE", "(number, fraction) -> Double", 2, 2, _percentile),
    *(
        Aggregate(name, "(number) -> Double", 1, 1, _doubles(function, name))
        for function, names in (
            ("stddev_samp", ("STDDEV", "STDDEV_SAMPLE", "STDDEVSAMP")),
            ("stddev_pop", ("STDDEV_POPULATION", "STDDEVPOP")),
            ("var_samp", ("VARIANCE", "VARIANCE_SAMPLE", "VARSAMP")),
            ("var_pop", ("VARIANCE_POPULATION", "VARPOP")),
        )
        for name in names
    ),
    Aggregate("BOOL_AND", "(Bool) -> Bool", 1, 1, _bools(_BOOL_AND, "BOOL_AND")),
    Aggregate("BOOL_OR", "(Bool) -> Bool", 1, 1, _bools(_BOOL_OR, "BOOL_OR")),
    Aggregate("BOOL_XOR", "(Bool) -> Bool", 1, 1, _bools(_BOOL_XOR, "BOOL_XOR")),
    Aggregate("BIT_AND", "(integer) -> the same type", 1, 1, _bits("bit_and")),
    Aggregate("BIT_OR", "(integer) -> the same type", 1, 1, _bits("bit_or")),
    Aggregate("BIT_XOR", "(integer) -> the same type", 1, 1, _bits("bit_xor")),
)
AGGREGATES = {key_of(aggregate.name): aggregate for aggregate in _ALL}
