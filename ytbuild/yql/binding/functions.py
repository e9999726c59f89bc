"""The functions of one row. Sources: YQL docs, "Basic built-in functions" and the pages of the UDFs named here."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from ytbuild.base.sql import text_sql
from ytbuild.yql.binding import types
from ytbuild.yql.binding.casts import cast
from ytbuild.yql.binding.typed_sql import NOTHING, Typed, converted, need, together
from ytbuild.yql.binding.types import Type
from ytbuild.yql.syntax.place import Place

Build = Callable[[list[Typed], Place], Typed]


@dataclass(frozen=True)
class Function:
    """A function: its name, what its documentation says of it, how many arguments it takes, and its SQL."""

    name: str
    signature: str
    least: int
    most: int
    build: Build


_MANY = 1000
# Longer than any text; DuckDB takes no more.
_LONGEST = 2**31 - 1
_LETTERS = "abcdefghijklmnopqrstuvwxyz"
_BLANK = r"[ \t\n\r\v\f]"


def _argument(value: Typed, kind: str, place: Place) -> Typed:
    """Return an argument as its parameter wants it; raises `QueryError` for another type."""
    if value.type == types.NULL:
        return converted(value, _PARAMETERS[kind][1])
    accepts, wanted = _PARAMETERS[kind]
    if not accepts(value.type):
        raise place.error(f"the argument must be {kind}, not {value.type}", "CAST it")
    if kind in ("Double", "Int64"):
        return converted(value, wanted)
    return value


_PARAMETERS: dict[str, tuple[Callable[[Type], bool], Type]] = {
    "String": (types.is_text, types.STRING),
    "Double": (types.is_number, types.DOUBLE),
    "Int64": (types.is_integer, types.INT64),
    "Date": (lambda kind: kind.name in types.DATES, types.TIMESTAMP),
    "Interval": (lambda kind: kind == types.INTERVAL, types.INTERVAL),
    "List": (lambda kind: kind.name == "List", Type("List", (types.STRING,))),
    "List<String>": (lambda kind: kind.name == "List" and types.is_text(kind.item), Type("List", (types.STRING,))),
}


def _plain(name: str, parameters: str, sql: str, result: Type) -> Function:
    """Return a function whose SQL is a template of its arguments' SQL."""
    kinds = parameters.split()

    def build(values: list[Typed], place: Place) -> Typed:
        ready = [_argument(value, kind, place).sql for value, kind in zip(values, kinds, strict=True)]
        return Typed(sql.format(*ready), result, finite=types.is_integer(result))

    return Function(name, f"({', '.join(kinds)}) -> {result}", len(kinds), len(kinds), build)


def _coalesce(values: list[Typed], place: Place) -> Typed:
    ready = together(values, place, "COALESCE")
    if ready[0].type == types.NULL:
        return NOTHING
    return Typed(
        f"COALESCE({', '.join(value.sql for value in ready)})", ready[0].type, finite=all(v.finite for v in ready)
    )


def _if(values: list[Typed], place: Place) -> Typed:
    condition = need(values[0], types.BOOL, place, "the condition of IF")
    then, otherwise = together([values[1], values[2] if len(values) > 2 else NOTHING], place, "IF")
    sql = f"CASE WHEN {condition.sql} THEN {then.sql} ELSE {otherwise.sql} END"
    return Typed(sql, then.type, finite=then.finite and otherwise.finite)


def _extreme(function: str) -> Build:
    """NULL among the arguments gives NULL; DuckDB's functions pass over it."""

    def build(values: list[Typed], place: Place) -> Typed:
        ready = together(values, place, function)
        if ready[0].type == types.NULL or not types.is_comparable(ready[0].type):
            raise place.error(f"values of the type {ready[0].type} cannot be compared")
        inside = ", ".join(value.sql for value in ready)
        missing = " OR ".join(f"{value.sql} IS NULL" for value in ready)
        sql = f"CASE WHEN {missing} THEN NULL ELSE {function}({inside}) END"
        return Typed(sql, ready[0].type, finite=all(value.finite for value in ready))

    return build


def _absolute(values: list[Typed], place: Place) -> Typed:
    (value,) = values
    if value.type == types.NULL or value.type.name in types.UNSIGNED:
        return value
    if not types.is_number(value.type) and value.type.name != "Decimal":
        raise place.error(f"ABS of {value.type}", "CAST it to a number")
    return Typed(f"abs({value.sql})", value.type, finite=value.finite)


