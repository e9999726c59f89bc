"""The dev backend: tables and files under `.dev`, operations as local subprocesses, queries in DuckDB."""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Iterable, Iterator
from typing import IO

from ytbuild.backends.base import Client, OperationSpec
from ytbuild.backends.dev.files import FileStore
from ytbuild.backends.dev.legs import RunContext
from ytbuild.backends.dev.operation import DevOperation
from ytbuild.backends.dev.tables import TableStore
from ytbuild.base import files, locks
from ytbuild.base.errors import ConfigError, QueryError, TableError, YtbuildError
from ytbuild.base.reporter import Reporter
from ytbuild.config.checks import row_weight
from ytbuild.config.cypress_path import below, node_path
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.jobenv.interpreter import job_interpreter, write_shim
from ytbuild.rows.row import DEFAULT_MAX_ROW_WEIGHT, Row
from ytbuild.sources import local_glob


class DevClient(Client):
    """Tables, files, queries and operations on this machine, with the code of one archive.

    Use it as a context manager: it holds the lock of `.dev` and ends its jobs when it is left.
    """

    def __init__(
        self, config: PipelineConfig, archive: str, *, keep_sandboxes: bool = False, strict: bool = False
    ) -> None:
        self._config = config
        self._dev_dir = config.dev_dir
        self._tables = TableStore(self._dev_dir)
        self._files = FileStore(self._dev_dir)
        interpreter = job_interpreter(config.dev_python, config.directory, config.build_dir)
        self._context = RunContext(config, archive, interpreter, self._tables, self._files, keep_sandboxes, strict)
        self._operations: list[DevOperation] = []
        self._starting = threading.Lock()
        self._held: IO[str] | None = None

    @property
    def location(self) -> str:
        """The folder with the tables."""
        return self._dev_dir

    def __enter__(self) -> DevClient:
        with files.translated(self._dev_dir):
            os.makedirs(self._dev_dir, exist_ok=True)
            self._held = locks.lock_file(os.path.join(self._dev_dir, "lock"))
            ignore = os.path.join(self._dev_dir, ".gitignore")
            if not os.path.exists(ignore):
                with files.replacing(ignore) as file:
                    file.write(b"*\n")
            write_shim(os.path.join(self._dev_dir, "bin"), self._context.interpreter.executable)
        files.remove_abandoned(self._dev_dir, time.time())
        return self

    def __exit__(self, *_: object) -> None:
        for operation in self._operations:
            operation.abort()
        if self._held is not None:
            self._held.close()

    def write_table(
        self,
        table_path: str,
        rows: Iterable[Row],
        *,
        append: bool = False,
        replication_factor: int | None = None,
        make_parents: bool = True,
    ) -> None:
        """Write rows to a table, replacing it unless `append`; all or none. The rest has no meaning in dev."""
        self._tables.write(node_path(table_path), rows, append)

    def read_table(self, table_path: str) -> list[Row]:
        """Return all rows of a table; raises `TableError` when there is none."""
        return list(self._tables.read(node_path(table_path)))

    def iter_table(self, table_path: str) -> Iterator[Row]:
        """Give the rows of a table one by one; raises `TableError` when there is none."""
        return self._tables.read(node_path(table_path))

    def row_count(self, table_path: str) -> int:
        """Return the number of rows of a table; raises `TableError` when there is none."""
        return self._tables.row_count(node_path(table_path))

    def exists(self, path: str) -> bool:
        """Tell whether there is a table, a file or a folder at this path."""
        path = node_path(path)
        return self._tables.exists(path) or self._files.is_file(path) or self._is_folder(path)

    def create_path(self, path: str, node_type: str = "map_node") -> None:
        """Make a folder (`map_node`), an empty `table` or an empty `file`; one that is there stays as it is."""
        path = node_path(path)
        if node_type == "table":
            if not self._tables.exists(path):
                self._tables.write(path, ())
        elif node_type == "file":
            self._files.make_file(path)
        elif node_type == "map_node":
            self._files.make_folder(path)
        else:
            raise ConfigError(
                f"create_path {path}: dev has no nodes of type {node_type!r}", "use map_node, table or file"
            )

    def remove(self, path: str, *, recursive: bool = False, force: bool = False) -> None:
        """Remove a table or a file, and with `recursive` a folder; a missing one is an error unless `force`."""
        path = node_path(path)
        if self._tables.exists(path):
            self._tables.remove(path)
        elif self._files.is_file(path):
            self._files.remove(path)
        elif self._is_folder(path):
            tables = self._tables.below(path)
            empty = not tables and self._files.is_empty_folder(path)
            if not recursive and not empty:
                raise TableError(f"{path} is a folder that is not empty", "remove it with recursive=True")
            for table in tables:
                self._tables.remove(table)
            self._files.remove(path)
        elif not force:
            raise _missing(path)

    def move(self, source: str, destination: str, *, force: bool = False) -> None:
        """Give a table, a file or a folder another path; one that is there is an error unless `force`."""
        source, destination = node_path(source), node_path(destination)
        if not self.exists(source):
            raise _missing(source)
        if source == destination:
            return
        if f"{source}/".startswith(f"{destination}/") or destination.startswith(f"{source}/"):
            raise TableError(f"cannot move {source} to {destination}: one lies in the other", "choose another path")
        if self.exists(destination):
            if not force:
                raise TableError(f"there is something at {destination} already", "move with force=True to replace it")
            self.remove(destination, recursive=True)
        if self._tables.exists(source):
            self._tables.move(source, destination)
        elif self._files.is_file(source):
            self._files.move(source, destination)
        else:
            for table in self._tables.below(source):
                self._tables.move(table, destination + table[len(source) :])
            if self._files.is_folder(source):
                self._files.move(source, destination)

    def upload_file(self, local_path: str, path: str, *, create_parent_dir: bool = False) -> None:
        """Copy a local file to a path, replacing what is there.

        `local_path` is relative to the pipeline's folder. Folders above `path` are made whatever `create_parent_dir`
        says: dev does not know which ones the cluster has. Raises `TableError` when the file cannot be read.
        """
        self._files.upload(os.path.join(self._config.directory, local_path), path)

    def upload_directory(self, local_dir: str, path: str, pattern: str = "*") -> list[str]:
        """Copy the files of a local folder whose names match, `.ytignore` obeyed; return their paths."""
        path = node_path(path)
        local_files = local_glob.glob_files(self._config.directory, local_dir, pattern)
        self._files.make_folder(path)
        uploaded = [below(path, relative) for relative, _ in local_files]
        for destination, (_, local) in zip(uploaded, local_files, strict=True):
            self._files.upload(local, destination)
        return uploaded

    def run_yql(self, query: str, pool: str = "default", max_row_weight: str | None = None) -> list[Row]:
        """Run a query; return the rows of its last statement when that is a bare SELECT, else none.

        `pool` has no meaning here. Raises `QueryError` for whatever is not in the grammar that dev knows, with its
        place in the query, and then no table has changed.
        """
        from ytbuild.yql.duckdb.engine import run_query

        weight = DEFAULT_MAX_ROW_WEIGHT if max_row_weight is None else row_weight(max_row_weight)
        if weight is None:
            raise QueryError(f"max_row_weight is {max_row_weight!r}", "give a size of at most 128M, such as 64M")
        with files.temporary_folder(self._dev_dir) as folder:
            result = run_query(query, self._tables, folder, weight)
        return list(result.rows)

    def start_operation(self, spec: OperationSpec, reporter: Reporter) -> DevOperation:
        """Start an operation and return at once; the reporter hears, from any thread, what is not as it should be.

        Raises a `YtbuildError` for what can be known at once, such as a missing input table.
        """
        with self._starting:
            operation = DevOperation(self._context, spec, self._free_name(spec), reporter)
            self._operations.append(operation)
        return operation

    def _free_name(self, spec: OperationSpec) -> str:
        """Return a name for an operation's folder and logs that no running one has."""
        base = name = f"{spec.stage}.{spec.name}"
        running = {operation.name for operation in self._operations if not operation.is_over}
        number = 1
        while name in running:
            number += 1
            name = f"{base}-{number}"
        return name

    def _is_folder(self, path: str) -> bool:
        return self._files.is_folder(path) or bool(self._tables.below(path))


def _missing(path: str) -> YtbuildError:
    return TableError(f"there is nothing at {path}", "correct the path")
