"""Operators on typed values. Where DuckDB's operator means something else, the SQL says what YQL's means."""

from __future__ import annotations

from ytbuild.yql.binding import types
from ytbuild.yql.binding.typed_sql import NOTHING, Typed, converted, need
from ytbuild.yql.binding.types import Type
from ytbuild.yql.syntax.place import Place

_BITS = {"&": "{} & {}", "|": "{} | {}", "^": "xor({}, {})"}
_INT64_MIN = -(2**63)
_HUGE = Type("Hugeint")


def arithmetic(sign: str, left: Typed, right: Typed, place: Place) -> Typed:
    """Return `left sign right` for + - * / %; raises `QueryError` for operands that have no such operation."""
    if types.NULL in (left.type, right.type):
        return NOTHING
    if left.type.name in types.DATES or right.type.name in types.DATES or types.INTERVAL in (left.type, right.type):
        return _dates(sign, left, right, place)
    if left.type == right.type and left.type.name == "Decimal" and sign in "+-":
        return Typed(f"CAST({left.sql} {sign} {right.sql} AS {types.sql_type(left.type)})", left.type)
    if not types.is_number(left.type) or not types.is_number(right.type):
        raise place.error(f"{sign} between {left.type} and {right.type}", _arithmetic_hint(left.type, right.type))
    wanted = types.number_type(left.type, right.type)
    if types.is_floating(wanted):
        return _floating(sign, left, right, wanted)
    return _integers(sign, left, right, wanted)


def _arithmetic_hint(left: Type, right: Type) -> str:
    if types.is_text(left) and types.is_text(right):
        return "texts are joined with ||"
    if "Decimal" in (left.name, right.name):
        return "dev adds and subtracts Decimals of one type; CAST to Double for anything else"
    return "CAST one of them"


def _floating(sign: str, left: Typed, right: Typed, wanted: Type) -> Typed:
    one, other = converted(left, types.DOUBLE).sql, converted(right, types.DOUBLE).sql
    sql = f"fmod({one}, {other})" if sign == "%" else f"({one} {sign} {other})"
    return Typed(sql if wanted == types.DOUBLE else f"{sql}::FLOAT::DOUBLE", wanted)


def _integers(sign: str, left: Typed, right: Typed, wanted: Type) -> Typed:
    """Integers are exact in dev: where the cluster would wrap around, DuckDB's overflow becomes an error."""
    one, other = _in_one_type(left, right, [types.UINT64 if wanted.name in types.UNSIGNED else types.INT64])
    sql = f"({one.sql} {sign} {other.sql})" if sign in "+-*" else _divided("//" if sign == "/" else "%", one, other)
    return Typed(f"CAST({sql} AS {types.sql_type(wanted)})" if one.type == _HUGE else sql, wanted)


def _in_one_type(left: Typed, right: Typed, kinds: list[Type]) -> tuple[Typed, Typed]:
    """Return two integers in one DuckDB type: one of `kinds` if they are of it, else one that holds all of both."""
    for kind in kinds:
        one, other = _as_literal(left, kind), _as_literal(right, kind)
        if types.sql_type(one.type) == types.sql_type(other.type) == types.sql_type(kind):
            return Typed(one.sql, kind, one.constant), Typed(other.sql, kind, other.constant)
    return (
        Typed(f"CAST({left.sql} AS HUGEINT)", _HUGE, left.constant),
        Typed(f"CAST({right.sql} AS HUGEINT)", _HUGE, right.constant),
    )


def _as_literal(value: Typed, kind: Type) -> Typed:
    fits = isinstance(value.constant, int) and 0 <= value.constant < 2**63
    return converted(value, kind) if fits else value


def _divided(sign: str, left: Typed, right: Typed) -> str:
    """Division by zero is NULL, and so is the smallest integer by -1; DuckDB fails for both."""
    sql = f"({left.sql} {sign} {right.sql})"
    if right.constant not in (None, 0, -1):
        return sql
    wrong = f"{right.sql} = 0"
    if right.type == types.INT64:
        wrong += f" OR ({right.sql} = -1 AND {left.sql} = ({_INT64_MIN})::BIGINT)"
    return f"CASE WHEN {wrong} THEN NULL ELSE {sql} END"


def _dates(sign: str, left: Typed, right: Typed, place: Place) -> Typed:
    """A date less a date is an Interval; a date and an Interval give a date, NULL outside of 1970 to 2105."""
    if sign == "-" and left.type.name in types.DATES and right.type.name in types.DATES:
        return Typed(f"CAST({_micros(left)} - {_micros(right)} AS BIGINT)", types.INTERVAL)
    if sign in "+-" and left.type == right.type == types.INTERVAL:
        return Typed(f"({left.sql} {sign} {right.sql})", types.INTERVAL)
    if sign == "+" and left.type == types.INTERVAL:
        left, right = right, left
    if sign in "+-" and left.type.name in types.DATES and right.type == types.INTERVAL:
        unit = types.DATES[left.type.name]
        moved = f"({_micros(left)} {sign} {right.sql}) // {unit}"
        end = types.DATE_ENDS[left.type.name]
        return Typed(f"CAST(CASE WHEN {moved} >= 0 AND {moved} < {end} THEN {moved} END AS UBIGINT)", left.type)
    raise place.error(f"{sign} between {left.type} and {right.type}", "dev knows date - date and date ± Interval")


def _micros(value: Typed) -> str:
    return f"CAST({value.sql} * {types.DATES[value.type.name]} AS BIGINT)"