def bytes_of(sql: str, start: str, length: str) -> str:
    """Return the SQL of a part of a text by bytes; fails where that cuts a character, which UTF-8 cannot hold."""
    ascii_only = f"substr({sql}, {start} + 1, {length})"
    whole = f"decode(encode({sql})[{start} + 1 : {start} + {length}])"
    return f"CASE WHEN strlen({sql}) = length({sql}) THEN {ascii_only} ELSE {whole} END"


def _substring(values: list[Typed], place: Place) -> Typed:
    text = _argument(values[0], "String", place)
    start, length = "0::BIGINT", f"{_LONGEST}::BIGINT"
    if values[1].type != types.NULL:
        start = f"COALESCE({_not_negative(values[1], place)}, 0)"
    if len(values) > 2 and values[2].type != types.NULL:
        length = f"COALESCE({_not_negative(values[2], place)}, {_LONGEST})"
    return Typed(bytes_of(text.sql, start, length), text.type)


def _not_negative(value: Typed, place: Place) -> str:
    if not types.is_integer(value.type):
        raise place.error(f"the argument must be an integer, not {value.type}", "CAST it")
    if isinstance(value.constant, int) and value.constant < 0:
        raise place.error(f"a negative position: {value.constant}", "positions count from 0")
    return f"CAST(CAST({value.sql} AS UBIGINT) AS BIGINT)"


def _split(values: list[Typed], place: Place) -> Typed:
    text = _argument(values[0], "String", place)
    if not isinstance(values[1].constant, str) or not values[1].constant:
        raise place.error("the separator must be a literal that is not empty")
    listed = Type("List", (types.STRING,))
    return Typed(f"COALESCE(string_split({text.sql}, {values[1].sql}), []::VARCHAR[])", listed)


def _round(values: list[Typed], place: Place) -> Typed:
    number = _argument(values[0], "Double", place).sql
    if len(values) == 1:
        return Typed(f"round({number})", types.DOUBLE)
    power = _argument(values[1], "Int64", place).sql
    return Typed(f"round({number}, CAST(-COALESCE({power}, 0) AS INTEGER))", types.DOUBLE)


def _list_length(values: list[Typed], place: Place) -> Typed:
    return Typed(f"CAST(len({_argument(values[0], 'List', place).sql}) AS UBIGINT)", types.UINT64)


def _list_sort(values: list[Typed], place: Place) -> Typed:
    listed = _argument(values[0], "List", place)
    return Typed(f"list_sort({listed.sql}, 'ASC', 'NULLS FIRST')", listed.type)


def _list_has(values: list[Typed], place: Place) -> Typed:
    listed = _argument(values[0], "List", place)
    (item, _) = together([values[1], Typed("", listed.type.item)], place, "ListHas")
    if item.type != listed.type.item:
        raise place.error(f"ListHas looks for {values[1].type} among {listed.type.item}", "CAST it")
    return Typed(f"list_contains({listed.sql}, {item.sql})", types.BOOL)


def _make(wanted: Type) -> Build:
    return lambda values, place: cast(_argument(values[0], "Date", place), wanted, place)


def _part(part: str) -> str:
    return f"CAST(date_part('{part}', make_timestamp(CAST({{0}} AS BIGINT))) AS UBIGINT)"


def _of_micros(name: str, sql: str, result: Type) -> Function:
    """Return a function of a date, whose SQL is a template of its microseconds."""

    def build(values: list[Typed], place: Place) -> Typed:
        return Typed(sql.format(converted(_argument(values[0], "Date", place), types.TIMESTAMP).sql), result)

    return Function(name, f"(Date) -> {result}", 1, 1, build)


def _guarded(name: str, sql: str, inside: str) -> Function:
    """Return a function of a Double that is NaN where `inside` does not hold; DuckDB fails there, or did once."""
    return _plain(name, "Double", f"CASE WHEN {inside} THEN {sql} ELSE 'nan'::DOUBLE + 0 * {{0}} END", types.DOUBLE)


