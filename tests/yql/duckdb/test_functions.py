"""CAST, literals, and the functions of one row."""

from __future__ import annotations

from typing import Any

import pytest

from tests.yql.conftest import Yql, same


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("CAST('12' AS Int64)", 12),
        ("CAST('-007' AS Int32?)", -7),
        ("CAST('1.5' AS Int64)", None),
        ("CAST(' 1' AS Int64)", None),
        ("CAST('1e3' AS Int64)", None),
        ("CAST('0x10' AS Int64)", None),
        ("CAST('1_000' AS Int64)", None),
        ("CAST('abc' AS Int64)", None),
        ("CAST('9223372036854775808' AS Int64)", None),
        ("CAST('18446744073709551615' AS Uint64)", 2**64 - 1),
        ("CAST('-1' AS Uint64)", None),
        ("CAST(300 AS Uint8)", None),
        ("CAST(-1 AS Uint64)", None),
        ("CAST(-129 AS Int8)", None),
        ("CAST(1.9 AS Int64)", 1),
        ("CAST(-1.9 AS Int64)", -1),
        ("CAST(1e30 AS Int64)", None),
        ("CAST(0.0 / 0.0 AS Int64)", None),
        ("CAST('1.5' AS Double)", 1.5),
        ("CAST('1e3' AS Double)", 1000.0),
        ("CAST('1,5' AS Double)", None),
        ("CAST(3 AS Double)", 3.0),
        ("CAST(0.1 AS Float)", 0.10000000149011612),
        ("CAST(1.0 AS String)", "1"),
        ("CAST(0.1 AS String)", "0.1"),
        ("CAST(1e20 AS String)", "100000000000000000000"),
        ("CAST(1e21 AS String)", "1e+21"),
        ("CAST(0.0000015 AS String)", "0.0000015"),
        ("CAST(-0.5 AS String)", "-0.5"),
        ("CAST(18446744073709551615ul AS String)", "18446744073709551615"),
        ("CAST(true AS String)", "true"),
        ("CAST('true' AS Bool)", True),
        ("CAST('False' AS Bool)", False),
        ("CAST('x' AS Bool)", None),
        ("CAST(2 AS Bool)", True),
        ("CAST(true AS Int32)", 1),
        ("CAST(NULL AS Int64)", None),
        ("CAST('2024-02-29' AS Date)", 19782),
        ("CAST('2023-02-29' AS Date)", None),
        ("CAST('1969-12-31' AS Date)", None),
        ("CAST('2024-2-1' AS Date)", None),
        ("CAST('2024-01-31T12:00:01Z' AS Datetime)", 1706702401),
        ("CAST('2024-01-31 12:00:01' AS Datetime)", None),
        ("CAST('2024-01-31T12:00:01.25Z' AS Timestamp)", 1706702401250000),
        ("CAST(Date('2024-01-31') AS String)", "2024-01-31"),
        ("CAST(Datetime('2024-01-31T12:00:01Z') AS String)", "2024-01-31T12:00:01Z"),
        ("CAST(Timestamp('2024-01-31T12:00:01Z') AS Date)", 19753),
        ("CAST(19753 AS Date)", 19753),
        ("CAST('1.5' AS Decimal(10,2))", "1.5"),
        ("CAST(3 AS Decimal(10,2))", "3"),
        ("CAST('D9C2F5B0-0000-0000-0000-00000000000A' AS Uuid)", "d9c2f5b0-0000-0000-0000-00000000000a"),
        ("CAST('d9c2' AS Uuid)", None),
        ("CAST([1, 2] AS List<Int64>)", [1, 2]),
    ],
)
def test_cast(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


def test_a_decimal_with_more_digits_than_its_scale_is_an_error(yql: Yql) -> None:
    assert "more than 2 digits after the point" in yql.fails("SELECT CAST('1.555' AS Decimal(10,2))").message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("1u", 1),
        ("0xffu", 255),
        ("0b101", 5),
        ("0o17", 15),
        ("1ut", 1),
        ("-9223372036854775808", -(2**63)),
        ("18446744073709551615", 2**64 - 1),
        ("1.", 1.0),
        ("1e3", 1000.0),
        ("2.0", 2.0),
        ("'tab\\there'", "tab\there"),
        ("'\\x41\\u00e9\\101'", "AéA"),
        ('"it\'s"', "it's"),
        ("'x'u", "x"),
        ("@@raw \\n -- 'text' /* @@", "raw \\n -- 'text' /* "),
        ("@@a@@@@b@@", "a@@b"),
        ("'-- no comment /* '", "-- no comment /* "),
        ("'a\x00b; DROP'", "a\x00b; DROP"),
        ("'two  spaces\n line'", "two  spaces\n line"),
        ("Decimal('1.005', 10, 2)", "1"),
        ("Decimal('1.015', 10, 2)", "1.02"),
        ("Decimal('12345678901234567890123456789012345', 35, 0)", "12345678901234567890123456789012345"),
        ("Interval('P1DT2H')", 93600000000),
        ("Date('2024-01-31') + Interval('P1D')", 19754),
        ("Date('1970-01-01') - Interval('P1D')", None),
        ("Date('2024-01-31') - Date('2024-01-30')", 86400000000),
    ],
)
def test_literals(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("LENGTH('añ')", 3),
        ("LEN('')", 0),
        ("SUBSTRING('abcdefg', 3, 1)", "d"),
        ("SUBSTRING('abcdefg', 3)", "defg"),
        ("SUBSTRING('abcdefg', NULL, 3)", "abc"),
        ("SUBSTRING('abc', 9)", ""),
        ("SUBSTRING('añb', 1, 2)", "ñ"),
        ("SUBSTRING(NULL, 1)", None),
        ("FIND('abcdefg_abcdefg', 'abc')", 0),
        ("FIND('añb', 'b')", 3),
        ("FIND('abc', 'x')", None),
        ("RFIND('abcdefg_abcdefg', 'bcd')", 9),
        ("RFIND('aaa', 'aa')", 1),
        ("StartsWith('abc_efg', 'abc')", True),
        ("EndsWith('abc_efg', 'abc')", False),
        ("StartsWith('abcd', NULL)", None),
        ("String::AsciiToUpper('añb')", "AñB"),
        ("String::AsciiToLower('AÑB')", "aÑb"),
        ("String::Contains('abc', 'bc')", True),
        ("String::Contains(NULL, 'bc')", False),
        ("String::Strip(' \t a b\\n')", "a b"),
        ("String::ReplaceAll('a.b.c', '.', '')", "abc"),
        ("String::SplitToList('a,b,,c', ',')", ["a", "b", "", "c"]),
        ("String::JoinFromList(String::SplitToList('a,b', ','), '; ')", "a; b"),
        ("String::JoinFromList(CAST(NULL AS List<String>), ';')", None),
        ("Unicode::GetLength('añ')", 2),
        ("Unicode::ToUpper('añ')", "AÑ"),
        ("Unicode::ToLower('AÑ')", "añ"),
    ],
)
def test_functions_of_texts(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)


