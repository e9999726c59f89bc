"""The prod backend: tables and files of a cluster, operations and queries on it, with the code of one archive."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Iterator

from ytbuild.backends.base import Client, OperationHandle, OperationSpec
from ytbuild.backends.prod import operation
from ytbuild.backends.prod.polled_handle import PolledHandle
from ytbuild.base.errors import ClusterError, QueryError, YtbuildError
from ytbuild.base.reporter import Reporter
from ytbuild.cluster import files, nodes, tables
from ytbuild.cluster.connection import Connection
from ytbuild.config.checks import row_weight
from ytbuild.config.cypress_path import node_path
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.rows.row import Row
from ytbuild.sources import local_glob


class ProdClient(Client):
    """Tables, files, queries and operations on the cluster of a connection.

    `archive` is the Cypress path of the archive that jobs get, None when no enabled stage has code. Use it as a
    context manager: it aborts the operations that it started when it is left. Every method may be called from any
    thread. Paths are those of nodes, as in dev.
    """

    def __init__(self, config: PipelineConfig, connection: Connection, archive: str | None) -> None:
        self._config = config
        self._connection = connection
        self._archive = archive
        self._log_dir = os.path.join(config.build_dir, "log")
        self._operations: list[PolledHandle] = []
        self._closing = False

    @property
    def location(self) -> str:
        """The address of the cluster's proxy."""
        return self._connection.access.proxy

    def __enter__(self) -> ProdClient:
        return self

    def __exit__(self, kind: object, error: BaseException | None, _: object) -> None:
        self._closing = True
        first: YtbuildError | None = None
        for started in self._operations:
            try:
                started.abort()
            except YtbuildError as failure:
                first = first or failure
        known = {started.id for started in self._operations}
        for id, command in self._connection.started.items():
            if id not in known:
                with contextlib.suppress(ClusterError):
                    self._connection.command(command.name, command.parameters)
        if first is None:
            return
        # Somebody has to know that jobs may still run; what went wrong before is the more important error.
        if error is None:
            raise first
        error.add_note(f"{first.message}\n  {first.hint}" if first.hint else first.message)

    def write_table(
        self,
        table_path: str,
        rows: Iterable[Row],
        *,
        append: bool = False,
        replication_factor: int | None = None,
        make_parents: bool = True,
    ) -> None:
        """Write rows to a table, replacing it unless `append`; all of them or none.

        The table stays the same node: its schema, access rights and attributes stay, too. A new one has the
        replication factor. Raises `TableError`, naming row and column, for what a table cannot hold, and when what
        lies there is no table; without `make_parents` also when its folder is missing.
        """
        table_path = node_path(table_path)
        with self._connection.doing(f"write_table {table_path}"):
            tables.write(
                self._connection,
                table_path,
                rows,
                append=append,
                replication_factor=replication_factor,
                make_parents=make_parents,
            )

    def read_table(self, table_path: str) -> list[Row]:
        """Return all rows of a table; raises `TableError` when there is none."""
        return list(self.iter_table(table_path))

    def iter_table(self, table_path: str) -> Iterator[Row]:
        """Give the rows of a table one by one, as it was when the first one was asked for.

        Raises `TableError` when there is none, and `ClusterError` when not all rows arrive. Texts that are not
        UTF-8 come as `bytes`.
        """
        return tables.read(self._connection, node_path(table_path))

    def row_count(self, table_path: str) -> int:
        """Return the number of rows of a table; raises `TableError` when there is none."""
        table_path = node_path(table_path)
        with self._connection.doing(f"row_count {table_path}"):
            return tables.row_count(self._connection, table_path)

    def exists(self, path: str) -> bool:
        """Tell whether there is a table, a file or a folder at this path."""
        path = node_path(path)
        with self._connection.doing(f"exists {path}"):
            return nodes.exists(self._connection, path)

    def create_path(self, path: str, node_type: str = "map_node") -> None:
        """Make a folder (`map_node`), an empty `table` or an empty `file`; one that is there stays as it is.

        Raises `TableError` when something else is there.
        """
        path = node_path(path)
        with self._connection.doing(f"create_path {path}"):
            nodes.create_path(self._connection, path, node_type)

    def remove(self, path: str, *, recursive: bool = False, force: bool = False) -> None:
        """Remove a table or a file, and with `recursive` a folder; a missing one is an error unless `force`."""
        path = node_path(path)
        with self._connection.doing(f"remove {path}"):
            nodes.remove(self._connection, path, recursive=recursive, force=force)

    def move(self, source: str, destination: str, *, force: bool = False) -> None:
        """Give a table, a file or a folder another path; one that is there is an error unless `force`."""
        source = node_path(source)
        destination = node_path(destination)
        with self._connection.doing(f"move {source} to {destination}"):
            nodes.move(self._connection, source, destination, force=force)

    def upload_file(self, local_path: str, path: str, *, create_parent_dir: bool = False) -> None:
        """Copy a local file to a path, replacing what is there; whoever reads it sees the old one or the new one.

        `local_path` is relative to the pipeline's folder. Raises `TableError` when the file cannot be read, and
        without `create_parent_dir` when there is no folder for it; `UploadError` when it did not arrive as it is.
        """
        path = node_path(path)
        local = os.path.join(self._config.directory, local_path)
        with self._connection.doing(f"upload_file {path}"):
            files.upload(self._connection, local, path, make_parents=create_parent_dir)

    def upload_directory(self, local_dir: str, path: str, pattern: str = "*") -> list[str]:
        """Copy the files of a local folder whose names match, `.ytignore` obeyed; return their paths."""
        path = node_path(path)
        local_files = local_glob.glob_files(self._config.directory, local_dir, pattern)
        with self._connection.doing(f"upload_directory {path}"):
            return files.upload_all(self._connection, local_files, path, self._config.prod.upload_threads)

    def run_yql(self, query: str, pool: str = "default", max_row_weight: str | None = None) -> list[Row]:
        """Run a query; return the rows of its last statement when that is a bare SELECT, else none.

        Raises `QueryError` when it fails.
        """
        if max_row_weight is not None and row_weight(max_row_weight) is None:
            raise QueryError(f"max_row_weight is {max_row_weight!r}", "give a size of at most 128M, such as 64M")
        return operation.run_query(self._connection, query, pool, self._log_dir, max_row_weight)

    def start_operation(self, spec: OperationSpec, reporter: Reporter) -> OperationHandle:
        """Start an operation and return at once; the reporter hears, from any thread, what is not as it should be.

        Raises a `YtbuildError` for what can be known at once, such as a missing input table.
        """
        self._connection.mask.add(spec.environment[name] for name in spec.secret_names)
        started = operation.start(self._connection, spec, self._archive, reporter, self._log_dir)
        self._operations.append(started)
        if self._closing:
            # A thread of stage code's, while the others are being aborted.
            started.abort()
        return started