def _logarithm(name: str, function: str) -> Function:
    minus = "WHEN {0} = 0 THEN '-inf'::DOUBLE"
    sql = f"CASE WHEN {{0}} > 0 THEN {function}({{0}}) {minus} ELSE 'nan'::DOUBLE + 0 * {{0}} END"
    return _plain(name, "Double", sql, types.DOUBLE)


def _remainder(sql: str) -> str:
    return f"CASE WHEN {{1}} = 0 THEN NULL WHEN {{1}} = -1 THEN {{0}} * 0 ELSE {sql} END"


def _strings() -> Sequence[Function]:
    upper = _LETTERS.upper()
    find = "CASE WHEN contains({0}, {1}) THEN CAST(strlen(substr({0}, 1, instr({0}, {1}) - 1)) AS UBIGINT) END"
    before_last = "regexp_extract({0}, '(?s)^(.*)' || regexp_escape({1}), 1)"
    rfind = f"CASE WHEN contains({{0}}, {{1}}) THEN CAST(strlen({before_last}) AS UBIGINT) END"
    # Of an empty list array_to_string makes NULL in some versions of DuckDB.
    join = "CASE WHEN {0} IS NOT NULL AND {1} IS NOT NULL THEN COALESCE(array_to_string({0}, {1}), '') END"
    strip = text_sql(rf"^{_BLANK}+|{_BLANK}+$")
    return (
        _plain("LENGTH", "String", "CAST(strlen({0}) AS UBIGINT)", types.UINT32),
        _plain("LEN", "String", "CAST(strlen({0}) AS UBIGINT)", types.UINT32),
        Function("SUBSTRING", "(String, Uint32?, Uint32?) -> String", 2, 3, _substring),
        _plain("FIND", "String String", find, types.UINT32),
        _plain("RFIND", "String String", rfind, types.UINT32),
        _plain("StartsWith", "String String", "starts_with({0}, {1})", types.BOOL),
        _plain("EndsWith", "String String", "suffix({0}, {1})", types.BOOL),
        _plain("String::AsciiToLower", "String", f"translate({{0}}, '{upper}', '{_LETTERS}')", types.STRING),
        _plain("String::AsciiToUpper", "String", f"translate({{0}}, '{_LETTERS}', '{upper}')", types.STRING),
        _plain("String::Contains", "String String", "COALESCE(contains({0}, {1}), false)", types.BOOL),
        _plain("String::StartsWith", "String String", "COALESCE(starts_with({0}, {1}), false)", types.BOOL),
        _plain("String::HasPrefix", "String String", "COALESCE(starts_with({0}, {1}), false)", types.BOOL),
        _plain("String::EndsWith", "String String", "COALESCE(suffix({0}, {1}), false)", types.BOOL),
        _plain("String::HasSuffix", "String String", "COALESCE(suffix({0}, {1}), false)", types.BOOL),
        _plain("String::Strip", "String", f"regexp_replace({{0}}, {strip}, '', 'g')", types.STRING),
        _plain("String::ReplaceAll", "String String String", "replace({0}, {1}, {2})", types.STRING),
        Function("String::SplitToList", "(String, String) -> List<String>", 2, 2, _split),
        _plain("String::JoinFromList", "List<String> String", join, types.STRING),
        _plain("Unicode::GetLength", "String", "CAST(length({0}) AS UBIGINT)", types.UINT64),
        _plain("Unicode::ToLower", "String", "lower({0})", types.UTF8),
        _plain("Unicode::ToUpper", "String", "upper({0})", types.UTF8),
        _plain("Unicode::ReplaceAll", "String String String", "replace({0}, {1}, {2})", types.UTF8),
    )  # fmt: skip


