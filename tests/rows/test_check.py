"""The check of what a job writes: which lines are rows, at every edge of JSON, integers and lengths."""

from __future__ import annotations

from pathlib import Path

import pytest

from ytbuild.base.errors import TableError
from ytbuild.rows.check import BLOCK, RowChecker

pytestmark = pytest.mark.quick

LIMIT = 128 << 20


def checked(tmp_path: Path, data: bytes, limit: int = LIMIT) -> RowChecker:
    """Check a file with this content, as after the end of its job."""
    path = tmp_path / "out"
    path.write_bytes(data)
    checker = RowChecker(str(path), "stdout", limit)
    checker.check(final=False)
    checker.check(final=True)
    return checker


def complaint(tmp_path: Path, data: bytes, limit: int = LIMIT) -> str:
    """Return what is said of a file that has a bad line."""
    with pytest.raises(TableError) as caught:
        checked(tmp_path, data, limit)
    return str(caught.value)


@pytest.mark.parametrize(
    "line",
    [
        b"garbage", b"[1]", b"3", b'"text"', b"null", b"true", b"{", b"}", b"{]", b"{}x", b"{},", b"# {}", b"\0",
        b'{"a":NaN}', b'{"a":nan}', b'{"a":Infinity}', b'{"a":-Infinity}', b'{"a":[NaN]}',
        b'{"a":1,}', b"{'a':1}", b"{a:1}", b'{"a":01}', b'{"a":+1}', b'{"a":1.}', b'{"a":.5}', b'{"a":0x1}',
        b'{"a":tru}', b'{"a":-}', b'{"a"}', b'{"a":}', b'{"a":1}\0', b'{"a":1}\x0b', b'{"a":1}\xc2\xa0',
        b'{"a":"\x01"}', b'{"a":"tab\there"}', b'{"a":"\\x41"}', b'{"a":"\\u12"}', b'{"a":"not closed}',
        b'{"a":"\xff"}', b'{"\xff":1}', b'{"a":"\xc0\xaf"}', b'{"a":"\xed\xa0\x80"}', b'{"a":"\xf4\x90\x80\x80"}',
        b'\xef\xbb\xbf{"a":1}', b'{"a":"\\ud800"}', b'{"a":"\\udc00x"}', b'{"\\ud800":1}', b'{"a":"\\ud800\\ud800"}',
        b'{"a":1}{"b":2}', b'{"a":1} {"b":2}', b'{"a":1}\r{"b":2}', b'{"a":1}, {"b":2}',
        b"", b" ", b"\r", b"\t",
        b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}",
    ],
)  # fmt: skip
def test_what_is_no_row_is_named_with_its_line(tmp_path: Path, line: bytes) -> None:
    said = complaint(tmp_path, b'{"good":1}\n' + line + b'\n{"good":2}\n')
    assert "line 2" in said


@pytest.mark.parametrize(
    "line",
    [
        b"{}", b'{"a":1}', b'{ "a" : [ 1 , null ] }', b' {"a":1}\t', b'{"a":1}\r', b'{"":1}', b'{"a":-0}',
        b'{"a":1e5}', b'{"a":1E-5}', b'{"a":0.1}', b'{"a":"\\ud83d\\ude00"}', b'{"a":"\xf0\x9f\x98\x80"}',
        b'{"a":"\\u0000"}', b'{"a":"\xe2\x80\xa8\xc2\x85"}', b'{"a":"\\n\\"\\\\\\/"}', b'{"a":"{]"}', b'{"a":"\x7f"}',
        b'{"a":' + b"[" * 200 + b"]" * 200 + b"}",
    ],
)  # fmt: skip
def test_what_is_a_row_passes(tmp_path: Path, line: bytes) -> None:
    assert checked(tmp_path, line + b"\n").rows == 1


@pytest.mark.parametrize(
    "lines",
    [b'{"a":\n1}\n', b'{"a":\n1}{"b":2}\n', b'{"a":\n1}\n{"b":\n2}{"c":3}{"d":4}\n', b'{"a":1}{"b":\n2}\n'],
)
def test_a_row_over_two_lines_is_none(tmp_path: Path, lines: bytes) -> None:
    assert "line 1" in complaint(tmp_path, lines)


PLACES = [b'{"a":%s}', b'{"a":[1,[%s]]}', b'{"a":{"b":[{"c":%s}]}}', b'{"a":1,"b": %s ,"c":"x"}', b'{"a":[0,%s,2]}']


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [-(2**63) - 1, -(2**64), 2**64, 10**19 * 2, 10**30, -(10**30)])
def test_an_integer_out_of_range_is_refused_wherever_it_is(tmp_path: Path, place: bytes, number: int) -> None:
    said = complaint(tmp_path, b"{}\n" + place % b"%d" % number + b"\n")
    assert "line 2" in said and "int64" in said


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("number", [-(2**63), 2**63 - 1, 2**63, 2**64 - 1, 0, -1])
def test_an_integer_at_the_edge_is_taken_wherever_it_is(tmp_path: Path, place: bytes, number: int) -> None:
    assert checked(tmp_path, place % b"%d" % number + b"\n").rows == 1


