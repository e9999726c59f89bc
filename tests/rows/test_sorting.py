"""Sorting files of rows: in memory, by DuckDB and by runs give one order, and lose no row."""

from __future__ import annotations

import json
import os
import random
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from ytbuild.base.errors import TableError
from ytbuild.rows import order, sorting
from ytbuild.rows.sorting import sort_files

pytestmark = pytest.mark.quick

Sort = Callable[..., bytes]
WAYS = ("memory", "duckdb", "runs")

TYPES: dict[str, Callable[[random.Random], Any]] = {
    "int": lambda r: r.choice([0, -1, 1, 2, 9, 10, 100, -(2**63), 2**63 - 1, r.randrange(-50, 50)]),
    "uint": lambda r: r.choice([2**63, 2**64 - 1, 2**63 + r.randrange(9)]),
    "double": lambda r: r.choice([0.5, -0.5, 1e300, -1e300, 5e-324, 1e22, 2.5, r.uniform(-2, 2), -0.0, 0.0]),
    "bool": lambda r: r.random() < 0.5,
    "text": lambda r: "".join(
        r.choice('aAbÀя\u2028\u0085\0\n\t\\"/\x7f€\uffff😀 ,{}[]:0') for _ in range(r.randrange(4))
    ),
    "word": lambda r: r.choice(["", "null", "true", "1", "1.5", "a", "B", "b", "é", "z"]),
}