def test_a_part_that_cuts_a_character_is_an_error(yql: Yql) -> None:
    assert "cut a text within a character" in yql.fails("SELECT SUBSTRING('añb', 0, 2)").message


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("ABS(-5)", 5),
        ("abs(-1.5)", 1.5),
        ("MIN_OF(3, 1, 2)", 1),
        ("LEAST(1, 2.5)", 1.0),
        ("MAX_OF('a', 'b')", "b"),
        ("GREATEST(1, NULL)", None),
        ("COALESCE(NULL, NULL, 1)", 1),
        ("NVL(1, 2)", 1),
        ("Math::Round(1.2345, -2)", 1.23),
        ("Math::Round(2.5)", 3.0),
        ("Math::Rint(2.5)", 2.0),
        ("Math::Floor(-1.5)", -2.0),
        ("Math::Ceil(1.2)", 2.0),
        ("Math::Sqrt(256)", 16.0),
        ("Math::IsNaN(Math::Sqrt(-1))", True),
        ("Math::IsInf(Math::Log(0))", True),
        ("Math::Log10(1000)", 3.0),
        ("Math::Pow(2, 10)", 1024.0),
        ("Math::Mod(-1, 7)", 6),
        ("Math::Rem(-1, 7)", -1),
        ("Math::Mod(1, 0)", None),
        ("ListLength([1, 2])", 2),
        ("ListSort([2, 1])", [1, 2]),
        ("ListHas(['a'], 'a')", True),
        ("DateTime::GetYear(Date('2024-01-31'))", 2024),
        ("DateTime::GetDayOfWeek(Date('2024-01-31'))", 3),
        ("DateTime::GetHour(Datetime('2024-01-31T12:00:01Z'))", 12),
        ("DateTime::ToSeconds(Date('2024-01-31'))", 1706659200),
        ("DateTime::MakeDate(Timestamp('2024-01-31T12:00:01Z'))", 19753),
        ("DateTime::ToDays(DateTime::IntervalFromDays(3))", 3),
        ("CurrentUtcDate() > Date('2024-01-31')", True),
    ],
)
def test_other_functions(yql: Yql, expression: str, expected: Any) -> None:
    assert same(yql.value(expression), expected)
