"""The files behind a query's tables while it runs: what is read, what has been written and not yet published."""

from __future__ import annotations

import os
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import Protocol

from ytbuild.base.errors import QueryError, TableError
from ytbuild.base.sql import is_plain
from ytbuild.rows import decode
from ytbuild.yql.binding.schema import Table, table_of
from ytbuild.yql.duckdb.session import Session, rows_of
from ytbuild.yql.syntax.place import Place


class Tables(Protocol):
    """Tables by their Cypress paths, each a file of JSON lines."""

    def exists(self, table: str) -> bool:
        """Tell whether the table exists."""

    def existing_file(self, table: str) -> str:
        """Return the file of a table; raises `TableError` when there is no such table."""

    def row_count(self, table: str) -> int:
        """Return the number of rows of a table; raises `TableError` for a line that is no row."""

    def publish(
        self, table: str, path: str, append: bool = False, rows: int | None = None, sorted_by: tuple[str, ...] = ()
    ) -> None:
        """Make a finished file of rows the table or (`append`) its end.

        `rows` is their number, None when it is not known, and `sorted_by` the columns that they are sorted by.
        """


@dataclass
class _Written:
    """What a query wrote to one table: whether it emptied it first, and the files in their order."""

    truncated: bool = False
    files: list[str] = field(default_factory=list)
    rows: int = 0
    sorted_by: tuple[str, ...] = ()


class QueryTables:
    """Tables as statements see them: what others wrote counts from the next COMMIT on."""

    def __init__(self, tables: Tables, read: Iterable[str], stack: ExitStack) -> None:
        self._tables = tables
        self._stack = stack
        self._longest: dict[str, int] = {}
        self._opened: dict[str, str] = {}
        self._written: dict[str, _Written] = {}
        self._uncommitted: set[str] = set()
        self._known: dict[tuple[str, ...], Table] = {}
        self.readable = [self._openable(tables.existing_file(path)) for path in read if tables.exists(path)]
        self.longest_line = max(self._longest.values(), default=0)

    def _openable(self, file: str) -> str:
        """Return a path by which DuckDB opens a file, and note the file's longest line."""
        if file not in self._opened:
            self._opened[file] = file
            if not is_plain(file):
                # DuckDB would take the path for a pattern.
                opened = os.open(file, os.O_RDONLY)
                self._stack.callback(os.close, opened)
                self._opened[file] = f"/dev/fd/{opened}"
            self._longest[self._opened[file]] = _longest_line(file)
        return self._opened[file]

    def table(self, path: str, place: Place, session: Session) -> Table:
        """Return a table's columns; raises `QueryError` when the query wrote it and did not COMMIT.

        Raises `TableError` when there is no such table, or when a line of it is no row.
        """
        if path in self._uncommitted:
            raise place.error(f"{path} was written by an earlier statement of the query", "write COMMIT; in between")
        files = self._files(path)
        key = tuple(files)
        if key not in self._known:
            self._known[key] = self._inferred(path, files, session)
        return self._known[key]

    def _files(self, path: str) -> list[str]:
        written = self._written.get(path)
        files = list(written.files) if written else []
        if written is None or (not written.truncated and self._tables.exists(path)):
            files.insert(0, self._openable(self._tables.existing_file(path)))
        return files

    def _inferred(self, path: str, files: list[str], session: Session) -> Table:
        rows = rows_of(files, max(self._longest.get(file, 0) for file in files))
        try:
            table = table_of(path, rows, session.run)
        except QueryError:
            _check_lines(path, files)
            raise
        if table is None:
            _check_lines(path, files)
            raise TableError(f"{path}: a line is no row", decode.HINT)
        return table

    def wrote(self, path: str, file: str, truncate: bool, sorted_by: tuple[str, ...], max_row_weight: int) -> None:
        """Take over a finished file; raises `QueryError`, naming the row, for one that is too heavy."""
        self._longest[file], rows = _measured(file, path, max_row_weight)
        written = self._written.setdefault(path, _Written())
        if truncate:
            written.truncated, written.files, written.rows = True, [], 0
        written.sorted_by = () if written.files else sorted_by
        written.files.append(file)
        written.rows += rows
        self._uncommitted.add(path)

    def commit(self) -> None:
        """Let the statements that follow see what has been written."""
        self._uncommitted.clear()

    def publish(self) -> tuple[tuple[str, int], ...]:
        """Put what has been written into the tables; returns them with the number of rows that they now have."""
        for path, written in self._written.items():
            for at, file in enumerate(written.files):
                whole = len(written.files) == 1
                rows = written.rows if whole else None
                append = at > 0 or not written.truncated
                self._tables.publish(path, file, append, rows, written.sorted_by if whole else ())
        return tuple((path, self._tables.row_count(path)) for path in self._written)


def _longest_line(file: str) -> int:
    """Return the length of a file's longest line, or more: a small file is as good as its longest line."""
    with open(file, "rb") as lines:
        size = os.fstat(lines.fileno()).st_size
        return size if size < 1 << 20 else max(map(len, lines))


def _measured(file: str, path: str, most: int) -> tuple[int, int]:
    """Return the length of the longest line and the number of lines."""
    longest = count = 0
    with open(file, "rb") as lines:
        for count, line in enumerate(lines, 1):
            longest = max(longest, len(line))
            if len(line) - 1 > most:
                raise QueryError(
                    f"YQL: row {count - 1} of {path} weighs {len(line) - 1} bytes, more than {most}",
                    "raise max_row_weight, or make the row smaller",
                )
    return longest, count


def _check_lines(path: str, files: list[str]) -> None:
    """Raise `TableError` for the first line that is no row; DuckDB says that there is one, not where."""
    for file in files:
        with open(file, "rb") as lines:
            for _ in decode.rows(lines, path):
                pass
