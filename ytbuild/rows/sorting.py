"""Sorting files of rows, in bounded memory, by YTsaurus's order of values.

Small inputs are sorted in memory. Large ones go through DuckDB, which sorts with several threads and spills to disk,
as long as each column holds values of one type and lines are not huge; whatever DuckDB does not take is sorted by
runs and a merge of them, with the very key that small inputs are sorted by.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import shutil
from collections.abc import Iterator
from functools import partial
from itertools import islice
from typing import IO

from ytbuild.base.cancellation import Cancellation
from ytbuild.base.errors import TableError
from ytbuild.base.sql import is_plain, pointer, text_sql
from ytbuild.base.text import quote
from ytbuild.rows import decode, order

_IN_MEMORY = 16 << 20
_RUN = 48 << 20
_MERGED_AT_ONCE = 64
_SAMPLED = 1000
_MEMORY_LIMIT = "400MB"
_MAX_THREADS = 4
# What the reader does not keep is left to the sort, which spills less.
_READ_BUFFER = 8 << 20

_CONVERSIONS = {
    str: "CASE WHEN starts_with({text}, '\"') THEN {json}->>'$' ELSE error('type') END",
    int: "CASE WHEN contains({text}, '.') OR contains({text}, 'e') THEN error('type') ELSE {text}::BIGINT END",
    float: "CASE WHEN contains({text}, '.') OR contains({text}, 'e') THEN {text}::DOUBLE ELSE error('type') END",
    bool: "CASE {text} WHEN 'false' THEN 0 WHEN 'true' THEN 1 ELSE error('type') END",
}
"""SQL for a column whose values are all of one type; any other value makes the query fail."""


def sort_files(
    sources: list[str],
    destination: str,
    columns: tuple[str, ...],
    folder: str,
    cancellation: Cancellation | None = None,
) -> None:
    """Write the rows of all sources to `destination`, sorted by columns; temporary files lie in `folder`.

    The sources hold rows, which have been checked before. Equal keys are in the order of the input when it is small;
    otherwise in any, as on the cluster.
    Raises `TableError` for a value that has no order and for a line that is no row, and `Cancelled`.
    """
    cancellation = cancellation or Cancellation()
    columns = tuple(dict.fromkeys(columns))
    try:
        if sum(map(os.path.getsize, sources)) <= _IN_MEMORY:
            with open(destination, "wb") as out:
                out.writelines(order.sort_lines(list(_lines(sources)), columns))
        elif not _sorted_by_duckdb(sources, destination, columns, folder, cancellation):
            _sort_by_runs(sources, destination, columns, folder, cancellation)
    except ValueError as error:
        raise _first_bad(sources, columns) or error from None


def _first_bad(sources: list[str], columns: tuple[str, ...]) -> TableError | None:
    """Return the error for the first line that is no row; a sort sees lines in another order."""
    for source in sources:
        with open(source, "rb") as file:
            for number, line in enumerate(file, 1):
                try:
                    order.row_key(line, columns)
                except ValueError as reason:
                    return decode.no_row(quote(source), number, line, reason)
    return None


def _lines(sources: list[str]) -> Iterator[bytes]:
    for source in sources:
        with open(source, "rb") as file:
            for line in file:
                yield line if line.endswith(b"\n") else line + b"\n"


def _sorted_by_duckdb(
    sources: list[str], destination: str, columns: tuple[str, ...], folder: str, cancellation: Cancellation
) -> bool:
    """Sort by DuckDB; return whether that could be done."""
    types = _types(sources, columns)
    if types is None or not all(map(is_plain, sources)):
        return False
    import duckdb

    spill = os.path.join(folder, "spill")
    settings: dict[str, str | bool | int | float | list[str]] = {
        "memory_limit": _MEMORY_LIMIT,
        "threads": min(os.cpu_count() or 1, _MAX_THREADS),
        "temp_directory": spill,
        "autoinstall_known_extensions": False,
    }
    try:
        with duckdb.connect(config=settings) as connection, cancellation.interrupting(connection.interrupt):
            connection.execute(_query(sources, destination, columns, types))
    except duckdb.Error:
        return False
    finally:
        shutil.rmtree(spill, ignore_errors=True)
    return True


def _types(sources: list[str], columns: tuple[str, ...]) -> list[type] | None:
    """Guess each column's type from the first rows; None when a column has several, or none."""
    seen: list[set[type]] = [set() for _ in columns]
    for line in islice(_lines(sources), _SAMPLED):
        row = decode.decoded(line)
        for column, types in zip(columns, seen, strict=True):
            if row.get(column) is not None:
                types.add(type(row[column]))
    if any(len(types) != 1 or not types <= _CONVERSIONS.keys() for types in seen):
        return None
    return [types.pop() for types in seen]


def _query(sources: list[str], destination: str, columns: tuple[str, ...], types: list[type]) -> str:
    wanted = ", ".join(map(pointer, columns))
    files = ", ".join(map(text_sql, sources))
    separate = "delim='\x1f', quote='', escape='', header=false"
    order_by = ", ".join(_sort_key(f"keys[{number}]", kind) for number, kind in enumerate(types, 1))
    return f"""
        COPY (
            SELECT line FROM (
                SELECT line, json_extract(line, [{wanted}]) AS keys FROM read_csv(
                    [{files}], columns={{'line': 'VARCHAR'}}, auto_detect=false, new_line='\\n', {separate},
                    buffer_size={_READ_BUFFER}
                )
            ) ORDER BY {order_by}
        ) TO {text_sql(destination)} (FORMAT csv, DELIMITER '\x1f', QUOTE '', ESCAPE '', HEADER false)
    """


def _sort_key(value: str, kind: type) -> str:
    conversion = _CONVERSIONS[kind].format(json=value, text=f"{value}::VARCHAR")
    return f"CASE WHEN {value} IS NULL OR {value}::VARCHAR = 'null' THEN NULL ELSE {conversion} END ASC NULLS FIRST"


def _sort_by_runs(
    sources: list[str], destination: str, columns: tuple[str, ...], folder: str, cancellation: Cancellation
) -> None:
    """Sort parts that fit into memory, then merge them, a bounded number at once."""
    runs: list[str] = []
    try:
        for part in _parts(_lines(sources)):
            cancellation.check()
            path = os.path.join(folder, f"run.{len(runs)}")
            runs.append(path)
            with open(path, "wb") as out:
                out.writelines(order.sort_lines(part, columns))
        count = len(runs)
        while len(runs) > _MERGED_AT_ONCE:
            cancellation.check()
            merged = os.path.join(folder, f"run.{count}")
            count += 1
            _merge(runs[:_MERGED_AT_ONCE], merged, columns)
            runs = [merged, *runs[_MERGED_AT_ONCE:]]
        cancellation.check()
        _merge(runs, destination, columns)
    finally:
        for path in runs:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(path)


def _parts(lines: Iterator[bytes]) -> Iterator[list[bytes]]:
    part: list[bytes] = []
    size = 0
    for line in lines:
        part.append(line)
        size += len(line)
        if size >= _RUN:
            yield part
            part, size = [], 0
    if part:
        yield part


def _merge(runs: list[str], destination: str, columns: tuple[str, ...]) -> None:
    with contextlib.ExitStack() as stack:
        files: list[IO[bytes]] = [stack.enter_context(open(path, "rb")) for path in runs]
        out = stack.enter_context(open(destination, "wb"))
        out.writelines(heapq.merge(*files, key=partial(order.row_key, columns=columns)))
    for path in runs:
        os.unlink(path)
