"""Operations and jobs as the cluster remembers them, and what it tells about them."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster.errors import ClusterError, no_such_operation
from tests.cluster.nodes import new_id, timestamp
from tests.cluster.state import State

NODE_ADDRESS = "stand-in-node.example:9012"
FINISHED = ("completed", "failed", "aborted")
NO_SUCH_JOB = 203
HIDDEN = ("secure_vault",)


@dataclass
class Job:
    """One run of a job: a restart after a failure is another one with the same cookie."""

    id: str
    operation_id: str
    type: str
    task_name: str
    index: int
    task_index: int
    cookie: int
    start_time: float
    state: str = "running"
    finish_time: float | None = None
    error: dict[str, Any] | None = None
    stderr: bytes | None = None
    input: bytes | None = None

    def described(self) -> dict[str, Any]:
        """The job as list_jobs and get_job show it."""
        shown: dict[str, Any] = {
            "id": self.id,
            "operation_id": self.operation_id,
            "type": self.type,
            "task_name": self.task_name,
            "job_cookie": self.cookie,
            "state": self.state,
            "controller_state": self.state,
            "address": NODE_ADDRESS,
            "start_time": timestamp(self.start_time),
            "has_spec": True,
            "has_competitors": False,
            "is_stale": False,
            "pool_tree": "default",
            "fail_context_size": 0,
        }
        if self.finish_time is not None:
            shown["finish_time"] = timestamp(self.finish_time)
        if self.error is not None:
            shown["error"] = self.error
        if self.stderr:
            shown["stderr_size"] = len(self.stderr)
        return shown


@dataclass
class Operation:
    """One operation, from start_operation on."""

    id: str
    type: str
    spec: dict[str, Any]
    # All of what start_operation was called with, secrets included: for tests that search it.
    parameters: dict[str, Any]
    user: str
    folder: Path
    start_time: float
    unrecognized_spec: dict[str, Any]
    input_transaction: str = ""
    output_transaction: str = ""
    user_transaction: str | None = None
    state: str = "starting"
    finish_time: float | None = None
    error: ClusterError | None = None
    jobs: dict[str, Job] = field(default_factory=dict)
    planned_jobs: int = 0
    runner: asyncio.Task[None] | None = None
    # Cleared while the operation is suspended: jobs that wait for it do not start.
    may_start_jobs: asyncio.Event = field(default_factory=asyncio.Event)
    job_tasks: set[asyncio.Task[Any]] = field(default_factory=set)
    abort_reason: ClusterError | None = None
    completing: bool = False
    runtime_parameters: dict[str, Any] = field(default_factory=dict)
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.may_start_jobs.set()

    @property
    def finished(self) -> bool:
        return self.state in FINISHED

    def enter(self, state: str, now: float) -> None:
        """Go to another state."""
        self.state = state
        self.events.append({"state": state, "time": timestamp(now), "attributes": {}})
        if self.finished:
            self.finish_time = now

    def count(self, state: str) -> int:
        return sum(job.state == state for job in self.jobs.values())

    def stderrs(self) -> int:
        """How many jobs' stderr has been kept."""
        return sum(job.stderr is not None for job in self.jobs.values())

    def progress(self) -> dict[str, int]:
        """How many jobs are in which state; the client insists on all of these keys."""
        counted = Counter(job.state for job in self.jobs.values())
        pending = 0 if self.finished else self.planned_jobs - counted["running"] - counted["completed"]
        return {
            "running": counted["running"],
            "completed": counted["completed"],
            "pending": max(0, pending),
            "failed": counted["failed"],
            "aborted": counted["aborted"],
            "lost": 0,
            "invalidated": 0,
            "uncategorized": 0,
            "suspended": 0,
            "blocked": 0,
            "total": self.planned_jobs,
        }

    def described(self, now: float) -> dict[str, Any]:
        """All attributes that get_operation knows."""
        jobs = self.progress()
        spec = {key: value for key, value in self.spec.items() if key not in HIDDEN}
        shown: dict[str, Any] = {
            "id": self.id,
            "type": self.type,
            "operation_type": self.type,
            "state": self.state,
            "authenticated_user": self.user,
            "start_time": timestamp(self.start_time),
            "brief_progress": {"jobs": jobs, "build_time": timestamp(now)},
            "progress": {"jobs": jobs, "build_time": timestamp(now), "job_statistics": {}},
            "brief_spec": _brief(spec),
            "spec": spec,
            "full_spec": spec,
            "provided_spec": spec,
            "unrecognized_spec": {key: value for key, value in self.unrecognized_spec.items() if key not in HIDDEN},
            "result": {"error": self._result()},
            "alerts": {},
            "events": self.events,
            "suspended": not self.may_start_jobs.is_set(),
            "task_names": list(dict.fromkeys(job.task_name for job in self.jobs.values())),
            "runtime_parameters": self.runtime_parameters,
        }
        if self.finish_time is not None:
            shown["finish_time"] = timestamp(self.finish_time)
        return shown

    def _result(self) -> dict[str, Any]:
        nothing = {"code": 0, "message": "", "attributes": {}, "inner_errors": []}
        return self.error.as_dict() if self.error is not None else nothing


def _brief(spec: dict[str, Any]) -> dict[str, Any]:
    keys = ("title", "alias", "pool", "pool_trees", "input_table_paths", "output_table_paths", "started_by")
    return {key: spec[key] for key in keys if key in spec}


class Operations:
    """All operations of one stand-in, and the slots that their jobs share."""

    SLOTS = 4

    def __init__(self) -> None:
        self.by_id: dict[str, Operation] = {}
        self.slots = asyncio.Semaphore(self.SLOTS)

    @classmethod
    def of(cls, state: State) -> Operations:
        """The operations of a stand-in; its state knows nothing of them."""
        return vars(state).setdefault("operations", cls())  # type: ignore[no-any-return]

    def find(self, parameters: dict[str, Any]) -> Operation:
        """The operation that a request names, by its id or its alias."""
        wanted = parameters.get("operation_id")
        if wanted is not None and str(wanted) in self.by_id:
            return self.by_id[str(wanted)]
        alias = parameters.get("operation_alias")
        for operation in reversed(self.by_id.values()):
            if alias is not None and operation.spec.get("alias") == alias:
                return operation
        raise no_such_operation(str(wanted if wanted is not None else alias))

    def find_job(self, parameters: dict[str, Any]) -> Job:
        """The job that a request names, with its operation or without."""
        job_id = str(parameters.get("job_id"))
        named = "operation_id" in parameters or "operation_alias" in parameters
        for operation in [self.find(parameters)] if named else self.by_id.values():
            if job_id in operation.jobs:
                return operation.jobs[job_id]
        raise ClusterError(NO_SUCH_JOB, f"No such job {job_id}")


def new_job(operation: Operation, task_name: str, kind: str, cookie: int, now: float) -> Job:
    """A job that starts now."""
    task_index = sum(job.task_name == task_name for job in operation.jobs.values())
    job = Job(new_id(900), operation.id, kind, task_name, len(operation.jobs), task_index, cookie, now)
    operation.jobs[job.id] = job
    return job
