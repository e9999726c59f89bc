"""Dev tables: one file each, catalogue for equal names, whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from ytbuild.backends.dev.tables import TableStore
from ytbuild.base.errors import TableError

pytestmark = pytest.mark.quick


@pytest.fixture
def store(tmp_path: Path) -> TableStore:
    return TableStore(str(tmp_path))


def test_what_is_written_is_read(store: TableStore) -> None:
    rows: list[dict[str, Any]] = [{"text": "é\u2028x", "n": 2**63, "f": 1.5, "list": [None, True, {"a": []}]}]
    store.write("//tmp/a/data", rows)
    assert list(store.read("//tmp/a/data")) == rows


def test_a_generator_can_be_written(store: TableStore) -> None:
    assert store.write("//t", ({"n": n} for n in range(3))) == 3


def test_a_table_lies_under_the_last_component_of_its_path(store: TableStore, tmp_path: Path) -> None:
    store.write("//tmp/a/data", [{"n": 1}])
    assert (tmp_path / "data.jsonl").read_text() == '{"n":1}\n'


def test_two_paths_with_one_last_component_do_not_share_a_file(store: TableStore) -> None:
    store.write("//a/t", [{"n": 1}])
    store.write("//b/t", [{"n": 2}])
    assert (list(store.read("//a/t")), list(store.read("//b/t"))) == ([{"n": 1}], [{"n": 2}])


def test_a_file_put_there_by_hand_belongs_to_the_first_path_that_asks(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"n": 1}\n')
    assert list(store.read("//first/t")) == [{"n": 1}]
    assert not store.exists("//second/t")


def test_a_failure_in_the_middle_leaves_the_table_as_it_was(store: TableStore) -> None:
    def rows() -> Iterator[dict[str, Any]]:
        yield {"n": 2}
        raise RuntimeError("no more")

    store.write("//t", [{"n": 1}])
    with pytest.raises(RuntimeError):
        store.write("//t", rows())
    assert list(store.read("//t")) == [{"n": 1}]


def test_append_after_a_line_without_an_end_does_not_glue_rows(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"n": 1}')
    store.write("//t", [{"n": 2}], append=True)
    assert list(store.read("//t")) == [{"n": 1}, {"n": 2}]


@pytest.mark.parametrize(
    "path", ["", "data", "/data", "//", "//a/", "//a/..", "//t[#1:#3]", "<append=%true>//t", "//t{a}"]
)
def test_what_is_no_whole_tables_path_is_refused(store: TableStore, path: str) -> None:
    with pytest.raises(TableError):
        store.write(path, [])


@pytest.mark.parametrize("value", [float("inf"), b"bytes", {1, 2}, {"a": object()}, "\ud800"])
def test_a_value_that_json_cannot_hold_names_row_and_column(store: TableStore, value: object) -> None:
    with pytest.raises(TableError, match="row 1, column 'bad'"):
        store.write("//t", [{"fine": 1}, {"bad": value}])


def test_the_count_includes_a_last_line_without_an_end(store: TableStore, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_text('{"n": 1}\n{"n": 2}')
    assert store.row_count("//t") == 2


@pytest.mark.parametrize("line", [
    b"oops", b"", b" ", b"null", b"[1]", b"3", b'{"k":2,}', b'{"k":2}x', b'{"k":2}{"k":0}', b'{"k":"a\tb"}',
    b'{"k":2,"z":nan}', b'{"k":2,"z":01}', b'{"k":2,"z":"\xff"}', b'{"k":2}\0', b"\0", b"\x1f", b'{"k":2}\x1fz',
    b"#x", b"\r", b'{"k":2} // x', b'{"k":"\xff"}',
])  # fmt: skip
def test_a_line_that_is_no_row_is_named_when_a_table_put_there_by_hand_is_counted(
    store: TableStore, tmp_path: Path, line: bytes
) -> None:
    (tmp_path / "t.jsonl").write_bytes(b'{"k":5}\n' + line + b'\n{"k":4}\n')
    with pytest.raises(TableError, match=r"^//t \(.*t\.jsonl\): line 2 is no row: "):
        store.row_count("//t")


def test_a_table_put_there_by_hand_is_counted_once(store: TableStore, tmp_path: Path) -> None:
    path = tmp_path / "t.jsonl"
    path.write_bytes(b'{"k":5}\n{"k":4}')
    assert store.row_count("//t") == 2
    before = path.stat()
    path.write_bytes(b'{"k":5}\n  {"k":4'[: before.st_size])
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert store.row_count("//t") == 2
    os.utime(path)
    with pytest.raises(TableError, match="line 2 is no row"):
        store.row_count("//t")