def _math() -> Sequence[Function]:
    same = ("Abs", "Ceil", "Floor", "Trunc", "Exp", "Atan", "Cbrt")
    return (
        Function("ABS", "(number) -> the same type", 1, 1, _absolute),
        *(_plain(f"Math::{name}", "Double", f"{name.lower()}({{0}})", types.DOUBLE) for name in same),
        _plain("Math::Fabs", "Double", "abs({0})", types.DOUBLE),
        *(_guarded(f"Math::{name}", f"{name.lower()}({{0}})", "isfinite({0})") for name in ("Sin", "Cos", "Tan")),
        *(_guarded(f"Math::{name}", f"{name.lower()}({{0}})", "abs({0}) <= 1") for name in ("Asin", "Acos")),
        _guarded("Math::Sqrt", "sqrt({0})", "{0} >= 0"),
        _logarithm("Math::Log", "ln"),
        _logarithm("Math::Log2", "log2"),
        _logarithm("Math::Log10", "log10"),
        _plain("Math::Pow", "Double Double", "pow({0}, {1})", types.DOUBLE),
        _plain("Math::Fmod", "Double Double", "fmod({0}, {1})", types.DOUBLE),
        _plain("Math::Atan2", "Double Double", "atan2({0}, {1})", types.DOUBLE),
        Function("Math::Round", "(Double, Int64?) -> Double", 1, 2, _round),
        _plain("Math::Rint", "Double", "round_even({0}, 0)", types.DOUBLE),
        _plain("Math::IsNaN", "Double", "isnan({0})", types.BOOL),
        _plain("Math::IsInf", "Double", "isinf({0})", types.BOOL),
        _plain("Math::IsFinite", "Double", "isfinite({0})", types.BOOL),
        _plain("Math::Mod", "Int64 Int64", _remainder("(({0} % {1}) + {1}) % {1}"), types.INT64),
        _plain("Math::Rem", "Int64 Int64", _remainder("{0} % {1}"), types.INT64),
        _plain("Math::Pi", "", "pi()", types.DOUBLE),
        _plain("Math::E", "", "exp(1.0::DOUBLE)", types.DOUBLE),
    )


def _dates() -> Sequence[Function]:
    parts = (
        ("GetYear", "year", types.UINT16), ("GetMonth", "month", types.UINT8), ("GetDayOfMonth", "day", types.UINT8),
        ("GetDayOfYear", "doy", types.UINT16), ("GetDayOfWeek", "isodow", types.UINT8),
        ("GetHour", "hour", types.UINT8), ("GetMinute", "minute", types.UINT8), ("GetSecond", "second", types.UINT8),
    )  # fmt: skip
    units = (("Days", 86_400_000_000), ("Hours", 3_600_000_000), ("Minutes", 60_000_000), ("Seconds", 1_000_000))
    return (
        *(_of_micros(f"DateTime::{name}", _part(part), result) for name, part, result in parts),
        _of_micros("DateTime::ToSeconds", "({0} // 1000000)", types.UINT32),
        _of_micros("DateTime::ToMilliseconds", "({0} // 1000)", types.UINT64),
        _of_micros("DateTime::ToMicroseconds", "{0}", types.UINT64),
        Function("DateTime::MakeDate", "(Date) -> Date", 1, 1, _make(types.DATE)),
        Function("DateTime::MakeDatetime", "(Date) -> Datetime", 1, 1, _make(types.DATETIME)),
        Function("DateTime::MakeTimestamp", "(Date) -> Timestamp", 1, 1, _make(types.TIMESTAMP)),
        *(_plain(f"DateTime::IntervalFrom{name}", "Int64", f"({{0}} * {of})", types.INTERVAL) for name, of in units),
        *(_plain(f"DateTime::To{name}", "Interval", f"({{0}} // {unit})", types.INT64) for name, unit in units[:-1]),
    )  # fmt: skip


def _general() -> Sequence[Function]:
    return (
        Function("COALESCE", "(values…) -> their common type", 1, _MANY, _coalesce),
        Function("NVL", "(values…) -> their common type", 1, _MANY, _coalesce),
        Function("IF", "(Bool, then, else?) -> the common type", 2, 3, _if),
        Function("MIN_OF", "(values…) -> their common type", 1, _MANY, _extreme("least")),
        Function("LEAST", "(values…) -> their common type", 1, _MANY, _extreme("least")),
        Function("MAX_OF", "(values…) -> their common type", 1, _MANY, _extreme("greatest")),
        Function("GREATEST", "(values…) -> their common type", 1, _MANY, _extreme("greatest")),
        Function("ListLength", "(List) -> Uint64", 1, 1, _list_length),
        Function("ListSort", "(List) -> the same type", 1, 1, _list_sort),
        Function("ListHas", "(List, item) -> Bool", 2, 2, _list_has),
    )


def key_of(name: str) -> str:
    """Return the key of a function in its table: built-in ones in any case, with or without underscores."""
    return name if "::" in name else name.lower().replace("_", "")


SCALARS = {key_of(function.name): function for function in (*_general(), *_strings(), *_math(), *_dates())}
