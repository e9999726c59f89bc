"""Operators: what YQL means by them, where DuckDB means something else."""

from __future__ import annotations

import random
from typing import Any

import pytest

from tests.yql.conftest import Yql, same

MIN, MAX, UMAX = -(2**63), 2**63 - 1, 2**64 - 1


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("7 / 2", 3),
        ("-7 / 2", -3),
        ("7 % -2", 1),
        ("-7 % 2", -1),
        ("7 / 0", None),
        ("7 % 0", None),
        (f"{MIN} / -1", None),
        (f"{MIN} % -1", None),
        ("7 / 2.0", 3.5),
        ("7.0 % 2", 1.0),
        ("1 / NULL", None),
        ("2 + 3 * 4 - 1", 13),
        ("7 - 2 - 1", 4),
        ("2147483647 + 1", 2147483648),
        ("5u - 3", 2),
        ("5u - 7l", -2),
        ("-1 + 5ul", 4),
        (f"{UMAX}ul / 2", 9223372036854775807),
        ("1.5f + 1", 2.5),
        ("0.1f", 0.10000000149011612),
        ("-(1 + 2)", -3),
        ("+5", 5),
    ],
)
def test_arithmetic(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


@pytest.mark.parametrize("expression", [f"{MAX} + 1", f"{MIN} - 1", "3u - 5u", f"{MAX} * 2l", f"0ul - {MIN}"])
def test_arithmetic_that_leaves_64_bits_is_an_error(yql: Yql, expression: str) -> None:
    assert yql.fails(f"SELECT {expression}").message == "YQL: a number left its type's 64 bits"


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 = 1.0", True),
        ("1 == 1", True),
        ("1 <> 2", True),
        ("-1 < 18446744073709551615ul", True),
        ("'a' < 'b'", True),
        ("'Z' < 'a'", True),
        ("'é' > 'z'", True),
        ("NULL = NULL", None),
        ("1 != NULL", None),
        ("true > false", True),
        ("0.0 / 0.0 = 0.0 / 0.0", False),
        ("0.0 / 0.0 != 1.0", True),
        ("0.0 / 0.0 > 1.0", False),
        ("1.0 < 0.0 / 0.0", False),
        ("Date('2024-01-01') < Datetime('2024-01-01T00:00:01Z')", True),
        ("Decimal('1.5', 5, 2) > 1", True),
        ("1 IS DISTINCT FROM NULL", True),
        ("NULL IS NOT DISTINCT FROM NULL", True),
        ("1 IS NULL", False),
        ("NULL IS NULL", True),
        ("1 NOT NULL", True),
        ("5 BETWEEN 1 AND 5", True),
        ("5 NOT BETWEEN 1 AND 4", True),
        ("NULL BETWEEN 1 AND 2", None),
    ],
)
def test_comparisons(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("true AND NULL", None),
        ("false AND NULL", False),
        ("true OR NULL", True),
        ("false OR NULL", None),
        ("true XOR true", False),
        ("true XOR NULL", None),
        ("NOT NULL", None),
        ("NOT true OR true", True),
        ("true OR false AND false", True),
    ],
)
def test_logic_has_three_values(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("NULL ?? 1 + 1", 2),
        ("NULL ?? NULL ?? 3", 3),
        ("1 ?? 2.5", 1.0),
        ("6u & 3", 2),
        ("6u | 1u", 7),
        ("6u ^ 3u", 5),
        ("~0ut", 255),
        ("1ul << 63", 2**63),
        ("3ul << 63", 2**63),
        ("1u << 32", 0),
        ("1ul << 64", 0),
        ("256u >> 4", 16),
        ("'a' || 'b' || 'c'", "abc"),
        ("'a' || NULL", None),
    ],
)
def test_other_operators(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1 IN (1, 2)", True),
        ("1 NOT IN (2, 3)", True),
        ("NULL IN (1)", None),
        ("1 IN (2, NULL)", False),
        ("1 NOT IN (2, NULL)", True),
        ("1 IN (1, NULL)", True),
        ("1 IN (1.0, 2)", True),
        ("'a' IN ('a', 'b',)", True),
        ("1 IN AsList(1, 2)", True),
        ("1 IN [1, 2]", True),
    ],
)
def test_in_a_list(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


def test_the_ansi_pragma_makes_null_in_a_list_unknown(yql: Yql) -> None:
    yql.gives(
        "PRAGMA AnsiInForEmptyOrNullableItemsCollections; SELECT 1 IN (2, NULL) AS a, 1 NOT IN (2, NULL) AS b",
        {"a": None, "b": None},
    )


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("'abc' LIKE 'a%'", True),
        ("'abc' LIKE 'a_'", False),
        ("'ABC' LIKE 'a%'", False),
        ("'ABC' ILIKE 'a%'", True),
        ("'abc' NOT LIKE '%d%'", True),
        ("'a%c' LIKE 'a!%c' ESCAPE '!'", True),
        ("'abc' LIKE 'a!%c' ESCAPE '!'", False),
        ("'a\\\\b' LIKE 'a\\\\_'", True),
        ("NULL LIKE 'a'", None),
        ("'abc' REGEXP 'b.'", True),
        ("'abc' RLIKE '^b'", False),
        ("'abc' MATCH 'b.'", False),
        ("'abc' MATCH 'a.c'", True),
    ],
)
def test_patterns(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CASE WHEN 1 > 2 THEN 'a' WHEN NULL THEN 'b' ELSE 'c' END", "c"),
        ("CASE 2 WHEN 1 THEN 'a' WHEN 2 THEN 'b' ELSE NULL END", "b"),
        ("CASE NULL WHEN 1 THEN 'a' ELSE 'b' END", "b"),
        ("CASE WHEN true THEN 1 ELSE 2.5 END", 1.0),
        ("IF(NULL, 1, 2)", 2),
        ("IF(false, 1)", None),
    ],
)
def test_conditions(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


def _quotient(left: int, right: int) -> int:
    """Divide as YQL does: towards zero."""
    whole = abs(left) // abs(right)
    return whole if (left < 0) == (right < 0) else -whole


def _tree(depth: int, chance: random.Random) -> tuple[str, int | None]:
    """Make an expression and its value by Python."""
    if depth == 0 or chance.random() < 0.1:
        number = chance.choice([None, 0, 1, -1, chance.randrange(-50, 50)])
        return ("NULL", None) if number is None else (f"({number})", number)
    sign = chance.choice("+-*/%?")
    (left, one), (right, other) = _tree(depth - 1, chance), _tree(depth - 1, chance)
    if sign == "?":
        return f"({left} ?? {right})", one if one is not None else other
    value: int | None = None
    if one is not None and other is not None and (sign not in "/%" or other != 0):
        value = {
            "+": one + other,
            "-": one - other,
            "*": one * other,
            "/": _quotient(one, other) if other else 0,
            "%": one - other * _quotient(one, other) if other else 0,
        }[sign]
    return f"({left} {sign} {right})", value


def test_random_arithmetic_is_what_python_says(yql: Yql) -> None:
    chance = random.Random(20240131)
    cases = [_tree(4, chance) for _ in range(300)]
    listed = ", ".join(f"{text} AS c{at}" for at, (text, _) in enumerate(cases))
    (row,) = yql.run(f"SELECT {listed}").rows
    assert [row[f"c{at}"] for at in range(len(cases))] == [value for _, value in cases]


def _truth(depth: int, chance: random.Random) -> tuple[str, bool | None]:
    """Make a condition and its value in three-valued logic."""
    if depth == 0:
        value = chance.choice([True, False, None])
        return {True: "true", False: "false", None: "n"}[value], value
    word = chance.choice(["AND", "OR", "XOR", "NOT"])
    left, one = _truth(depth - 1, chance)
    if word == "NOT":
        return f"(NOT ({left}))", None if one is None else not one
    right, other = _truth(depth - 1, chance)
    values = (one, other)
    if word == "AND":
        answer = False if False in values else None if None in values else True
    elif word == "OR":
        answer = True if True in values else None if None in values else False
    else:
        answer = None if None in values else one != other
    return f"({left} {word} {right})", answer


def test_random_logic_has_three_values(yql: Yql) -> None:
    chance = random.Random(7)
    yql.table("//t", {"n": None}, {"n": True})
    cases = [_truth(4, chance) for _ in range(300)]
    listed = ", ".join(f"{text} AS c{at}" for at, (text, _) in enumerate(cases))
    (row,) = yql.run(f"SELECT {listed} FROM `//t` WHERE n IS NULL").rows
    assert [row[f"c{at}"] for at in range(len(cases))] == [value for _, value in cases]
