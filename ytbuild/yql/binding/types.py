"""YQL's types as far as dev has them, and how DuckDB holds them.

All signed integers are BIGINT and all unsigned ones UBIGINT; dates are the integers that the cluster stores (days,
seconds, microseconds); Decimal is DECIMAL, Uuid and texts are VARCHAR, Yson is JSON text. Source: YQL docs, "Data
types".
"""

from __future__ import annotations

from dataclasses import dataclass

from ytbuild.base.errors import closest
from ytbuild.yql.syntax.tree import TypeName


@dataclass(frozen=True)
class Type:
    """A type: its name, and the types or numbers in its brackets."""

    name: str
    arguments: tuple[Type | int, ...] = ()

    def __str__(self) -> str:
        inside = ",".join(map(str, self.arguments))
        if not inside:
            return self.name
        return f"{self.name}({inside})" if self.name == "Decimal" else f"{self.name}<{inside}>"

    @property
    def item(self) -> Type:
        """The type of a list's items."""
        (inside,) = self.arguments
        assert isinstance(inside, Type)
        return inside


NULL = Type("Null")
BOOL = Type("Bool")
STRING = Type("String")
UTF8 = Type("Utf8")
DOUBLE = Type("Double")
FLOAT = Type("Float")
INT64 = Type("Int64")
UINT32 = Type("Uint32")
UINT64 = Type("Uint64")
UINT16 = Type("Uint16")
UINT8 = Type("Uint8")
YSON = Type("Yson")
UUID = Type("Uuid")
DATE = Type("Date")
DATETIME = Type("Datetime")
TIMESTAMP = Type("Timestamp")
INTERVAL = Type("Interval")

SIGNED = {"Int8": 8, "Int16": 16, "Int32": 32, "Int64": 64}
UNSIGNED = {"Uint8": 8, "Uint16": 16, "Uint32": 32, "Uint64": 64}
INTEGERS = SIGNED | UNSIGNED
# Microseconds in one unit of each.
DATES = {"Date": 86_400_000_000, "Datetime": 1_000_000, "Timestamp": 1}
# The first value after the last one, 2106-01-01.
DATE_ENDS = {"Date": 49_673, "Datetime": 4_291_747_200, "Timestamp": 4_291_747_200_000_000}

TYPES = {
    "Bool": "BOOLEAN", "Int8": "BIGINT", "Int16": "BIGINT", "Int32": "BIGINT", "Int64": "BIGINT", "Uint8": "UBIGINT",
    "Uint16": "UBIGINT", "Uint32": "UBIGINT", "Uint64": "UBIGINT", "Float": "DOUBLE", "Double": "DOUBLE",
    "Decimal": "DECIMAL", "String": "VARCHAR", "Utf8": "VARCHAR", "Uuid": "VARCHAR", "Yson": "VARCHAR", "Date":
    "UBIGINT", "Datetime": "UBIGINT", "Timestamp": "UBIGINT", "Interval": "BIGINT", "List": "LIST",
}  # fmt: skip
_SYNONYMS = {"Bytes": "String", "Text": "Utf8"}
_BY_LOWER = {name.lower(): name for name in TYPES} | {name.lower(): full for name, full in _SYNONYMS.items()}


def sql_type(kind: Type) -> str:
    """Return the name of the DuckDB type that holds a type."""
    if kind.name == "Decimal":
        return f"DECIMAL({kind.arguments[0]},{kind.arguments[1]})"
    if kind.name == "List":
        return f"{sql_type(kind.item)}[]"
    return TYPES.get(kind.name, "INTEGER")


def is_integer(kind: Type) -> bool:
    """Tell whether a type is one of the integers."""
    return kind.name in INTEGERS


def is_number(kind: Type) -> bool:
    """Tell whether a type is an integer or floating."""
    return is_integer(kind) or is_floating(kind)


def is_floating(kind: Type) -> bool:
    """Tell whether a type is Float or Double."""
    return kind in (FLOAT, DOUBLE)


def is_text(kind: Type) -> bool:
    """Tell whether a type is String or Utf8."""
    return kind in (STRING, UTF8)


def is_comparable(kind: Type) -> bool:
    """Tell whether values of a type can be compared and ordered."""
    return kind.name not in ("Yson", "List")


def number_type(left: Type, right: Type) -> Type:
    """Return the type of an operation on two numbers: the wider wins, of equal width the signed one.

    Source: YQL docs, "Primitive data types", "Implicit casting".
    """
    for floating in (DOUBLE, FLOAT):
        if floating in (left, right):
            return floating
    if INTEGERS[left.name] != INTEGERS[right.name]:
        return max(left, right, key=lambda kind: INTEGERS[kind.name])
    return left if left.name in SIGNED else right


def common_type(left: Type, right: Type) -> Type | None:
    """Return the type that holds values of both, None when there is none."""
    if left == right or right == NULL:
        return left
    if left == NULL:
        return right
    if is_number(left) and is_number(right):
        return number_type(left, right)
    if is_text(left) and is_text(right):
        return STRING
    if left.name in DATES and right.name in DATES:
        return min(left, right, key=lambda kind: DATES[kind.name])
    if left.name == right.name == "List":
        inside = common_type(left.item, right.item)
        return inside and Type("List", (inside,))
    return None


def resolved(written: TypeName) -> Type:
    """Return the type that a name stands for; raises `QueryError` for one that dev does not have."""
    name = _BY_LOWER.get(written.name.lower())
    if written.name.lower() == "optional" and written.arguments:
        (inside,) = written.arguments
        assert isinstance(inside, TypeName)
        return resolved(inside)
    if name is None:
        raise written.place.error(f"dev does not have the type {written.name}", closest(written.name, TYPES))
    if name == "Decimal":
        return _decimal(written)
    if name == "List":
        if not written.arguments:
            raise written.place.error("List without the type of its items", "write such as List<String>")
        (inside,) = written.arguments
        assert isinstance(inside, TypeName)
        return Type("List", (resolved(inside),))
    if written.arguments:
        raise written.place.error(f"{name} takes no arguments")
    return Type(name)


def _decimal(written: TypeName) -> Type:
    numbers = [number for number in written.arguments if isinstance(number, int)]
    if len(numbers) != 2 or not 1 <= numbers[0] <= 35 or not 0 <= numbers[1] <= numbers[0]:
        raise written.place.error(
            "Decimal wants a precision of 1 to 35 and a scale up to it", "write such as Decimal(22,9)"
        )
    return Type("Decimal", tuple(numbers))