def compared(sign: str, left: Typed, right: Typed, place: Place) -> Typed:
    """Return `left sign right` for = != < <= > >=; raises `QueryError` for types that cannot be compared."""
    check_comparable(left.type, right.type, place)
    if types.NULL in (left.type, right.type):
        return Typed("CAST(NULL AS BOOLEAN)", types.BOOL)
    one, other = alike(left, right)
    sql = f"{one.sql} {sign} {other.sql}"
    if not (types.is_floating(one.type) or types.is_floating(other.type)) or (one.finite and other.finite):
        return Typed(f"({sql})", types.BOOL)
    # DuckDB takes NaN for the largest number, and equal to itself; in YQL it only differs from everything.
    doubtful = [value.sql for value in (one, other) if not value.finite]
    if sign == "!=":
        return Typed(f"({sql}{''.join(f' OR isnan({value})' for value in doubtful)})", types.BOOL)
    return Typed(f"({sql}{''.join(f' AND NOT isnan({value})' for value in doubtful)})", types.BOOL)


def alike(left: Typed, right: Typed) -> tuple[Typed, Typed]:
    """Return two comparable values in such types that DuckDB compares them as YQL does."""
    if types.NULL in (left.type, right.type):
        wanted = left.type if right.type == types.NULL else right.type
        return converted(left, wanted), converted(right, wanted)
    if types.is_integer(left.type) and types.is_integer(right.type):
        return _in_one_type(left, right, [types.INT64, types.UINT64])
    if {left.type.name, right.type.name} & {"Decimal"}:
        return left, right
    common = types.common_type(left.type, right.type)
    assert common is not None
    if types.is_floating(common):
        common = types.DOUBLE
    return converted(left, common), converted(right, common)


def check_comparable(left: Type, right: Type, place: Place) -> None:
    """Raise `QueryError` unless values of the types can be compared with each other."""
    for kind in (left, right):
        if not types.is_comparable(kind):
            raise place.error(
                f"values of the type {kind} cannot be compared",
                "dev takes a column for Yson when it holds lists, mappings or a mixture of types",
            )
    decimals = "Decimal" in (left.name, right.name)
    if decimals and all(kind.name == "Decimal" or types.is_integer(kind) for kind in (left, right)):
        return
    if types.common_type(left, right) is None:
        raise place.error(
            f"comparison of {left} with {right}", "CAST one of them: YQL compares values of like types only"
        )


def bits(sign: str, left: Typed, right: Typed, place: Place) -> Typed:
    """Return the bit operations & | ^, and shifts; raises `QueryError` for other types than unsigned integers."""
    one, other = (_unsigned(value, sign, place) for value in (left, right))
    if types.NULL in (one.type, other.type):
        return NOTHING
    wanted = one.type if other.constant is not None else types.number_type(one.type, other.type)
    if sign in _BITS:
        return Typed(
            f"({_BITS[sign].format(one.sql, other.sql)})", other.type if one.constant is not None else wanted
        )
    width = types.UNSIGNED[one.type.name]
    # In DuckDB a shift that loses bits fails; in YQL they are lost.
    if sign == "<<":
        kept = f"(CAST({one.sql} AS UHUGEINT) << CAST(least({other.sql}, 63) AS UHUGEINT)) & {2**width - 1}::UHUGEINT"
    else:
        kept = f"{one.sql} >> CAST(least({other.sql}, 63) AS UBIGINT)"
    return Typed(f"CASE WHEN {other.sql} >= {width} THEN 0::UBIGINT ELSE CAST({kept} AS UBIGINT) END", one.type)


def _unsigned(value: Typed, sign: str, place: Place) -> Typed:
    if value.type == types.NULL or value.type.name in types.UNSIGNED:
        return value
    if types.is_integer(value.type) and isinstance(value.constant, int) and value.constant >= 0:
        return converted(value, types.UINT64 if value.constant >= 2**32 else types.UINT32)
    raise place.error(f"{sign} of {value.type}", "bit operations want unsigned integers: CAST(x AS Uint64)")


def negated(value: Typed, place: Place) -> Typed:
    """Return `-value`; raises `QueryError` for what has no negative."""
    if value.type == types.NULL:
        return value
    if not (types.is_number(value.type) or value.type.name in ("Decimal", "Interval")):
        raise place.error(f"minus before {value.type}", "CAST it to a number")
    if value.type.name in types.UNSIGNED:
        raise place.error(f"minus before {value.type}", "CAST it to Int64")
    return Typed(f"(-{value.sql})", value.type, finite=value.finite)


def inverted(value: Typed, place: Place) -> Typed:
    """Return `~value`; raises `QueryError` for other types than unsigned integers."""
    if value.type.name not in types.UNSIGNED:
        raise place.error(f"~ before {value.type}", "bit operations want unsigned integers: CAST(x AS Uint64)")
    mask = 2 ** types.UNSIGNED[value.type.name] - 1
    return Typed(f"xor({value.sql}, {mask}::UBIGINT)", value.type)


def logic(operator: str, values: list[Typed], places: list[Place]) -> Typed:
    """Return `AND`, `OR` or `XOR` between Bools; raises `QueryError` for anything else."""
    checked = [
        need(value, types.BOOL, place, f"an operand of {operator}")
        for value, place in zip(values, places, strict=True)
    ]
    if operator == "XOR":
        sql = checked[0].sql
        for value in checked[1:]:
            sql = f"({sql} != {value.sql})"
        return Typed(sql, types.BOOL)
    return Typed(f"({f' {operator} '.join(value.sql for value in checked)})", types.BOOL)


def equal_keys(left: Typed, right: Typed, place: Place) -> str:
    """Return the equality of two keys of a join; raises `QueryError` for types that cannot be compared."""
    check_comparable(left.type, right.type, place)
    one, other = alike(left, right)
    return f"{one.sql} = {other.sql}"