@pytest.mark.parametrize(
    "line",
    [
        b'{"a":"18446744073709551616"}', b'{"18446744073709551616":1}', b'{"a":"\\"18446744073709551616"}',
        b'{"a":18446744073709551616.5}', b'{"a":18446744073709551616e1}', b'{"a":18446744073709551616E-3}',
        b'{"a":0.18446744073709551616}', b'{"a":-1.00000000000000000000000001}',
    ],
)  # fmt: skip
def test_many_digits_that_are_no_integer_pass(tmp_path: Path, line: bytes) -> None:
    assert checked(tmp_path, line + b"\n").rows == 1


def test_a_bad_integer_after_a_good_long_one_is_found(tmp_path: Path) -> None:
    assert "line 3" in complaint(tmp_path, b'{"a":%d}\n{"a":"%d"}\n{"a":%d}\n' % (2**64 - 1, 2**64, 2**64))


def test_a_last_row_without_an_end_is_told_of(tmp_path: Path) -> None:
    checker = checked(tmp_path, b'{"a":1}\n{"a":2}')
    assert checker.rows == 2 and checker.is_unfinished
    assert not checked(tmp_path, b'{"a":1}\n').is_unfinished


def test_a_cut_last_row_is_named(tmp_path: Path) -> None:
    assert "line 2" in complaint(tmp_path, b'{"a":1}\n{"a":')


def test_no_output_is_no_row(tmp_path: Path) -> None:
    assert checked(tmp_path, b"").rows == 0


@pytest.mark.parametrize("good", [100_000, 1, 150_001])
def test_the_number_of_a_bad_line_is_right_after_many_good_ones(tmp_path: Path, good: int) -> None:
    data = b"".join(b'{"n":%d}\n' % number for number in range(good))
    assert f"stdout: line {good + 1} is no row: 'bad'" in complaint(tmp_path, data + b"bad\n" + data)


@pytest.mark.parametrize("bad", [b"bad", b'{"n":18446744073709551616}', b'{"n":"\xff"}'])
def test_a_bad_line_is_found_wherever_the_block_ends(tmp_path: Path, bad: bytes) -> None:
    line = b'{"text":"' + b"x" * 89 + b'"}\n'
    before = BLOCK // len(line)
    for rest in range(len(bad) + 2):
        filler = b'{"text":"' + b"y" * (BLOCK - before * len(line) + len(line) - 12 - rest) + b'"}\n'
        said = complaint(tmp_path, line * (before - 1) + filler + bad + b"\n" + line)
        assert f"line {before + 1} is no row:" in said


def test_rows_are_counted_while_the_job_writes(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"")
    checker = RowChecker(str(path), "stdout", LIMIT)
    with open(path, "ab", buffering=0) as out:
        for piece in (b'{"a"', b":1}\n{", b"}", b"\n{}\n", b'{"a":"' + b"x" * (2 * BLOCK), b'"}\n', b"{}"):
            out.write(piece)
            checker.check(final=False)
    checker.check(final=True)
    assert checker.rows == 5


@pytest.mark.parametrize("length", [8, 9, 10])
def test_a_row_as_long_as_the_limit_passes(tmp_path: Path, length: int) -> None:
    assert checked(tmp_path, b'{"a":%s}\n{}\n' % (b"1" * (length - 7)), limit=10).rows == 2


@pytest.mark.parametrize("end", [b"\n{}\n", b"\n", b""])
@pytest.mark.parametrize("length", [12, 1000, BLOCK + 1, 3 * BLOCK])
def test_a_row_above_the_limit_is_refused_by_its_number(tmp_path: Path, length: int, end: bytes) -> None:
    row = b'{"a":"%s"}' % (b"x" * (length - 8))
    said = complaint(tmp_path, b"{}\n" + row + end, limit=10)
    assert "line 2" in said and "max_row_weight, 10 bytes" in said


def test_the_lines_before_a_long_row_are_checked_too(tmp_path: Path) -> None:
    assert "line 1" in complaint(tmp_path, b"bad\n{%s}\n" % (b" " * 20), limit=10)


def test_what_is_said_of_a_long_bad_line_is_short(tmp_path: Path) -> None:
    assert len(complaint(tmp_path, b"x" * 10_000_000 + b"\n")) < 400


def test_a_line_without_end_is_refused_before_it_is_all_read(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b'{"a":"' + b"x" * (2 * BLOCK))
    checker = RowChecker(str(path), "stdout", BLOCK)
    with pytest.raises(TableError, match="line 1"):
        checker.check(final=False)
