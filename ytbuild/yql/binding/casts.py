"""CAST: a value that does not fit becomes NULL. Source: YQL docs, "Primitive data types", "Explicit casting"."""

from __future__ import annotations

from ytbuild.base.sql import text_sql
from ytbuild.yql.binding import types
from ytbuild.yql.binding.typed_sql import Typed, converted
from ytbuild.yql.binding.types import Type
from ytbuild.yql.syntax.place import Place

_WHOLE = r"[+-]?[0-9]+"
_UNSIGNED_WHOLE = r"[+]?[0-9]+"
_FLOATING = r"[+-]?(([0-9]+[.]?[0-9]*|[.][0-9]+)([eE][+-]?[0-9]+)?|inf|nan)"
_UUID = r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}"
_DAY = r"[0-9]{4}-[0-9]{2}-[0-9]{2}"
_CLOCK = r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]"
_DATE_PATTERNS = {"Date": _DAY, "Datetime": _DAY + _CLOCK + "Z", "Timestamp": _DAY + _CLOCK + r"([.][0-9]{1,6})?Z"}
_DATE_FORMATS = {"Date": "%Y-%m-%d", "Datetime": "%Y-%m-%dT%H:%M:%SZ", "Timestamp": "%Y-%m-%dT%H:%M:%S.%fZ"}


def cast(value: Typed, wanted: Type, place: Place) -> Typed:
    """Return `CAST(value AS wanted)`; raises `QueryError` for two types between which there is no cast."""
    source = value.type
    if source == wanted or source == types.NULL:
        return converted(value, wanted)
    sql = _from_text(value.sql, wanted) if types.is_text(source) else None
    if sql is None and wanted == types.STRING:
        sql = _to_text(value)
    if sql is None and wanted == types.BOOL and types.is_number(source):
        sql = f"({value.sql} != 0)"
    if sql is None and types.is_integer(wanted):
        sql = _to_integer(value, wanted)
    if sql is None and types.is_floating(wanted) and (types.is_number(source) or source.name in ("Bool", "Decimal")):
        sql = _rounded(f"CAST({value.sql} AS DOUBLE)", wanted)
    if sql is None and wanted.name == "Decimal" and (types.is_integer(source) or source.name == "Decimal"):
        sql = _to_decimal(value, wanted)
    if sql is None and wanted.name in types.DATES:
        sql = _to_date(value, wanted)
    if sql is None and source.name == wanted.name == "List" and types.common_type(source, wanted) == wanted:
        sql = converted(value, wanted).sql
    if sql is None:
        raise place.error(f"dev cannot CAST {source} AS {wanted}", _hint(source))
    return Typed(sql, wanted, finite=types.is_integer(source))


def _hint(source: Type) -> str:
    if source == types.YSON:
        return "read lists, mappings and columns of mixed types in a map operation"
    return "cast to String or Int64 first" if source.name != "List" else ""


def _rounded(sql: str, wanted: Type) -> str:
    return f"{sql}::FLOAT::DOUBLE" if wanted == types.FLOAT else sql


def _when(sql: str, pattern: str, then: str) -> str:
    return f"CASE WHEN regexp_full_match({sql}, {text_sql(pattern)}) THEN {then} END"


def _within(sql: str, wanted: Type) -> str:
    """NULL for what does not fit a narrow integer; the wide ones fit by their DuckDB type."""
    width = types.INTEGERS[wanted.name]
    if width == 64:
        return sql
    low, high = (-(2 ** (width - 1)), 2 ** (width - 1) - 1) if wanted.name in types.SIGNED else (0, 2**width - 1)
    return f"CASE WHEN {sql} BETWEEN {low} AND {high} THEN {sql} END"


def _from_text(sql: str, wanted: Type) -> str | None:
    if types.is_text(wanted):
        return sql
    if types.is_integer(wanted):
        pattern = _WHOLE if wanted.name in types.SIGNED else _UNSIGNED_WHOLE
        return _when(sql, pattern, _within(f"TRY_CAST({sql} AS {types.sql_type(wanted)})", wanted))
    if types.is_floating(wanted):
        return _when(sql, _FLOATING, _rounded(f"TRY_CAST({sql} AS DOUBLE)", wanted))
    if wanted == types.BOOL:
        return f"CASE lower({sql}) WHEN 'true' THEN true WHEN 'false' THEN false END"
    if wanted == types.UUID:
        return _when(sql, _UUID, f"lower({sql})")
    if wanted.name == "Decimal":
        return _decimal_from_text(sql, wanted)
    if wanted.name in types.DATES:
        return _date_from_text(sql, wanted)
    return None


