"""The decoder of rows: what it takes, and how it says what is no row."""

from __future__ import annotations

import io
import json
import os
from pathlib import Path

import pytest

from ytbuild.base.errors import TableError
from ytbuild.rows import cluster_json, decode
from ytbuild.rows.check import RowChecker
from ytbuild.rows.sorting import sort_files

BAD_LINES = {
    b"oops\n": "not JSON: Expecting value at character 1",
    b'{"a":1,}\n': "not JSON: ",
    b'{"a":"\x01"}\n': "not JSON: Invalid control character at character 7",
    b'{"a":"x\n': "not JSON: Invalid control character at character 8",
    b'{"a":"x': "not JSON: Unterminated string starting at character 6",
    b'{"a":1}{"b":2}\n': "not JSON: Extra data at character 8",
    b'\xef\xbb\xbf{"a":1}\n': "not JSON: ",
    b"{\0}\0\n": "not JSON: ",
    b"\n": "not JSON: Expecting value at character 2",
    b"[1]\n": "not a JSON object",
    b"null\n": "not a JSON object",
    b'{"a":NaN}\n': "not JSON: NaN is no finite number",
    b'{"a":-Infinity}\n': "not JSON: -Infinity is no finite number",
    b'{"a":1e999}\n': "not JSON: 1e999 is no finite number",
    b'{"a":"\xff"}\n': "not UTF-8 at byte 7",
    b'{"a":' + b"[" * 100_000 + b"]" * 100_000 + b"}\n": "nested too deeply",
}


@pytest.mark.parametrize("line", BAD_LINES)
def test_what_is_no_row_is_refused_with_its_reason(line: bytes) -> None:
    with pytest.raises(ValueError) as caught:
        decode.decoded(line)
    assert str(caught.value).startswith(BAD_LINES[line])


@pytest.mark.parametrize("line", [line for line in BAD_LINES if b"\xff" not in line])
def test_what_the_cluster_sends_is_held_to_the_same(line: bytes) -> None:
    with pytest.raises(ValueError, match=r"^(not|nested) "):
        cluster_json.decoded(line)


@pytest.mark.parametrize(
    "line",
    [
        b"{}", b'{"a":1}\r\n', b' {"a" : [1, null]}\t\n', b'{"a":18446744073709551615}', b'{"a":1.0,"b":1e5}',
        '{"имя":"é\u2028😀"}'.encode(), b'{"a":"\\ud83d\\ude00\\u0000"}', b'{"a":1,"a":2}',
    ],
)  # fmt: skip
def test_a_row_is_what_json_says(line: bytes) -> None:
    assert repr(decode.decoded(line)) == repr(json.loads(line))


def complaints(folder: Path, line: bytes) -> list[str]:
    """Return what each of those who read a file of rows says of it; its second line is no row."""
    path = str(folder / "rows.jsonl")
    Path(path).write_bytes(b'{"k":1}\n' + line.rstrip(b"\n") + b'\n{"k":2}\n')
    said = []
    for read in (
        lambda: list(decode.rows(io.BytesIO(Path(path).read_bytes()), path)),
        lambda: RowChecker(path, path, 1 << 20).check(final=True),
        lambda: sort_files([path], os.devnull, ("k",), str(folder)),
    ):
        with pytest.raises(TableError) as caught:
            read()
        said.append(f"{caught.value.message}; {caught.value.hint}")
    return said


@pytest.mark.parametrize(
    "line", [line for line in BAD_LINES if line.endswith(b"\n") and b"1e999" not in line and b"[[" not in line]
)
def test_all_who_read_rows_say_the_same_of_a_line_that_is_none(tmp_path: Path, line: bytes) -> None:
    said = complaints(tmp_path, line)
    excerpt = repr(line.decode("utf-8", "replace").rstrip("\n"))
    assert said[0].startswith(f"{tmp_path}/rows.jsonl: line 2 is no row: {excerpt} ({BAD_LINES[line]}")
    assert said == said[:1] * 3


def test_half_of_a_surrogate_pair_is_named_where_it_cannot_be(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b'{"k":"\\ud800"}\n')
    with pytest.raises(TableError, match=r"line 1 is no row: .* \(half of a surrogate pair is no text\)"):
        RowChecker(str(path), str(path), 1 << 20).check(final=True)
    with pytest.raises(TableError, match=r"line 1 is no row: .* \(half of a surrogate pair is no text\)"):
        sort_files([str(path)], os.devnull, ("k",), str(tmp_path))


def test_what_is_said_of_a_long_line_is_short() -> None:
    assert len(decode.no_row("//t", 1, b"x" * 10_000_000, "not JSON").message) < 200
