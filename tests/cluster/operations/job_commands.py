"""The commands about jobs."""

from __future__ import annotations

from collections import Counter
from typing import Any

from tests.cluster.errors import ClusterError
from tests.cluster.operations.model import NO_SUCH_JOB, Job, Operations
from tests.cluster.requests import Command, Request
from tests.cluster.state import State

# What list_jobs and get_job always show, whatever attributes were asked for.
ALWAYS = ("id", "operation_id")


def _list(state: State, request: Request) -> Any:
    operation = Operations.of(state).find(request.parameters)
    found = [job for job in operation.jobs.values() if _matches(job, request)]
    offset, limit = int(request.get("offset", 0)), int(request.get("limit", 1000))
    if request.get("sort_order") == "descending":
        found.reverse()
    shown = [_chosen(job.described(), request.get("attributes")) for job in found[offset : offset + limit]]
    jobs = operation.jobs.values()
    return {
        "jobs": shown,
        "type_counts": dict(Counter(job.type for job in jobs)),
        "state_counts": dict(Counter(job.state for job in jobs)),
        "cypress_job_count": 0,
        "controller_agent_job_count": len(jobs),
        "archive_job_count": 0,
        "errors": [],
    }


def _matches(job: Job, request: Request) -> bool:
    with_stderr = request.get("with_stderr")
    return (
        request.get("job_state", job.state) == job.state
        and request.get("job_type", job.type) == job.type
        and str(request.get("address", "")) in job.described()["address"]
        and (with_stderr is None or bool(with_stderr) == bool(job.stderr))
        and not request.get("with_fail_context")
    )


def _chosen(described: dict[str, Any], attributes: Any) -> dict[str, Any]:
    if attributes is None:
        return described
    return {key: value for key, value in described.items() if key in attributes or key in ALWAYS}


def _get(state: State, request: Request) -> Any:
    return _chosen(Operations.of(state).find_job(request.parameters).described(), request.get("attributes"))


def _stderr(state: State, request: Request) -> bytes:
    job = Operations.of(state).find_job(request.parameters)
    if job.stderr is None:
        raise ClusterError(NO_SUCH_JOB, f"Job stderr is not found: {job.id}")
    return job.stderr


def _input(state: State, request: Request) -> bytes:
    job = Operations.of(state).find_job(request.parameters)
    if job.input is None:
        raise ClusterError(NO_SUCH_JOB, f"Job {job.id} has no input")
    return job.input


COMMANDS = [
    Command("list_jobs", "null", "structured", False, False, _list),
    Command("get_job", "null", "structured", False, False, _get),
    Command("get_job_stderr", "null", "binary", False, True, _stderr),
    Command("get_job_input", "null", "binary", False, True, _input),
]
