"""Runs the jobs of an operation: in parallel, each failed one again, until too many have failed."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from yt.yson import YsonError

from tests.cluster import ordering
from tests.cluster.errors import ClusterError, unsorted
from tests.cluster.operations import sandbox, spec, streams
from tests.cluster.operations.model import Job, Operation, Operations, new_job
from tests.cluster.operations.process import Exit, Launch, run_process
from tests.cluster.operations.spec import UserJob
from tests.cluster.operations.weights import Row, row_weight
from tests.cluster.ordering import Keys
from tests.cluster.schema import Schema
from tests.cluster.state import State

JOB_TIME_LIMIT_EXCEEDED = 1202
USER_JOB_FAILED = 1205
NON_ZERO_EXIT_CODE = 10000
NON_ZERO_SIGNAL = 10001
FAILED_ON_JOB_RESTART = 210
FAILED_JOBS_LIMIT_EXCEEDED = 215
ROW_WEIGHT_LIMIT_EXCEEDED = 309

Outputs = list[list[Row]]


@dataclass
class JobInput:
    """What one job reads; None for jobs without an input."""

    rows: Sequence[streams.InputRow] | None = None
    start_row: int = 0
    encoded: bytes | None = None


@dataclass(frozen=True)
class Task:
    """Jobs of one kind."""

    name: str
    kind: str
    user_job: UserJob
    artifacts: list[sandbox.Artifact]
    outputs: int
    control: streams.Control
    max_row_weight: int
    # By output: the columns that its rows must be sorted by, and the schema of its table.
    sorted_by: list[Keys] = field(default_factory=list)
    schemas: list[Schema] = field(default_factory=list)

    def output_fds(self) -> list[int]:
        first = sandbox.first_output_fd(self.user_job)
        return [first + 3 * index for index in range(self.outputs)]


class JobFailedError(Exception):
    """One run of a job failed."""

    def __init__(self, reason: ClusterError) -> None:
        super().__init__(reason.message)
        self.reason = reason


class JobRunner:
    """The jobs of one operation."""

    def __init__(self, state: State, operation: Operation) -> None:
        self.state = state
        self.operation = operation
        self.slots = Operations.of(state).slots

    async def run(self, task: Task, inputs: Sequence[JobInput]) -> list[Outputs]:
        """What all jobs of a task wrote, by job and output."""
        return (await self.run_all([(task, inputs)]))[0]

    async def run_all(self, planned: Sequence[tuple[Task, Sequence[JobInput]]]) -> list[list[Outputs]]:
        """The same for several tasks at once. Jobs that complete_operation cut off are left out."""
        if self.operation.completing:
            return [[] for _ in planned]
        by_task = [
            [asyncio.create_task(self._until_done(task, each, cookie)) for cookie, each in enumerate(inputs)]
            for task, inputs in planned
        ]
        jobs = [job for started in by_task for job in started]
        self.operation.planned_jobs += len(jobs)
        self.operation.job_tasks |= set(jobs)
        try:
            if jobs:
                await asyncio.wait(jobs, return_when=asyncio.FIRST_EXCEPTION)
            for job in jobs:
                if job.done() and not job.cancelled():
                    job.result()
            return [[job.result() for job in started if not job.cancelled()] for started in by_task]
        finally:
            for job in jobs:
                job.cancel()
            await asyncio.gather(*jobs, return_exceptions=True)
            self.operation.job_tasks -= set(jobs)

    async def _until_done(self, task: Task, each: JobInput, cookie: int) -> Outputs:
        while True:
            await self.operation.may_start_jobs.wait()
            async with self.slots:
                job = new_job(self.operation, task.name, task.kind, cookie, self.state.clock.now())
                try:
                    return await self._attempt(task, each, job)
                except JobFailedError as failure:
                    self._failed(job, failure.reason)
                except asyncio.CancelledError:
                    job.state, job.finish_time = "aborted", self.state.clock.now()
                    raise

    async def _attempt(self, task: Task, each: JobInput, job: Job) -> Outputs:
        folder = self.operation.folder / "jobs" / str(job.index)
        try:
            launch = await self._launch(task, each, job, folder)
            ended = await run_process(launch)
            if self.operation.stderrs() < spec.integer(
                self.operation.spec, "max_stderr_count", spec.DEFAULT_MAX_STDERRS
            ):
                job.stderr = ended.stderr
            _check_exit(ended, task)
            outputs = await asyncio.to_thread(_decode, task, ended)
        finally:
            shutil.rmtree(folder, ignore_errors=True)
        job.state, job.finish_time = "completed", self.state.clock.now()
        return outputs

    async def _launch(self, task: Task, each: JobInput, job: Job, folder: Path) -> Launch:
        place = folder / "sandbox"
        await asyncio.to_thread(sandbox.make_sandbox, place, task.artifacts, task.user_job)
        if each.rows is not None and each.encoded is None:
            each.encoded = await _encoded(task, each.rows)
        job.input = each.encoded
        return Launch(
            job_id=job.id,
            command=task.user_job.command,
            folder=folder,
            sandbox=place,
            environment=sandbox.environment(self.operation, job, task.user_job, place, each.start_row),
            stdin=each.encoded,
            output_fds=task.output_fds(),
            redirect_stdout=task.user_job.redirect_stdout,
            time_limit=task.user_job.time_limit,
            stderr_limit=task.user_job.stderr_limit,
        )

    def _failed(self, job: Job, reason: ClusterError) -> None:
        """Note a failure; end the operation when it was one too many."""
        job.state, job.finish_time, job.error = "failed", self.state.clock.now(), reason.as_dict()
        if self.operation.spec.get("fail_on_job_restart"):
            message = 'Job failed; operation failed because spec option "fail_on_job_restart" is set'
            raise ClusterError(FAILED_ON_JOB_RESTART, message, {"job_id": job.id}, [reason])
        limit = spec.integer(self.operation.spec, "max_failed_job_count", spec.DEFAULT_MAX_FAILED_JOBS)
        if self.operation.count("failed") >= limit:
            attributes: dict[str, Any] = {"max_failed_job_count": limit, "job_id": job.id}
            raise ClusterError(FAILED_JOBS_LIMIT_EXCEEDED, "Failed jobs limit exceeded", attributes, [reason])


async def _encoded(task: Task, rows: Sequence[streams.InputRow]) -> bytes:
    try:
        return await asyncio.to_thread(streams.encode_input, rows, task.user_job.input_format, task.control)
    except (ClusterError, ValueError) as error:
        raise _job_failed(ClusterError(1, f"Error writing rows to the job: {error}")) from error


def _job_failed(*inner: ClusterError) -> JobFailedError:
    return JobFailedError(ClusterError(USER_JOB_FAILED, "User job failed", None, list(inner)))


def _check_exit(ended: Exit, task: Task) -> None:
    if ended.timed_out:
        limit = int((task.user_job.time_limit or 0) * 1000)
        raise _job_failed(ClusterError(JOB_TIME_LIMIT_EXCEEDED, "Job time limit exceeded", {"limit": limit}))
    if ended.code > 0:
        message = f"Process exited with code {ended.code}"
        raise _job_failed(ClusterError(NON_ZERO_EXIT_CODE, message, {"exit_code": ended.code}))
    if ended.code < 0:
        message = f"Process terminated by signal {-ended.code}"
        raise _job_failed(ClusterError(NON_ZERO_SIGNAL, message, {"signal": -ended.code}))
    changed = [artifact.name for artifact in task.artifacts if artifact.changed()]
    if changed:
        raise _job_failed(ClusterError(1, f"The job wrote into its read-only files: {', '.join(changed)}"))


def _decode(task: Task, ended: Exit) -> Outputs:
    outputs: Outputs = [[] for _ in ended.outputs]
    for index, data in enumerate(ended.outputs):
        try:
            for target, row in streams.decode_output(data, task.user_job.output_format, index):
                outputs[target].append(row)
        except (ClusterError, ValueError, LookupError, YsonError) as error:
            reason = error if isinstance(error, ClusterError) else ClusterError(1, str(error))
            message = f"Error parsing output table {index}"
            raise _job_failed(ClusterError(1, message, {"output_table_index": index}, [reason])) from error
    for index, rows in enumerate(outputs):
        _check_rows(task, index, rows)
    return outputs


def _check_rows(task: Task, index: int, rows: list[Row]) -> None:
    for row in rows:
        if (weight := row_weight(row)) >= task.max_row_weight:
            attributes = {"row_weight": weight, "row_weight_limit": task.max_row_weight}
            raise _job_failed(ClusterError(ROW_WEIGHT_LIMIT_EXCEEDED, "Row weight is too large", attributes))
        try:
            task.schemas[index].check(row)
        except ClusterError as error:
            raise _job_failed(error) from error
    wrong = ordering.first_unsorted(rows, task.sorted_by[index])
    if wrong is not None:
        raise _job_failed(unsorted(f"Sort order violation: {wrong[0]} > {wrong[1]}", output_table_index=index))
