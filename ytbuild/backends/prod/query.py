"""Queries on a cluster: YTsaurus docs, "Query Tracker"."""

from __future__ import annotations

import contextlib
import os
import time
from collections.abc import Mapping
from typing import Any

from ytbuild.backends.base import OperationProgress, OperationResult, OperationSpec, Resources, State
from ytbuild.backends.prod import failed_operation
from ytbuild.backends.prod.polled_handle import PolledHandle
from ytbuild.backends.prod.spec import rendered, with_row_weight
from ytbuild.base.errors import ClusterError, OperationFailed, QueryError
from ytbuild.base.signals import undisturbed
from ytbuild.cluster import web_interface
from ytbuild.cluster.commands import Command
from ytbuild.cluster.connection import Connection
from ytbuild.cluster.error_codes import QUERY_NOT_FOUND
from ytbuild.cluster.error_tree import plain as plain_error
from ytbuild.cluster.yson import json_format
from ytbuild.rows import cluster_json
from ytbuild.rows.row import Row

_STAGE = {"stage": "production"}

_NEW_SECONDS = 10
"""So long a query that was started may not be found."""


def start_query(connection: Connection, spec: OperationSpec, log_dir: str) -> QueryOperation:
    """Start the query of an operation of kind yql; `log_dir` is where the whole of what went wrong is written."""
    with undisturbed(), connection.doing(spec.label if spec.stage else spec.name):
        answer = connection.command("start_query", {**rendered(spec, None), **_STAGE})
        id = str(answer["query_id"])
        connection.started[id] = Command("abort_query", {"query_id": id, **_STAGE})
    return QueryOperation(connection, spec, id, log_dir)


def run_query(
    connection: Connection, query: str, pool: str, log_dir: str, max_row_weight: str | None = None
) -> list[Row]:
    """Run a query; return the rows of its last statement when that is a bare SELECT, else none.

    `max_row_weight` is the longest row that it may write, unless the text says that itself. An interrupt aborts it.
    Raises `QueryError` when it fails.
    """
    text = query if max_row_weight is None else with_row_weight(query, max_row_weight)
    spec = OperationSpec(stage="", name="run_yql", kind="yql", query=text, resources=Resources(pool=pool))
    started = start_query(connection, spec, log_dir)
    try:
        started.wait()
        return started.last_rows()
    except BaseException:
        started.abort()
        raise
    finally:
        connection.started.pop(started.id, None)


class QueryOperation(PolledHandle):
    """A query that was started."""

    def __init__(self, connection: Connection, spec: OperationSpec, id: str, log_dir: str) -> None:
        super().__init__(connection, spec, id, web_interface.query_link(connection, id))
        self._log_dir = log_dir
        self._results = 0

    def progress(self) -> OperationProgress:
        """Return nothing but what runs: a query does not say how far it is."""
        return OperationProgress(self._spec.kind, None, 0, 0, 0, 0)

    def last_rows(self) -> list[Row]:
        """Return the rows of the query's last result, none when it has no result.

        Raises `QueryError` when the cluster has kept only some of them.
        """
        if not self._results:
            return []
        with self._connection.doing(self._label):
            return self._connection.repeated(self._read)

    def _ask(self) -> Mapping[str, Any]:
        try:
            return self._get("state")
        except ClusterError as error:
            # The tracker's answer may come from a replica that has not heard of the query yet.
            if QUERY_NOT_FOUND in error.codes and not self._told and time.monotonic() < self._started + _NEW_SECONDS:
                return {}
            raise

    def _stop(self) -> None:
        self._connection.command("abort_query", {"query_id": self.id, **_STAGE})

    def _conclude(self, state: State, seconds: float) -> OperationResult:
        if state == "completed":
            self._results = int(self._get("result_count").get("result_count") or 0)
            return OperationResult(0, self._row_count(), seconds)
        if state == "aborted" and self._abort_asked:
            raise OperationFailed(f"{self._label} was aborted", "start it again")
        raise self._failure(state)

    def _failure(self, state: State) -> QueryError:
        try:
            error = plain_error(self._get("error").get("error") or {})
        except ClusterError as failure:
            error = {"message": f"the cluster no longer says why: {failure.message}"}
        name = ".".join(filter(None, [self._spec.stage, self._spec.name, self.id, "log"]))
        path = os.path.join(self._log_dir, name)
        hint = failed_operation.logged(self._connection, path, self.link, [str(self._spec.query), error])
        return QueryError(f"{self._label} {state}: {failed_operation.reason_of(self._connection, error)}", hint)

    def _get(self, *attributes: str) -> Mapping[str, Any]:
        parameters = {"query_id": self.id, "attributes": list(attributes), **_STAGE}
        query: Mapping[str, Any] = self._connection.command("get_query", parameters)
        return query

    def _meta(self) -> Mapping[str, Any]:
        parameters = {"query_id": self.id, "result_index": self._results - 1, **_STAGE}
        result: Mapping[str, Any] = self._connection.command("get_query_result", parameters)
        return result

    def _row_count(self) -> int:
        if not self._results:
            return 0
        return int((self._meta().get("data_statistics") or {}).get("row_count") or 0)

    def _read(self) -> list[Row]:
        meta = self._meta()
        if meta.get("error"):
            reason = failed_operation.reason_of(self._connection, plain_error(meta["error"]))
            raise QueryError(f"{self._label} failed: {reason}", f"see {self.link}")
        if meta.get("is_truncated"):
            hint = "write it into a table with INSERT INTO, and read that"
            raise QueryError(f"{self._label}: the cluster has kept only the first rows of the result", hint)
        parameters = {
            "query_id": self.id,
            "result_index": self._results - 1,
            "output_format": json_format(cluster_json.READ_WITH),
            **_STAGE,
        }
        content = self._connection.read("read_query_result", parameters)
        lines = content.splitlines()
        count = int((meta.get("data_statistics") or {}).get("row_count", len(lines)))
        # The client returns an answer that broke off as if it were whole.
        if len(lines) == count and (content.endswith(b"}\n") or not content):
            with contextlib.suppress(ValueError):
                return [cluster_json.decoded(line) for line in lines]
        text = f"{self._label}: the rows of the result did not arrive whole"
        raise ClusterError(text, "run it again", transient=True)
