"""Dev tables: JSON lines under `.dev`, one file per table, replaced in one step."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import threading
from collections.abc import Iterable, Iterator
from typing import IO, Any

from ytbuild.backends.dev.catalogue import Catalogue
from ytbuild.base import files
from ytbuild.base.errors import TableError
from ytbuild.base.text import quote
from ytbuild.config.cypress_path import node_path
from ytbuild.rows import decode, encode
from ytbuild.rows.check import RowChecker
from ytbuild.rows.row import DEFAULT_MAX_ROW_WEIGHT, Row


class TableStore:
    """The tables below one `.dev` folder.

    `//tmp/x/data` is `data.jsonl`; a second path with the same last component gets a file of its own, and the
    catalogue records which file belongs to which path. A file that was put there by hand belongs to the first
    path that asks for it.
    """

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._catalogue = Catalogue(folder)

    def file_of(self, table: str) -> str:
        """Return the file of a table, which may not exist; raises `TableError` for a path that is none."""
        entries = self._catalogue.entries()
        entry = entries.get(table)
        name = entry.file if entry else _file_name(table, {other.file for other in entries.values()})
        return os.path.join(self._folder, name)

    def existing_file(self, table: str) -> str:
        """Return the file of a table; raises `TableError` when there is no such table."""
        path = self.file_of(table)
        if not os.path.isfile(path):
            raise TableError(
                f"there is no table {table} ({quote(path)} does not exist)",
                "run the stage that writes it first, or put a file of JSON lines there",
            )
        self._catalogue.claim(table, os.path.basename(path))
        return path

    def exists(self, table: str) -> bool:
        """Tell whether the table exists."""
        return os.path.isfile(self.file_of(table))

    def write(self, table: str, rows: Iterable[Row], append: bool = False) -> int:
        """Write rows and return their number; a failure leaves the table as it was.

        Raises `TableError`, naming row and column, for a value that JSON cannot hold.
        """
        count = 0
        writing = self.replacing(table, append)
        with writing as file:
            for count, row in enumerate(rows, 1):
                file.write(encode.encoded(row, count - 1, table))
            writing.rows = None if append else count
        return count

    def read(self, table: str) -> Iterator[Row]:
        """Give the rows of a table one by one; raises `TableError` for a line that is no row."""
        path = self.existing_file(table)
        with open(path, "rb") as file:
            yield from decode.rows(file, _label(table, path))

    def row_count(self, table: str) -> int:
        """Return the number of rows of a table.

        A table that was put there by hand is checked when it is first counted; `TableError` names a line that is no
        row.
        """
        path = self.existing_file(table)
        entry = self._catalogue.current(table)
        if entry is not None and entry.rows is not None:
            return entry.rows
        rows = RowChecker(path, _label(table, path), DEFAULT_MAX_ROW_WEIGHT)
        rows.check(final=True)
        self._catalogue.record(table, os.path.basename(path), rows.rows, entry.sorted_by if entry else ())
        return rows.rows

    def replacing(self, table: str, append: bool = False) -> _Replacing:
        """Give a file that becomes the table when the block ends well; with `append` the rows of old come first."""
        path = self.file_of(table)
        os.makedirs(self._folder, exist_ok=True)
        return _Replacing(self, table, path, append)

    def publish(
        self,
        table: str,
        path: str,
        append: bool = False,
        rows: int | None = None,
        sorted_by: tuple[str, ...] = (),
    ) -> None:
        """Make a finished file of rows, which lies on the same file system, the table or (`append`) its end.

        `rows` is their number, None when it is not known, and `sorted_by` the columns that they are sorted by.
        """
        if append and self.exists(table):
            with self.replacing(table, append=True) as out, open(path, "rb") as file:
                shutil.copyfileobj(file, out, 1 << 20)
            return
        destination = self.file_of(table)
        with files.translated(destination), _freed_later(destination):
            files.rename_over(path, destination)
        self._catalogue.record(table, os.path.basename(destination), rows, sorted_by)

    def sorted_by(self, table: str) -> tuple[str, ...]:
        """Return the columns that a table is known to be sorted by, none when nobody sorted it as it is now."""
        entry = self._catalogue.current(table)
        return entry.sorted_by if entry else ()

    def below(self, folder: str) -> list[str]:
        """Return the tables whose paths begin with that of a folder."""
        return [table for table in self._catalogue.entries() if table.startswith(folder.rstrip("/") + "/")]

    def remove(self, table: str) -> None:
        """Remove a table; raises `TableError` when there is none."""
        os.unlink(self.existing_file(table))
        self._catalogue.forget(table)

    def move(self, source: str, destination: str) -> None:
        """Give a table another path; what was there is replaced."""
        path = self.existing_file(source)
        entry = self._catalogue.current(source)
        self._catalogue.forget(source)
        rows, sorted_by = (entry.rows, entry.sorted_by) if entry else (None, ())
        self.publish(destination, path, rows=rows, sorted_by=sorted_by)

    def listing(self) -> list[tuple[str | None, str]]:
        """Return every table that exists with its file, by path, then the files that no path has claimed yet."""
        names = {table: entry.file for table, entry in self._catalogue.entries().items()}
        files: list[tuple[str | None, str]] = [(table, names[table]) for table in sorted(names)]
        if os.path.isdir(self._folder):
            free = set(os.listdir(self._folder)) - set(names.values())
            files += [(None, name) for name in sorted(free) if name.endswith(".jsonl")]
        paths = ((table, os.path.join(self._folder, name)) for table, name in files)
        return [(table, path) for table, path in paths if os.path.isfile(path)]


@contextlib.contextmanager
def _freed_later(path: str) -> Iterator[None]:
    """Keep the file that the block replaces, and remove it in the background.

    Freeing the pages of a large file takes longer than any other step of making an output the table.
    """
    aside = files.temporary_name(os.path.dirname(path))
    try:
        os.link(path, aside)
    except OSError:
        aside = ""
    try:
        yield
    finally:
        if aside:
            threading.Thread(target=os.unlink, args=[aside], name="free").start()


class _Replacing:
    """The context manager behind `TableStore.replacing`."""

    def __init__(self, store: TableStore, table: str, path: str, append: bool) -> None:
        self._store = store
        self._table = table
        self._path = path
        self._append = append
        self.rows: int | None = None
        self._writing = files.replacing(path)

    def __enter__(self) -> IO[bytes]:
        file = self._writing.__enter__()
        if self._append and os.path.isfile(self._path):
            with open(self._path, "rb") as old:
                shutil.copyfileobj(old, file, 1 << 20)
            if file.tell():
                file.seek(-1, os.SEEK_END)
                complete = file.read(1) == b"\n"
                if not complete:
                    file.write(b"\n")
        return file

    def __exit__(self, *details: Any) -> None:
        self._writing.__exit__(*details)
        if details[0] is None:
            self._store._catalogue.record(self._table, os.path.basename(self._path), self.rows)


def _label(table: str, path: str) -> str:
    """Return what messages call a table: whoever corrects a line needs its file."""
    return f"{table} ({quote(path)})"


def _file_name(table: str, taken: set[str]) -> str:
    last = node_path(table).rsplit("/", 1)[-1]
    name = f"{last}.jsonl"
    if name in taken or len(os.fsencode(name)) > 200:
        name = f"{last[:60]}-{hashlib.sha256(table.encode()).hexdigest()[:12]}.jsonl"
    return name
