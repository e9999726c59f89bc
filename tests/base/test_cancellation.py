"""A sort and a query end when they are told to: no signal reaches them inside DuckDB."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from ytbuild.backends.dev.tables import TableStore
from ytbuild.base.cancellation import Cancellation, Cancelled
from ytbuild.rows.sorting import sort_files
from ytbuild.yql.duckdb.engine import run_query


def seconds_until_cancelled(after: float, work: Callable[[Cancellation], object]) -> float:
    """Cancel work so many seconds after its beginning; return how long it took in all."""
    cancellation = Cancellation()
    timer = threading.Timer(after, cancellation.cancel)
    began = time.monotonic()
    timer.start()
    with pytest.raises(Cancelled):
        work(cancellation)
    return time.monotonic() - began


def test_a_query_ends_soon_after_it_is_cancelled(tmp_path: Path) -> None:
    tables = TableStore(str(tmp_path))
    tables.write("//t/many", ({"n": number} for number in range(200_000)))
    query = (
        "INSERT INTO `//t/out` WITH TRUNCATE "
        "SELECT SUM(a.n * b.n) AS total FROM `//t/many` AS a CROSS JOIN `//t/many` AS b"
    )
    folder = str(tmp_path / "tmp")
    assert seconds_until_cancelled(0.5, lambda stop: run_query(query, tables, folder, cancellation=stop)) < 5
    assert not tables.exists("//t/out") and os.listdir(folder) == []


def test_a_large_sort_ends_soon_after_it_is_cancelled(tmp_path: Path) -> None:
    line = b'{"k":"%d","text":"' + b"x" * 1000 + b'"}\n'
    (tmp_path / "in").write_bytes(b"".join(line % (number * 7919 % 100_003) for number in range(100_000)))
    source, out, folder = str(tmp_path / "in"), str(tmp_path / "out"), str(tmp_path)
    assert seconds_until_cancelled(0.2, lambda stop: sort_files([source], out, ("k",), folder, stop)) < 5


def test_nothing_starts_after_it_was_cancelled(tmp_path: Path) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        run_query("SELECT 1 AS one", TableStore(str(tmp_path)), str(tmp_path / "tmp"), cancellation=cancellation)
