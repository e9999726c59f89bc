"""Which file belongs to which table, and by which columns it is sorted; one small file in `.dev`."""

from __future__ import annotations

import json
import os
import threading
from dataclasses import dataclass
from typing import Any

from ytbuild.base import files

FILE_NAME = "catalogue.json"


@dataclass(frozen=True)
class TableEntry:
    """What is known of a table: its file, the number of its rows (None: not counted), and what it is sorted by.

    `stamp` is the file's size and mtime: of a file that has another one, edited by hand, only the name is known.
    """

    file: str
    rows: int | None = None
    sorted_by: tuple[str, ...] = ()
    stamp: tuple[int, int] = (0, 0)


class Catalogue:
    """The catalogue of one `.dev` folder; operations in several threads may change it."""

    def __init__(self, folder: str) -> None:
        self._folder = folder
        self._path = os.path.join(folder, FILE_NAME)
        self._lock = threading.Lock()

    def entries(self) -> dict[str, TableEntry]:
        """Return every known table; a missing or damaged catalogue is an empty one."""
        try:
            with open(self._path, encoding="utf-8") as file:
                content = json.load(file)
        except (OSError, ValueError):
            return {}
        tables = content.get("tables") if isinstance(content, dict) else None
        if not isinstance(tables, dict):
            return {}
        return {table: entry for table, value in tables.items() if (entry := _entry(value)) is not None}

    def claim(self, table: str, file: str) -> None:
        """Remember that a file belongs to a table, unless it is known to."""
        with self._lock:
            entries = self.entries()
            if table not in entries or entries[table].file != file:
                self._save(entries | {table: TableEntry(file)})

    def record(self, table: str, file: str, rows: int | None, sorted_by: tuple[str, ...] = ()) -> None:
        """Remember a table's file as it is now, with its number of rows and its order."""
        with self._lock:
            stamp = _stamp(os.path.join(self._folder, file))
            self._save(self.entries() | {table: TableEntry(file, rows, sorted_by, stamp)})

    def forget(self, table: str) -> None:
        """Remove a table's entry."""
        with self._lock:
            entries = self.entries()
            if entries.pop(table, None) is not None:
                self._save(entries)

    def current(self, table: str) -> TableEntry | None:
        """Return a table's entry when its file is still the one that was recorded."""
        entry = self.entries().get(table)
        if entry is None or entry.stamp != _stamp(os.path.join(self._folder, entry.file)):
            return None
        return entry

    def _save(self, entries: dict[str, TableEntry]) -> None:
        tables = {
            table: {"file": entry.file, "rows": entry.rows, "sorted_by": entry.sorted_by, "stamp": entry.stamp}
            for table, entry in entries.items()
        }
        with files.replacing(self._path) as file:
            file.write(json.dumps({"tables": tables}, indent=1, sort_keys=True).encode())


def _entry(value: Any) -> TableEntry | None:
    try:
        size, mtime = value["stamp"]
        rows = None if value["rows"] is None else int(value["rows"])
        columns = tuple(map(str, value["sorted_by"]))
        return TableEntry(str(value["file"]), rows, columns, (int(size), int(mtime)))
    except (KeyError, TypeError, ValueError):
        return None


def _stamp(path: str) -> tuple[int, int]:
    try:
        status = os.stat(path)
    except OSError:
        return (0, 0)
    return status.st_size, status.st_mtime_ns
