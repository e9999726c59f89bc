"""The tables that a query reads and writes, as `duckdb` is handed them."""

from __future__ import annotations

from typing import Protocol


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
