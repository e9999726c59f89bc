"""YTsaurus's order of values."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest

from ytbuild.base.errors import TableError
from ytbuild.rows.order import sort_lines

pytestmark = pytest.mark.quick


def ordered(values: list[Any]) -> list[Any]:
    shuffled = random.Random(1).sample(values, len(values))
    lines = [json.dumps({"v": value}).encode() for value in shuffled]
    return [json.loads(line)["v"] for line in sort_lines(lines, ("v",))]


def test_types_come_before_values() -> None:
    expected = [None, -5, 7, 2**63, 2**64 - 1, -1.5, 0.5, False, True, "", "a"]
    assert ordered(expected) == expected


def test_integers_are_ordered_by_value_not_by_text() -> None:
    assert ordered([10, 9, 100, 2, -1, -10]) == [-10, -1, 2, 9, 10, 100]


def test_strings_are_ordered_by_their_bytes() -> None:
    assert ordered(["b", "é", "B", "\U0001f600", "\uffff"]) == ["B", "b", "é", "\uffff", "\U0001f600"]


def test_a_missing_column_counts_as_null() -> None:
    assert sort_lines([b'{"v":0}', b"{}"], ("v",)) == [b"{}", b'{"v":0}']


def test_equal_keys_keep_their_order() -> None:
    lines = [json.dumps({"v": 1, "n": number}).encode() for number in range(20)]
    assert sort_lines(lines, ("v",)) == lines


def test_a_row_with_a_line_separator_in_it_stays_one_row() -> None:
    line = json.dumps({"v": "a\u2028b\u0085c"}, ensure_ascii=False).encode()
    assert sort_lines([line], ("v",)) == [line]


def test_a_list_has_no_order() -> None:
    with pytest.raises(TableError, match="'v'"):
        sort_lines([b'{"v":[]}', b'{"v":[]}'], ("v",))
