"""Operations on a cluster: started through the official client's builders, and asked by us how they stand."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from typing import Any

from ytbuild.backends.base import OperationProgress, OperationResult, OperationSpec, State
from ytbuild.backends.prod import failed_operation, start_operation, typed_job
from ytbuild.backends.prod.polled_handle import PolledHandle
from ytbuild.backends.prod.query import QueryOperation, run_query, start_query
from ytbuild.backends.prod.start_operation import Before
from ytbuild.base.errors import ClusterError, OperationFailed
from ytbuild.base.reporter import Reporter, Warned
from ytbuild.cluster import web_interface
from ytbuild.cluster.connection import Connection

__all__ = ["ProdOperation", "run_query", "start"]

_ATTRIBUTES = ["state", "brief_progress"]


def start(
    connection: Connection,
    spec: OperationSpec,
    archive: str | None,
    reporter: Reporter,
    log_dir: str,
) -> ProdOperation | QueryOperation:
    """Start an operation, or the query of one of kind yql, and return at once.

    `archive` is the Cypress path of the code that jobs get, if there is any. `reporter` hears, once, when the cluster
    has too many operations. `log_dir` is where the whole of what went wrong is written. Raises `TableError` for a
    missing input table, `TypedJobError` when a TypedJob cannot be sent, `ValueError` for a TypedJob beside a command,
    and `ClusterError` for what the cluster says.
    """
    if spec.kind == "yql":
        return start_query(connection, spec, log_dir)
    typed_job.check(spec)
    with connection.doing(spec.label):
        before = start_operation.prepare(connection, spec)
        started = start_operation.start(connection, spec, archive, before, reporter)
    return ProdOperation(connection, spec, before, started, reporter, log_dir)


class ProdOperation(PolledHandle):
    """An operation that was started on a cluster."""

    def __init__(
        self,
        connection: Connection,
        spec: OperationSpec,
        before: Before,
        started: start_operation.Started,
        reporter: Reporter,
        log_dir: str,
    ) -> None:
        super().__init__(connection, spec, started.id, web_interface.operation_link(connection, started.id))
        self._before = before
        self._finalize = started.finalize
        self._reporter = reporter
        self._log_dir = log_dir
        self._attributes = [*_ATTRIBUTES, "unrecognized_spec"] if spec.passed_on.get("spec") else _ATTRIBUTES

    def progress(self) -> OperationProgress:
        """Return how many of the operation's jobs are done, run and have failed."""
        with contextlib.suppress(ClusterError):
            self._look(self._connection.config.poll_seconds, wait=False)
        jobs: Mapping[str, Any] = (self._told.get("brief_progress") or {}).get("jobs") or {}
        spec = self._spec
        return OperationProgress(
            leg=spec.legs[0].leg if len(spec.legs) == 1 else spec.kind,
            share=None,
            rows_in=self._before.rows_in,
            rows_out=0,
            jobs_done=_number(jobs.get("completed")),
            jobs=_number(jobs.get("total")),
            jobs_running=_number(jobs.get("running")),
            jobs_failed=_number(jobs.get("failed")),
        )

    def _ask(self) -> Mapping[str, Any]:
        parameters = {"operation_id": self.id, "attributes": self._attributes}
        operation: Mapping[str, Any] = self._connection.command("get_operation", parameters)
        if operation.get("unrecognized_spec"):
            self._attributes = _ATTRIBUTES
            unknown = set(self._spec.passed_on["spec"]) & set(operation["unrecognized_spec"])
            if unknown:
                keys = ", ".join(sorted(unknown))
                warning = f"{self._spec.label}: the cluster does not know these keys of spec: {keys}"
                self._reporter.event(Warned(warning))
        return operation

    def _stop(self) -> None:
        self._connection.command("abort_operation", {"operation_id": self.id})

    def _conclude(self, state: State, seconds: float) -> OperationResult:
        connection, spec = self._connection, self._spec
        with contextlib.suppress(ClusterError), connection.translated(spec.label):
            self._finalize(state)
        if state == "completed":
            return OperationResult(
                self._before.rows_in, start_operation.rows_out(connection, spec, self._before), seconds
            )
        if state == "failed":
            raise failed_operation.of_failed(connection, spec, self.id, self.link, self._log_dir)
        if self._abort_asked:
            raise OperationFailed(f"{spec.label} was aborted", "start it again")
        reason = failed_operation.reason_of(connection, failed_operation.result_error(connection, self.id))
        raise OperationFailed(f"{spec.label} was aborted on the cluster: {reason}", f"see {self.link}")


def _number(value: Any) -> int:
    """Return a number of jobs; some clusters count those of one state by its reasons."""
    if isinstance(value, Mapping):
        return int(value["total"]) if "total" in value else sum(_number(one) for one in value.values())
    return int(value or 0)
