"""Tables of a cluster: written whole or not at all, read whole or with an error."""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from ytbuild.base.errors import ClusterError, TableError
from ytbuild.cluster import nodes, pieces
from ytbuild.cluster.connection import Connection
from ytbuild.cluster.error_codes import RESOLVE_ERROR
from ytbuild.cluster.yson import json_format
from ytbuild.rows import cluster_json
from ytbuild.rows.row import DEFAULT_MAX_ROW_WEIGHT, Row

_ATTRIBUTES = ("type", "row_count", "dynamic")


def write(
    connection: Connection,
    table: str,
    table_rows: Iterable[Row],
    *,
    append: bool,
    replication_factor: int | None,
    make_parents: bool,
) -> None:
    """Write rows to a table; others see all of them or none.

    The table stays the same node, with its schema, its access rights and its other attributes.
    """
    encoded = (cluster_json.encoded(row, number, table) for number, row in enumerate(table_rows))
    content = pieces.pieces_of(encoded)
    # Bad rows, and whatever else goes wrong with the first ones, are found before the cluster hears of it.
    first = next(content)
    with connection.transactions.new(f"ytbuild: write {table}") as transaction:
        nodes.make(
            connection,
            table,
            "table",
            transaction=transaction,
            make_parents=make_parents,
            attributes={} if replication_factor is None else {"replication_factor": replication_factor},
        )
        if not first and append:
            return
        parameters = {
            "path": table,
            "transaction_id": transaction,
            "input_format": json_format(cluster_json.WRITTEN_WITH),
            "table_writer": {"max_row_weight": DEFAULT_MAX_ROW_WEIGHT},
        }
        content = itertools.chain([first], content)
        pieces.write(connection, "write_table", parameters, content, append=append, compress=True)


def row_count(connection: Connection, table: str) -> int:
    """Return the number of rows of a table; raises `TableError` when there is none."""
    with _missing_explained(connection, table):
        attributes = nodes.attributes(connection, table, _ATTRIBUTES)
    return _checked_count(attributes, table)


def read(connection: Connection, table: str) -> Iterator[Row]:
    """Give the rows of a table as it is when the first one is asked for.

    Raises `TableError` when there is none, and `ClusterError` when not all rows arrive.
    """
    what = f"read_table {table}"
    complete = False
    try:
        with contextlib.ExitStack() as stack:
            # Not around the rows: what happens between them is the caller's.
            with connection.doing(what):
                transaction = stack.enter_context(connection.transactions.new(f"ytbuild: read {table}"))
                download = _Download.begin(connection, table, transaction, what)
            yield from download.rows()
            complete = True
    except ClusterError:
        # All rows are here; that the cluster could not end the transaction is of no interest.
        if not complete:
            raise


@dataclass
class _Download:
    """The rows of a table that nobody can change meanwhile, from the first to the last; `done` of them are here."""

    connection: Connection
    node: str
    count: int
    transaction: str
    what: str
    done: int = 0

    @classmethod
    def begin(cls, connection: Connection, table: str, transaction: str, what: str) -> _Download:
        """Keep the table as it is for the time of the transaction."""
        parameters = {"path": table, "mode": "snapshot", "transaction_id": transaction}
        with _missing_explained(connection, table):
            node = f"#{connection.command('lock', parameters)['node_id']}"
            attributes = nodes.attributes(connection, node, _ATTRIBUTES, transaction)
        return cls(connection, node, _checked_count(attributes, table), transaction, what)

    def rows(self) -> Iterator[Row]:
        """Give all rows; a broken answer is taken up where it ended."""
        backoff = self.connection.backoff()
        while self.done < self.count:
            before = self.done
            try:
                for row in self._attempt():
                    self.done += 1
                    yield row
                if self.done < self.count:
                    raise self._cut_short()
            except ClusterError as error:
                if not error.transient or not backoff.wait(got_on=self.done > before):
                    raise

    def _attempt(self) -> Iterator[Row]:
        with self.connection.translated(self.what):
            response = self._request()
        blocks = response.chunk_iter()
        rest = b""
        try:
            while True:
                with self.connection.translated(self.what):
                    block = next(blocks, b"")
                if not block:
                    break
                *lines, rest = (rest + block).split(b"\n")
                yield from map(self._row, lines)
            if rest:
                yield self._row(rest)
        finally:
            response.close()

    def _request(self) -> Any:
        from yt.wrapper.driver import make_request
        from yt.yson import to_yson_type

        ranges = [{"lower_limit": {"row_index": self.done}}]
        parameters = {
            "path": to_yson_type(self.node, attributes={"ranges": ranges}),
            "output_format": json_format(cluster_json.READ_WITH),
            "transaction_id": self.transaction,
        }
        return make_request(
            "read_table",
            parameters,
            return_content=False,
            use_heavy_proxy=True,
            allow_retries=False,
            client=self.connection.heavy_client(),
        )

    def _row(self, line: bytes) -> Row:
        try:
            return cluster_json.decoded(line)
        except ValueError:
            raise self._cut_short() from None

    def _cut_short(self) -> ClusterError:
        return ClusterError(
            f"{self.what}: only {self.done:,} of {self.count:,} rows arrived whole",
            "try again later; pipeline.prod.retry_seconds says how long to try",
            transient=True,
        )


def _checked_count(attributes: Any, table: str) -> int:
    if attributes.get("type") != "table":
        raise TableError(f"{table} is a {attributes.get('type')}, not a table", "correct the path")
    if attributes.get("dynamic"):
        raise TableError(
            f"{table} is a dynamic table", "ytbuild takes static tables only: dump it into one, or use yt.wrapper"
        )
    return int(attributes["row_count"])


@contextlib.contextmanager
def _missing_explained(connection: Connection, table: str) -> Iterator[None]:
    try:
        yield
    except ClusterError as error:
        if RESOLVE_ERROR not in error.codes:
            raise
        text = f"there is no table {table} on {connection.access.proxy}"
        raise TableError(text, "run the stage that writes it first, or correct the path") from None
