"""From start_operation to the end of an operation: its transactions, its jobs, its result."""

from __future__ import annotations

import asyncio
import shutil
import traceback
from typing import Any

from tests.cluster import table_content
from tests.cluster.errors import ClusterError, generic
from tests.cluster.nodes import new_id
from tests.cluster.operations import spec as specs
from tests.cluster.operations.keys import unrecognized
from tests.cluster.operations.kinds import KINDS, Prepared, Start
from tests.cluster.operations.model import Operation, Operations
from tests.cluster.operations.runner import JobRunner
from tests.cluster.paths import RichPath
from tests.cluster.requests import Request
from tests.cluster.state import State

# Operations keep their transactions alive themselves; here they simply do not expire.
NEVER = 10 * 365 * 24 * 3600.0
WATCH_PERIOD = 0.1
NOT_SCHEDULED = 200
FAILED_TO_PREPARE = 216


def start(state: State, request: Request) -> Operation:
    """Start an operation. A spec that cannot be read fails at once; wrong tables and files fail the operation."""
    kind, spec = str(request.get("operation_type")), request.get("spec")
    specs.check(kind, spec)
    operations = Operations.of(state)
    _check_alias(operations, spec.get("alias"))
    operation = Operation(
        id=new_id(1000),
        type=kind,
        spec=spec,
        parameters=dict(request.parameters),
        user=request.user,
        folder=state.folder / "operations" / str(len(operations.by_id)),
        start_time=state.clock.now(),
        unrecognized_spec=unrecognized(kind, spec),
        user_transaction=request.transaction,
    )
    try:
        prepared: Prepared | ClusterError = _prepare(state, operation)
    except ClusterError as error:
        if specs.is_unreadable(error):
            raise ClusterError(error.code, "Error starting operation", {"operation_type": kind}, [error]) from error
        prepared = ClusterError(FAILED_TO_PREPARE, "Operation failed to prepare", {"operation_type": kind}, [error])
    operations.by_id[operation.id] = operation
    operation.enter("starting", state.clock.now())
    operation.runner = asyncio.get_running_loop().create_task(_execute(state, operation, prepared))
    return operation


def _check_alias(operations: Operations, alias: str | None) -> None:
    for other in operations.by_id.values():
        if alias is not None and other.spec.get("alias") == alias and not other.finished:
            raise generic(f'Operation alias is already used by an operation: "{alias}" is {other.id}')


def _prepare(state: State, operation: Operation) -> Prepared:
    """Read the inputs and files, lock the outputs."""
    shutil.rmtree(operation.folder, ignore_errors=True)
    (operation.folder / "files").mkdir(parents=True)
    opened: list[str] = []
    try:
        for title in ("input", "output"):
            name = f"Scheduler {title} transaction of operation {operation.id}"
            opened.append(state.start_transaction(operation.user_transaction, NEVER, name))
        operation.input_transaction, operation.output_transaction = opened
        prepared = KINDS[operation.type](Start(state, operation))
        for path in prepared.outputs:
            _lock_output(state, operation, path)
        return prepared
    except Exception as error:
        for tx in opened:
            state.abort(tx)
        raise error if isinstance(error, ClusterError) else _bug() from error


def _bug() -> ClusterError:
    return generic(f"Bug in the stand-in: {traceback.format_exc()}")


def _lock_output(state: State, operation: Operation, path: RichPath) -> None:
    """Claim an output for the operation; one that is missing is made in its transaction."""
    node = table_content.destination(state, path, operation.output_transaction)
    state.transactions.lock(node, operation.output_transaction, "shared" if path.flag("append") else "exclusive")


async def _execute(state: State, operation: Operation, prepared: Prepared | ClusterError) -> None:
    if isinstance(prepared, ClusterError):
        finish(state, operation, "failed", prepared)
        return
    operation.enter("running", state.clock.now())
    watcher = asyncio.create_task(_watch(state, operation))
    try:
        limit = specs.integer(operation.spec, "time_limit", 0)
        async with asyncio.timeout(limit / 1000 if limit else None):
            outputs = await prepared.run(JobRunner(state, operation))
        operation.enter("completing", state.clock.now())
        for path, rows in zip(prepared.outputs, outputs, strict=True):
            state.write_rows(path, rows, operation.output_transaction)
        state.commit(operation.output_transaction)
        finish(state, operation, "completed", None)
    except TimeoutError:
        message = "Operation is running for too long, aborted"
        finish(state, operation, "failed", ClusterError(1, message, {"time_limit": limit}))
    except ClusterError as error:
        finish(state, operation, "failed", error)
    except asyncio.CancelledError:
        finish(state, operation, "aborted", operation.abort_reason or generic("The stand-in is shutting down"))
        if operation.abort_reason is None:
            raise
    except Exception:
        finish(state, operation, "failed", _bug())
    finally:
        watcher.cancel()


async def _watch(state: State, operation: Operation) -> None:
    """Abort the operation when its transactions go, that is, when the user's transaction was aborted."""
    while {operation.input_transaction, operation.output_transaction} <= state.transactions.open.keys():
        await asyncio.sleep(WATCH_PERIOD)
    if not operation.finished and operation.runner is not None:
        operation.abort_reason = generic("Operation transaction has expired or was aborted")
        operation.runner.cancel()


def finish(state: State, operation: Operation, final: str, error: ClusterError | None) -> None:
    """Note the end of an operation, once."""
    if operation.finished:
        return
    now = state.clock.now()
    for job in operation.jobs.values():
        if job.state == "running":
            job.state, job.finish_time = "aborted", now
    for tx in (operation.input_transaction, operation.output_transaction):
        if tx in state.transactions.open:
            state.abort(tx)
    stderr_error = _write_stderrs(state, operation)
    operation.error = error = error or stderr_error
    operation.enter("failed" if error and final == "completed" else final, now)
    shutil.rmtree(operation.folder, ignore_errors=True)


def _write_stderrs(state: State, operation: Operation) -> ClusterError | None:
    """Fill stderr_table_path; the cluster does so whatever became of the operation's other tables."""
    path = operation.spec.get("stderr_table_path")
    if path is None:
        return None
    rows = [
        {"job_id": job.id, "part_index": 0, "data": job.stderr}
        for job in sorted(operation.jobs.values(), key=lambda job: job.id)
        if job.stderr
    ]
    try:
        state.write_rows(path, rows, operation.user_transaction)
    except ClusterError as error:
        return error
    return None


async def abort(state: State, operation: Operation, user: str, message: Any) -> None:
    """Abort an operation and end its jobs. The scheduler forgets finished ones, and says so."""
    if operation.finished or operation.runner is None:
        raise ClusterError(NOT_SCHEDULED, f"No such operation {operation.id}")
    inner = [generic(str(message))] if message is not None else []
    operation.abort_reason = ClusterError(1, "Operation aborted by user request", {"user": user}, inner)
    operation.runner.cancel()
    await asyncio.wait([operation.runner])
    finish(state, operation, "aborted", operation.abort_reason)


async def complete(operation: Operation) -> None:
    """End an operation early, with what its finished jobs wrote."""
    if operation.finished or operation.runner is None:
        return
    operation.completing = True
    for job in list(operation.job_tasks):
        job.cancel()
    await asyncio.wait([operation.runner])
