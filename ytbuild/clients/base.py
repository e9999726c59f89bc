"""What the executor asks of a backend: tables, and operations on them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Protocol

Row = dict[str, Any]


@dataclass(frozen=True)
class LegCommand:
    """One command of an operation: the leg's name, its wrapper's name in the archive, and its number of jobs."""

    leg: str
    wrapper: str
    job_count: int


@dataclass(frozen=True)
class OperationSpec:
    """An operation, resolved: nothing of it is looked up again while it runs.

    `sort_by` and `reduce_by` are column names, empty where the kind has none. `environment` holds what the
    operation sets itself, secrets included; `secret_names` are those whose values nobody may see.
    """

    stage: str
    name: str
    kind: str
    legs: tuple[LegCommand, ...]
    input_table: str | None
    output_table: str | None
    sort_by: tuple[str, ...]
    reduce_by: tuple[str, ...]
    append: bool
    environment: Mapping[str, str]
    secret_names: tuple[str, ...] = ()

    @property
    def shown(self) -> str:
        """How messages name the operation."""
        return f"{self.stage}/{self.name} ({self.kind})"


@dataclass(frozen=True)
class OperationResult:
    """What an operation did: rows read and written, 0 where it has no table; `seconds` it took."""

    rows_in: int
    rows_out: int
    seconds: float


class Client(Protocol):
    """Tables and operations on one backend."""

    def write_table(self, table_path: str, rows: Iterable[Row], *, append: bool = False) -> None:
        """Write rows to a table, replacing it unless `append`; all of them or none."""
        ...

    def read_table(self, table_path: str) -> list[Row]:
        """Return all rows of a table; raises `TableError` when there is none."""
        ...

    def iter_table(self, table_path: str) -> Iterator[Row]:
        """Give the rows of a table one by one; raises `TableError` when there is none."""
        ...

    def row_count(self, table_path: str) -> int:
        """Return the number of rows of a table; raises `TableError` when there is none."""
        ...

    def exists(self, path: str) -> bool:
        """Tell whether there is a table at this path."""
        ...

    def run_operation(self, spec: OperationSpec) -> OperationResult:
        """Run an operation to its end; raises `OperationFailed` when it fails."""
        ...
