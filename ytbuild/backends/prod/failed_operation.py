"""Why an operation failed: the cluster's innermost reason, the end of what its jobs said, and a log of it all."""

from __future__ import annotations

import contextlib
import json
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ytbuild.backends.base import OperationSpec
from ytbuild.base.errors import ClusterError, JobFailed, OperationFailed
from ytbuild.base.text import last_lines, quote
from ytbuild.cluster import error_tree
from ytbuild.cluster.connection import Connection
from ytbuild.cluster.error_codes import LOCK_CONFLICT, RESOLVE_ERROR
from ytbuild.cluster.yson import plain

_UNSORTED = re.compile(r"Input table .* is (not sorted|sorted by columns .* not compatible)")

_SHOWN_JOBS = 3
_KNOWN_JOBS = 10


@dataclass(frozen=True)
class FailedJob:
    """A job that failed, and what it wrote to stderr; `stderr` is empty when the cluster has none."""

    id: str
    error: Any
    address: str
    stderr: str


def of_failed(
    connection: Connection, spec: OperationSpec, operation: str, link: str, log_dir: str
) -> OperationFailed:
    """Return the error of an operation that failed; whatever cannot be asked for any more is left out."""
    error = result_error(connection, operation)
    jobs = _failed_jobs(connection, operation)
    reason = _reason(connection, spec, error)
    said = [last_lines(job.stderr) for job in jobs[:_SHOWN_JOBS]]
    path = os.path.join(log_dir, f"{spec.stage}.{spec.name}.{operation}.log")
    hint = _advice(reason, error) + logged(connection, path, link, [error, *map(vars, jobs)])
    if not jobs:
        return OperationFailed(f"{spec.label} failed: {reason}", hint)
    text = f"{spec.label} failed: {reason}{_stderrs(jobs, said)}"
    return JobFailed(text, hint, "\n".join(filter(None, said)))


def result_error(connection: Connection, operation: str) -> Mapping[str, Any]:
    """Return the error that an operation ended with, as the cluster has it; empty when it cannot be asked."""
    with contextlib.suppress(ClusterError):
        answer = connection.command("get_operation", {"operation_id": operation, "attributes": ["result"]})
        return error_tree.plain((answer.get("result") or {}).get("error") or {})
    return {}


def reason_of(connection: Connection, error: Mapping[str, Any]) -> str:
    """Return the innermost message of an error, in one line and without secrets."""
    return error_tree.tidy(connection.mask(error_tree.innermost(error)))


def logged(connection: Connection, path: str, link: str, parts: Sequence[Any]) -> str:
    """Write the texts and values that tell of a failure into a new log, secrets masked.

    Returns the hint that says where to look: at the link, and in the log if it could be written.
    """
    text = "\n\n".join(part if isinstance(part, str) else _as_text(part) for part in (link, *parts))
    with contextlib.suppress(OSError):
        os.makedirs(os.path.dirname(path), exist_ok=True)
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(connection.mask(text) + "\n")
        return f"see {link}\nits whole log is {quote(path)}"
    return f"see {link}"


def _as_text(value: Mapping[str, Any]) -> str:
    """Return a mapping as JSON, but its `stderr` as it is, after the rest."""
    rest = {key: one for key, one in value.items() if key != "stderr"}
    text = json.dumps(plain(rest), indent=2, ensure_ascii=False, default=str)
    return f"{text}\n{value['stderr']}" if value.get("stderr") else text


def _reason(connection: Connection, spec: OperationSpec, error: Mapping[str, Any]) -> str:
    reason = reason_of(connection, error)
    if spec.time_limit is not None and "running for too long" in reason:
        return f"it ran longer than its time_limit, {spec.time_limit:g}s"
    return reason


def _advice(reason: str, error: Mapping[str, Any]) -> str:
    """Return what to do about tables that kept an operation from beginning; empty when it is not about them."""
    if _UNSORTED.search(reason):
        return "sort it before, with a sort operation or run_sort\n"
    codes = frozenset(error_tree.codes(error))
    if codes & {LOCK_CONFLICT}:
        return "somebody else writes it: wait until the other one ends\n"
    return "correct the path\n" if RESOLVE_ERROR in codes else ""


def _stderrs(jobs: Sequence[FailedJob], said: Sequence[str]) -> str:
    if not any(said):
        return "; its job wrote nothing to stderr"
    if len(said) == 1:
        return f"; the end of its stderr:\n{said[0]}"
    of_jobs = [
        f"\nthe end of the stderr of the job {job.id}:\n{text}" for job, text in zip(jobs, said, strict=False) if text
    ]
    return ";" + "".join(of_jobs)


def _failed_jobs(connection: Connection, operation: str) -> list[FailedJob]:
    parameters = {"operation_id": operation, "job_state": "failed", "limit": _KNOWN_JOBS}
    failed: list[FailedJob] = []
    with contextlib.suppress(ClusterError):
        is_reachable = True
        for job in connection.command("list_jobs", parameters)["jobs"]:
            id, stderr = str(job["id"]), ""
            if is_reachable:
                try:
                    stderr = _stderr(connection, operation, id)
                except ClusterError as error:
                    # A cluster that does not answer now is not asked, and waited for, once for each job.
                    is_reachable = not error.transient
            failed.append(FailedJob(id, plain(job.get("error")), str(job.get("address")), stderr))
    return failed


def _stderr(connection: Connection, operation: str, job: str) -> str:
    parameters = {"operation_id": operation, "job_id": job}
    return connection.mask(connection.read("get_job_stderr", parameters, heavy=False).decode("utf-8", "replace"))
