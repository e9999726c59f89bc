"""Functions of literals only: `Date("2020-01-01")` and the like. Source: YQL docs, "Basic built-in functions"."""

from __future__ import annotations

import datetime
import re
from collections.abc import Callable
from dataclasses import dataclass
from decimal import ROUND_HALF_EVEN, Decimal

from ytbuild.base.sql import text_sql
from ytbuild.yql.binding import types
from ytbuild.yql.binding.functions import key_of
from ytbuild.yql.binding.typed_sql import Typed, integer_sql
from ytbuild.yql.binding.types import Type
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import Call, Literal

_UUID = re.compile(r"[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATETIME = re.compile(r"(\d{4}-\d\d-\d\d)T(\d\d:\d\d:\d\d)(\.\d{1,6})?Z", re.ASCII)
_INTERVAL = re.compile(
    r"(-?)P(?=.)(?:(\d+)W)?(?:(\d+)D)?(?:T(?=.)(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)(?:\.(\d{1,6}))?S)?)?", re.ASCII
)
_UNITS = (604_800_000_000, 86_400_000_000, 3_600_000_000, 60_000_000, 1_000_000)
_EPOCH = datetime.datetime(1970, 1, 1)


@dataclass(frozen=True)
class Constructor:
    """A function of literals: its name, its signature for the docs, and what it makes of a text and numbers."""

    name: str
    signature: str
    numbers: int
    build: Callable[[str, list[int], Place], Typed]


def _micros(text: str) -> int | None:
    match = _DATETIME.fullmatch(text)
    if not match:
        return None
    try:
        moment = datetime.datetime.fromisoformat(f"{match[1]} {match[2]}")
    except ValueError:
        return None
    return (moment - _EPOCH) // datetime.timedelta(seconds=1) * 1_000_000 + int((match[3] or ".0")[1:].ljust(6, "0"))


def _bad(text: str, kind: str, example: str, place: Place) -> Exception:
    return place.error(f"{text!r} is no {kind} from 1970 to 2105", f'write such as {kind}("{example}")')


def _date(text: str, _: list[int], place: Place) -> Typed:
    micros = _micros(f"{text}T00:00:00Z") if _DATE.fullmatch(text) else None
    days = -1 if micros is None else micros // types.DATES["Date"]
    if not 0 <= days < types.DATE_ENDS["Date"]:
        raise _bad(text, "Date", "2024-01-31", place)
    return Typed(integer_sql(days, types.DATE), types.DATE)


def _datetime(text: str, _: list[int], place: Place) -> Typed:
    micros = _micros(text)
    if micros is None or micros % 1_000_000 or not 0 <= micros < types.DATE_ENDS["Timestamp"]:
        raise _bad(text, "Datetime", "2024-01-31T12:00:00Z", place)
    return Typed(integer_sql(micros // 1_000_000, types.DATETIME), types.DATETIME)


def _timestamp(text: str, _: list[int], place: Place) -> Typed:
    micros = _micros(text)
    if micros is None or not 0 <= micros < types.DATE_ENDS["Timestamp"]:
        raise _bad(text, "Timestamp", "2024-01-31T12:00:00.5Z", place)
    return Typed(integer_sql(micros, types.TIMESTAMP), types.TIMESTAMP)


def _interval(text: str, _: list[int], place: Place) -> Typed:
    match = _INTERVAL.fullmatch(text)
    if not match:
        raise place.error(f"{text!r} is no Interval", 'write such as Interval("P1DT2H30M")')
    micros = sum(int(count or 0) * unit for count, unit in zip(match.groups()[1:6], _UNITS, strict=True))
    micros += int((match[7] or "").ljust(6, "0") or 0)
    if micros >= types.DATE_ENDS["Timestamp"]:
        raise place.error(f"{text!r} is too long for an Interval", "the longest is 136 years")
    return Typed(integer_sql(-micros if match[1] else micros, types.INTERVAL), types.INTERVAL)


def _uuid(text: str, _: list[int], place: Place) -> Typed:
    if not _UUID.fullmatch(text):
        raise place.error(f"{text!r} is no UUID")
    return Typed(text_sql(text.lower()), types.UUID)


def _decimal(text: str, numbers: list[int], place: Place) -> Typed:
    precision, scale = numbers
    if not 1 <= precision <= 35 or not 0 <= scale <= precision:
        raise place.error("Decimal wants a precision of 1 to 35 and a scale up to it", 'write Decimal("1.5", 22, 9)')
    if not re.fullmatch(r"[+-]?\d+(\.\d*)?", text, re.ASCII) or len(text) > 100:
        raise place.error(f"{text!r} is no decimal number")
    digits = int(Decimal(text).scaleb(scale).quantize(Decimal(1), ROUND_HALF_EVEN)) if len(text) < 28 else None
    value = Decimal(text) if digits is None else Decimal(digits).scaleb(-scale)
    if abs(value) >= Decimal(10) ** (precision - scale):
        raise place.error(f"{text} does not fit Decimal({precision},{scale})")
    kind = Type("Decimal", (precision, scale))
    return Typed(f"CAST('{value:f}' AS {types.sql_type(kind)})", kind)


def _text(kind: Type) -> Callable[[str, list[int], Place], Typed]:
    return lambda text, _, __: Typed(f"({text_sql(text)})", kind, text)


_ALL = (
    Constructor("Date", '("2024-01-31") -> Date', 0, _date),
    Constructor("Datetime", '("2024-01-31T12:00:00Z") -> Datetime', 0, _datetime),
    Constructor("Timestamp", '("2024-01-31T12:00:00.5Z") -> Timestamp', 0, _timestamp),
    Constructor("Interval", '("P1DT2H30M") -> Interval', 0, _interval),
    Constructor("Uuid", '("d9c2f5b0-…") -> Uuid', 0, _uuid),
    Constructor("Decimal", '("1.5", 22, 9) -> Decimal(22,9)', 2, _decimal),
    Constructor("String", '("text") -> String', 0, _text(types.STRING)),
    Constructor("Utf8", '("text") -> Utf8', 0, _text(types.UTF8)),
)
CONSTRUCTORS = {key_of(constructor.name): constructor for constructor in _ALL}


def constructed(constructor: Constructor, call: Call) -> Typed:
    """Return the value that a call of literals makes; raises `QueryError` for anything but literals."""
    first, *others = call.arguments or (None,)
    numbers = [other.value for other in others if isinstance(other, Literal) and type(other.value) is int]
    if not isinstance(first, Literal) or not isinstance(first.value, str) or len(numbers) != len(others):
        raise call.place.error(f"{call.name} wants literals", f"a value takes CAST(… AS {constructor.name})")
    if len(numbers) != constructor.numbers:
        raise call.place.error(f"{call.name} takes {constructor.numbers + 1} arguments, not {len(call.arguments)}")
    return constructor.build(first.value, numbers, call.place)