def _decimal_from_text(sql: str, wanted: Type) -> str:
    """YQL rounds half to even and DuckDB away from zero: more digits than the scale are an error in dev."""
    scale = wanted.arguments[1]
    fits = rf"[+-]?[0-9]+([.][0-9]{{0,{scale}}}0*)?"
    longer = r"[+-]?[0-9]+[.][0-9]+"
    problem = text_sql(f"YQL: a text has more than {scale} digits after the point, too many for {wanted} in dev")
    return (
        f"CASE WHEN regexp_full_match({sql}, {text_sql(fits)}) THEN TRY_CAST({sql} AS {types.sql_type(wanted)}) "
        f"WHEN regexp_full_match({sql}, {text_sql(longer)}) THEN error({problem}) END"
    )


def _date_from_text(sql: str, wanted: Type) -> str:
    if wanted == types.DATE:
        count = f"datediff('day', DATE '1970-01-01', TRY_CAST({sql} AS DATE))"
    else:
        micros = f"epoch_us(TRY_CAST(replace(replace({sql}, 'T', ' '), 'Z', '') AS TIMESTAMP))"
        count = f"({micros} // {types.DATES[wanted.name]})"
    return _when(sql, _DATE_PATTERNS[wanted.name], _in_range(count, wanted))


def _in_range(count: str, wanted: Type) -> str:
    end = types.DATE_ENDS[wanted.name]
    return f"CASE WHEN {count} >= 0 AND {count} < {end} THEN CAST({count} AS UBIGINT) END"


def _to_integer(value: Typed, wanted: Type) -> str | None:
    held = types.sql_type(wanted)
    source = value.type
    if types.is_integer(source) or source.name in types.DATES or source.name in ("Bool", "Interval"):
        return _within(f"TRY_CAST({value.sql} AS {held})", wanted)
    if types.is_floating(source) or source.name == "Decimal":
        # DuckDB rounds, YQL drops the fraction.
        return _within(f"TRY_CAST(trunc({value.sql}) AS {held})", wanted)
    return None


def _to_decimal(value: Typed, wanted: Type) -> str | None:
    if value.type.name == "Decimal" and value.type.arguments[1] > wanted.arguments[1]:  # type: ignore[operator]
        return None
    return f"TRY_CAST({value.sql} AS {types.sql_type(wanted)})"


def _to_date(value: Typed, wanted: Type) -> str | None:
    source = value.type
    if types.is_integer(source):
        return _in_range(value.sql, wanted)
    if source.name not in types.DATES:
        return None
    if types.DATES[source.name] >= types.DATES[wanted.name]:
        return converted(value, wanted).sql
    return f"({value.sql} // {types.DATES[wanted.name] // types.DATES[source.name]})"


def _to_text(value: Typed) -> str | None:
    sql, source = value.sql, value.type
    if types.is_floating(source):
        return f"yql_double_text({sql if source == types.DOUBLE else f'CAST({sql} AS FLOAT)'})"
    if source.name == "Decimal":
        return f"yql_decimal_text({sql})"
    if types.is_integer(source) or source.name in ("Bool", "Utf8", "Uuid", "Decimal"):
        return f"CAST({sql} AS VARCHAR)"
    if source == types.DATE:
        return f"strftime(DATE '1970-01-01' + CAST({sql} AS INTEGER), '{_DATE_FORMATS['Date']}')"
    if source.name in types.DATES:
        micros = f"CAST({sql} * {types.DATES[source.name]} AS BIGINT)"
        written = f"strftime(make_timestamp({micros}), '{_DATE_FORMATS[source.name]}')"
        return written if source == types.DATETIME else f"replace({written}, '.000000Z', 'Z')"
    return None


# What CAST to String needs more than one look at its value for, by name.
MACROS = {
    # Doubles as YQL prints them: the shortest digits, without an exponent from 1e-10 up to 1e21.
    "yql_double_text": """
    CREATE MACRO yql_double_text(x) AS (
      SELECT CASE
        WHEN NOT contains(s, 'e') THEN regexp_replace(s, '[.]0$', '')
        WHEN e >= 0 AND e < 21 THEN sign || rpad(digits, CAST(e + 1 AS INTEGER), '0')
        WHEN e < 0 AND e >= -10 THEN sign || '0.' || repeat('0', -e - 1) || digits
        ELSE regexp_replace(split_part(s, 'e', 1), '[.]0$', '') || CASE WHEN e < 0 THEN 'e-' ELSE 'e+' END || abs(e)
      END
      FROM (SELECT s, CASE WHEN starts_with(s, '-') THEN '-' ELSE '' END AS sign,
                   rtrim(regexp_replace(split_part(s, 'e', 1), '[-.]', '', 'g'), '0') AS digits,
                   TRY_CAST(nullif(split_part(s, 'e', 2), '') AS BIGINT) AS e
            FROM (SELECT CAST(x AS VARCHAR) AS s))
    )
    """,
    # Decimals without the zeros behind the last digit.
    "yql_decimal_text": """
    CREATE MACRO yql_decimal_text(x) AS
      CASE WHEN contains(CAST(x AS VARCHAR), '.') THEN rtrim(rtrim(CAST(x AS VARCHAR), '0'), '.')
      ELSE CAST(x AS VARCHAR) END
    """,
}
