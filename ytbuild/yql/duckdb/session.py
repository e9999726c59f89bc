"""The only place that talks to DuckDB: closed to all files but the query's, its failures told as `QueryError`."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable
from typing import Any

from ytbuild.base.cancellation import Cancellation
from ytbuild.base.errors import QueryError
from ytbuild.base.sql import text_sql
from ytbuild.yql.binding.casts import MACROS
from ytbuild.yql.duckdb.row_json import NOT_FINITE

_GIB = 1 << 30
_SMALL = 64 << 20
_SMALLEST_OBJECT = 1 << 20
# How often a large row may be in memory: read, as columns, and as the text that is written, each of them twice.
_COPIES = 16
_LARGEST_OBJECT = 1 << 28
_FAILURES = (
    # What DuckDB says, what we say, and what to do.
    (r"Overflow in|out of range for the destination type|Out of Range Error", "a number left its type's 64 bits",
     "the cluster would wrap around; CAST to Double, or check the values"),
    (r"convert blob to UTF8", "a function cut a text within a character",
     "texts in dev are UTF-8; use Unicode functions for texts that are not ASCII"),
    (r"Out of Memory|could not allocate|failed to allocate", "the query needs more memory than dev gives it",
     "try it on fewer rows, or run it on the cluster"),
    (r"regex|no argument for repetition|missing \)|missing \]|invalid escape", "a pattern is no regular expression",
     "dev knows the syntax of RE2"),
    (r"No space left|Could not write", "there is no space left for the query's temporary files", "free some space"),
    (r"max(imum)? expression depth|expression depth limit", "the query is nested too deeply",
     "give parts of it a name, or write results to a table in between"),
    (r"to type DECIMAL|to DECIMAL|DECIMAL\(", "a Decimal does not fit its type",
     "use a larger precision"),
)  # fmt: skip


class Session:
    """A DuckDB that lives as long as one query.

    It reads `readable` and writes `writable`, and nothing else: no other file, no network, no extension; a query
    cannot change that. What does not fit into `memory` bytes goes to `folder`; by default that is a quarter of the
    machine's memory, from 1 to 4 GiB.
    """

    def __init__(
        self,
        folder: str,
        readable: Collection[str],
        writable: Iterable[str],
        longest_line: int,
        memory: int = 0,
        cancellation: Cancellation | None = None,
    ) -> None:
        import duckdb

        self._failure = duckdb.Error
        self._cancellation = cancellation or Cancellation()
        self._connection = duckdb.connect(":memory:")
        # Created when first needed: that takes longer than a small query.
        self._macros = dict(MACROS)
        for setting in _settings(folder, readable, writable, longest_line, memory):
            self._connection.execute(f"SET {setting}")

    def __enter__(self) -> Session:
        return self

    def __exit__(self, *details: Any) -> None:
        self._connection.close()

    def run(self, sql: str) -> list[tuple[object, ...]]:
        """Run a statement and return its rows; raises `QueryError` when it fails."""
        for name in [name for name in self._macros if name in sql]:
            self._connection.execute(self._macros.pop(name))
        try:
            with self._cancellation.interrupting(self._connection.interrupt):
                rows: list[tuple[object, ...]] = self._connection.execute(sql).fetchall()
        except self._failure as error:
            raise failure(str(error)) from error
        return rows

    def check_cancelled(self) -> None:
        """Raise `Cancelled` when the query was."""
        self._cancellation.check()

    def write_lines(self, sql: str, path: str) -> None:
        """Write a query's only column, which must be JSON text, to a file, one row a line, in the query's order."""
        # JSON text holds no control characters, so that nothing in it needs quoting.
        options = "FORMAT csv, HEADER false, QUOTE '', ESCAPE '', DELIMITER '\x01', USE_TMP_FILE false"
        self.run(f"COPY ({sql}) TO {text_sql(path)} ({options})")


def _settings(
    folder: str, readable: Collection[str], writable: Iterable[str], longest_line: int, memory: int
) -> Iterable[str]:
    largest = _object_size(longest_line)
    memory = memory or min(max(_GIB, _machine_memory() // 4), 4 * _GIB)
    threads = max(1, min(os.cpu_count() or 1, memory // (64 * largest)))
    if sum(map(os.path.getsize, filter(os.path.isfile, readable))) < _SMALL:
        # Several threads give rows without ORDER BY in another order each time.
        threads = 1
    return (
        f"memory_limit = '{(memory + _COPIES * largest) >> 20}MiB'",
        f"threads = {threads}",
        f"temp_directory = {text_sql(os.path.join(folder, 'spill'))}",
        "autoinstall_known_extensions = false",
        "autoload_known_extensions = false",
        "allow_community_extensions = false",
        f"allowed_paths = [{', '.join(map(text_sql, (*readable, *writable)))}]",
        "enable_external_access = false",
        "lock_configuration = true",
    )


def rows_of(files: list[str], longest_line: int) -> str:
    """Return the SQL of the lines of files as JSON, in a column named `json`."""
    listed = ", ".join(map(text_sql, files))
    return f"read_ndjson_objects([{listed}], maximum_object_size = {_object_size(longest_line)})"


def _object_size(longest_line: int) -> int:
    # DuckDB allocates twice as much for each thread.
    return min(max(longest_line + 16, _SMALLEST_OBJECT), _LARGEST_OBJECT)


def _machine_memory() -> int:
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    except (ValueError, OSError):
        return 0


def failure(text: str) -> QueryError:
    """Return the error for what DuckDB said."""
    if own := re.search(r"YQL: (.*)", text):
        hint = "test with Math::IsFinite, or divide by NULL instead of 0" if NOT_FINITE in own[1] else ""
        return QueryError(f"YQL: {own[1]}", hint)
    for pattern, message, hint in _FAILURES:
        if re.search(pattern, text, re.IGNORECASE):
            return QueryError(f"YQL: {message}", hint)
    first = text.split("\n", 1)[0]
    return QueryError(f"YQL: the query failed: {first}", "this is what DuckDB says; if the query is right, report it")