@pytest.fixture
def sort(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sort:
    """A function that sorts lines in one of the ways; False for one that it did not take."""

    def sort_in_one_way(
        way: str, data: bytes | list[bytes], columns: tuple[str, ...] = ("k",), sampled: int = 1000
    ) -> bytes:
        monkeypatch.setattr(sorting, "_SAMPLED", sampled)
        monkeypatch.setattr(sorting, "_IN_MEMORY", 1 << 30 if way == "memory" else -1)
        if way == "runs":
            monkeypatch.setattr(sorting, "_RUN", 300)
            monkeypatch.setattr(sorting, "_MERGED_AT_ONCE", 3)
            monkeypatch.setattr(sorting, "_sorted_by_duckdb", lambda *_: False)
        sources = []
        for number, part in enumerate([data] if isinstance(data, bytes) else data):
            sources.append(str(tmp_path / f"in.{number}"))
            Path(sources[-1]).write_bytes(part)
        folder = tmp_path / "folder"
        folder.mkdir(exist_ok=True)
        sort_files(sources, str(tmp_path / "out"), columns, str(folder))
        assert list(folder.iterdir()) == [], "temporary files were left"
        monkeypatch.undo()
        return (tmp_path / "out").read_bytes()

    return sort_in_one_way


def lines(rows: list[dict[str, Any]], ascii_only: bool = False) -> bytes:
    return b"".join(json.dumps(row, ensure_ascii=ascii_only).encode() + b"\n" for row in rows)


def keys(data: bytes, columns: tuple[str, ...]) -> list[Any]:
    return [order.row_key(line, columns) for line in data.split(b"\n")[:-1]]


def same_in_every_way(sort: Sort, data: bytes, columns: tuple[str, ...] = ("k",), sampled: int = 1000) -> None:
    """Every way must give the rows that were given, in the order of the keys."""
    for way in WAYS:
        in_order = sort(way, data, columns, sampled)
        assert Counter(in_order.split(b"\n")) == Counter(data.split(b"\n")), way
        assert keys(in_order, columns) == sorted(keys(data, columns)), way


@pytest.mark.parametrize("kind", TYPES)
@pytest.mark.parametrize("empty", [False, True])
def test_one_type(sort: Sort, kind: str, empty: bool) -> None:
    choose = random.Random(f"{kind} {empty}")
    rows = [{"k": TYPES[kind](choose), "n": number} for number in range(120)]
    for row in rows if empty else []:
        if choose.random() < 0.3:
            row["k"] = None
    same_in_every_way(sort, lines(rows))


@pytest.mark.parametrize("kind", ["int", "double", "bool", "text", "word"])
def test_duckdb_takes_a_column_of_one_type_and_nulls(sort: Sort, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    monkeypatch.setattr(sorting, "_sort_by_runs", lambda *_: pytest.fail("DuckDB did not take it"))
    choose = random.Random(kind)
    data = lines([{"k": value} for value in (None, *(TYPES[kind](choose) for _ in range(50)))])
    assert keys(sort("duckdb", data), ("k",)) == sorted(keys(data, ("k",)))


@pytest.mark.parametrize("seed", range(8))
def test_every_mixture_of_types(sort: Sort, seed: int) -> None:
    choose = random.Random(seed)
    columns = tuple(choose.sample(["k", "second", "third"], choose.randrange(1, 4)))
    chosen = [choose.sample(list(TYPES), choose.randrange(1, 3)) for _ in columns]
    rows: list[dict[str, Any]] = []
    for number in range(150):
        row: dict[str, Any] = {"n": number}
        for column, kinds in zip(columns, chosen, strict=True):
            if choose.random() < 0.9:
                row[column] = None if choose.random() < 0.1 else TYPES[choose.choice(kinds)](choose)
        rows.append(dict(choose.sample(list(row.items()), len(row))))
    # A sample of 5 rows misses what comes later, so that DuckDB meets values it did not expect.
    same_in_every_way(sort, lines(rows, ascii_only=bool(seed % 2)), columns, sampled=5)


@pytest.mark.parametrize(
    "column",
    ["it's", 'a"b', "a.b", "$", "$.a", "ключ", "a b", "", "K", "select", "a\\b", "a\nb", "a\0b", "[0]", "*", "😀"],
)
def test_odd_names_of_columns(sort: Sort, column: str) -> None:
    rows = [{"k": -number, column: number % 7, "a": {"b": number}} for number in range(40, 0, -1)]
    same_in_every_way(sort, lines(rows), (column,))
    same_in_every_way(sort, lines(rows, ascii_only=True), (column, "k"))


@pytest.mark.parametrize("columns", [("k",), ("K",), ("k", "K"), ("K", "k")])
def test_names_that_differ_in_case_are_different_columns(sort: Sort, columns: tuple[str, ...]) -> None:
    choose = random.Random(1)
    rows = [dict(choose.sample([("k", number % 5), ("K", -number)], 2)) for number in range(50)]
    same_in_every_way(sort, lines([*rows, {"K": 1}, {"k": 1}]), columns, sampled=20)


@pytest.mark.parametrize(
    "line",
    [
        b'{"k":1.0}', b'{"k":1E0}', b'{"k":1e2}', b'{"k":-0}', b'{"k":"1"}', b'{"k":true}', b'{"k":null}', b"{}",
        b'{"k":18446744073709551615}', b'{"\\u006b":0}', b' { "k" : 3 } ',
        b'{"K":0,"k":9}', b'{"K":0}', b'{"z":{"k":0},"k":5}', b'{"k":4,"z":"\\"k\\":0"}',
        b'{"k":4,"z":"\\ud83d\\ude00"}',
        b'{"k":4,"z":"\x7f\xe2\x80\xa8\xc2\x85"}', b'{"k":4,"z":"\'\'; DROP"}',
    ],
)  # fmt: skip
def test_one_unexpected_row_among_integers(sort: Sort, line: bytes) -> None:
    before = lines([{"k": number} for number in (5, 4, 7)])
    same_in_every_way(sort, before + line + b"\n" + before, sampled=2)


@pytest.mark.parametrize(
    "value", ['"a\\u0000b"', '"a\\u0000a"', '"\\u00e9"', '"\\ud83d\\ude00"', '"a\\/b"', '"\\\\"', '"\\""']
)
def test_escapes_in_texts_are_compared_as_what_they_mean(sort: Sort, value: str) -> None:
    rows = lines([{"k": text} for text in ("b", "a", "a/c", "a\0", "é", "\uffff", "\\a", '"b')])
    same_in_every_way(sort, rows + f'{{"k":{value}}}\n'.encode() + rows)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("value", ["[]", "{}", "[1]", '{"a":1}'])
def test_a_value_without_an_order_is_an_error(sort: Sort, way: str, value: str) -> None:
    before = lines([{"k": 5}, {"k": 4}, {"k": 7}])
    with pytest.raises(TableError, match="'k'"):
        sort(way, before + f'{{"k":{value}}}\n'.encode(), sampled=2)


@pytest.mark.parametrize("way", WAYS)
def test_a_half_of_a_character_in_a_key_is_an_error_of_the_table(sort: Sort, way: str) -> None:
    with pytest.raises(TableError):
        sort(way, b'{"k":"a"}\n{"k":"\\ud800"}\n', sampled=1)


@pytest.mark.parametrize("way", ["memory", "runs"])
def test_equal_keys_keep_their_order_without_duckdb(sort: Sort, way: str) -> None:
    in_order = sort(way, lines([{"k": number % 2, "n": number} for number in range(60)]))
    numbers = [json.loads(line)["n"] for line in in_order.splitlines()]
    assert numbers == [*range(0, 60, 2), *range(1, 60, 2)]


@pytest.mark.parametrize("way", WAYS)
def test_several_files_and_missing_line_ends(sort: Sort, way: str) -> None:
    assert sort(way, [b'{"k":3}\n{"k":1}', b"", b'{"k":2}\n', b'{"k":0}']) == b'{"k":0}\n{"k":1}\n{"k":2}\n{"k":3}\n'


@pytest.mark.parametrize("way", WAYS)
def test_no_rows(sort: Sort, way: str) -> None:
    assert sort(way, b"") == b""
    assert sort(way, []) == b""


@pytest.mark.parametrize("way", WAYS)
def test_a_column_named_twice_counts_once(sort: Sort, way: str) -> None:
    assert sort(way, b'{"k":2}\n{"k":1}\n', ("k", "k")) == b'{"k":1}\n{"k":2}\n'


@pytest.mark.parametrize("way", WAYS)
def test_lines_of_three_megabytes(sort: Sort, way: str) -> None:
    rows = [{"k": number % 4, "text": str(number) * 3_000_000} for number in range(6)]
    in_order = sort(way, lines([*rows, {"k": 2, "text": "short"}]))
    assert [json.loads(line)["k"] for line in in_order.splitlines()] == [0, 0, 1, 1, 2, 2, 3]
    assert len(in_order) == len(lines(rows)) + len(lines([{"k": 2, "text": "short"}]))


def test_a_folder_with_an_odd_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_IN_MEMORY", -1)
    folder = tmp_path / "it's [a] *.{folder}; é"
    folder.mkdir()
    (folder / "in").write_bytes(b'{"k":2}\n{"k":1}\n')
    sort_files([str(folder / "in")], str(folder / "out"), ("k",), str(folder))
    assert (folder / "out").read_bytes() == b'{"k":1}\n{"k":2}\n'
    assert sorted(os.listdir(folder)) == ["in", "out"]


def test_few_files_are_open_at_once(sort: Sort, monkeypatch: pytest.MonkeyPatch) -> None:
    most = 0
    merge = sorting.heapq.merge

    def counting(*files: Any, **options: Any) -> Any:
        nonlocal most
        most = max(most, len(files))
        return merge(*files, **options)

    monkeypatch.setattr(sorting.heapq, "merge", counting)
    sort("runs", lines([{"k": -number, "text": "x" * 200} for number in range(60)]))
    assert most == 3


def test_temporary_files_are_removed_after_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sorting, "_IN_MEMORY", -1)
    monkeypatch.setattr(sorting, "_RUN", 20)
    (tmp_path / "in").write_bytes(b'{"k":2}\n{"k":1}\n' * 20 + b"oops\n")
    folder = tmp_path / "folder"
    folder.mkdir()
    with pytest.raises(TableError):
        sort_files([str(tmp_path / "in")], str(tmp_path / "out"), ("k",), str(folder))
    assert list(folder.iterdir()) == []


def test_a_folder_that_is_a_pattern_does_not_bring_in_the_rows_of_another(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sorting, "_IN_MEMORY", -1)
    for name, row in (("a*", b'{"k":1}\n'), ("ab", b'{"k":2}\n')):
        (tmp_path / name).mkdir()
        (tmp_path / name / "in").write_bytes(row)
    sort_files([str(tmp_path / "a*/in")], str(tmp_path / "out"), ("k",), str(tmp_path / "a*"))
    assert (tmp_path / "out").read_bytes() == b'{"k":1}\n'
