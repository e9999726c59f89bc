"""Dev jobs: local subprocesses, each in a fresh sandbox and a process group of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from subprocess import DEVNULL
from typing import IO

from ytbuild.backends.dev import repeat_script
from ytbuild.base import children
from ytbuild.base.cancellation import Cancellation
from ytbuild.base.children import Child, ExitStatus
from ytbuild.base.errors import TableError
from ytbuild.config.stage import ARCHIVE_NAME
from ytbuild.jobenv.interpreter import SITE_FOLDER, JobInterpreter
from ytbuild.rows.check import RowChecker

_CHECK_SECONDS = 0.004


@dataclass(frozen=True)
class Job:
    """One command to run.

    `stdin` and `stdout` are files, None for no rows; `log` gets stderr (and stdout where there are no rows).
    `sandbox` is made anew. `archive` appears in it as `source.tar.gz` and `files` under their names, as links: the
    cluster's jobs see links too. `time_limit` is in seconds, `max_row_weight` in bytes.
    """

    label: str
    command: str
    sandbox: str
    archive: str
    stdin: str | None
    stdout: str | None
    log: str
    environment: Mapping[str, str]
    secret_names: tuple[str, ...]
    files: tuple[tuple[str, str], ...]
    max_row_weight: int
    time_limit: float | None


@dataclass
class JobProgress:
    """What can be seen of a job from outside while it runs."""

    input: IO[bytes] | None = None
    rows: RowChecker | None = None

    def read(self) -> int:
        """Return how many bytes of its input the job has taken: the file's position is shared with it."""
        if self.input is None or self.input.closed:
            return 0
        with contextlib.suppress(OSError, ValueError):
            return os.lseek(self.input.fileno(), 0, os.SEEK_CUR)
        return 0


@dataclass(frozen=True)
class JobResult:
    """How a job ended: the rows it wrote, and what was wrong, an empty text when nothing was."""

    rows: int
    problem: str


@dataclass(frozen=True)
class JobRunner:
    """Runs the jobs of one operation until it is cancelled."""

    interpreter: JobInterpreter
    dev_dir: str
    pipeline_dir: str
    keep_sandboxes: bool
    cancellation: Cancellation

    def run(self, job: Job, progress: JobProgress) -> JobResult:
        """Run a job to its end; its sandbox is removed unless it failed or all are kept.

        Raises `Cancelled` when the operation is; the job has ended then.
        """
        self.cancellation.check()
        _prepare(job)
        environment = self._environment(job)
        repeat_script.write(job.sandbox, job.command, environment, job.secret_names)
        result = self._supervised(job, environment, progress)
        self.cancellation.check()
        if not result.problem and not self.keep_sandboxes:
            shutil.rmtree(job.sandbox, ignore_errors=True)
            os.unlink(repeat_script.path(job.sandbox))
        return result

    def _supervised(self, job: Job, environment: dict[str, str], progress: JobProgress) -> JobResult:
        with contextlib.ExitStack() as opened:
            log = opened.enter_context(open(job.log, "wb"))
            stdin: IO[bytes] | int = DEVNULL
            if job.stdin:
                stdin = progress.input = opened.enter_context(open(job.stdin, "rb"))
            with open(job.stdout, "wb") if job.stdout else contextlib.nullcontext(log) as stdout:
                child = Child(
                    ["/bin/bash", "-c", job.command],
                    cwd=job.sandbox,
                    environment=environment,
                    stdin=stdin,
                    stdout=stdout,
                    stderr=log,
                    time_limit=job.time_limit,
                )
            with child, self.cancellation.interrupting(child.end):
                problem = _checked(job, progress, child)
        return JobResult(progress.rows.rows if progress.rows else 0, problem)

    def _environment(self, job: Job) -> dict[str, str]:
        variables = children.inherited()
        shims = os.path.join(self.dev_dir, "bin")
        variables["PATH"] = f"{shims}:{variables.get('PATH', os.defpath)}"
        # A .pyc beside an extracted file with its fixed mtime would be taken for the next version's too.
        variables["PYTHONDONTWRITEBYTECODE"] = "1"
        variables["PYTHONPATH"] = SITE_FOLDER
        allowed = [job.sandbox]
        requirements = job.environment.get("YTBUILD_INSTALLED_REQUIREMENTS")
        if requirements:
            allowed.append(requirements)
        variables["YTBUILD_DEV_SITE"] = self.interpreter.site_settings(self.pipeline_dir, allowed)
        return variables | dict(job.environment)


def _checked(job: Job, progress: JobProgress, child: Child) -> str:
    """Check the rows of a job until it ends; return what is wrong with them or with it, an empty text for nothing."""
    if job.stdout is None:
        return _problem(job, child.wait())
    progress.rows = RowChecker(job.stdout, "stdout", job.max_row_weight)
    try:
        while not child.ended.wait(_CHECK_SECONDS):
            progress.rows.check(final=False)
        _detach(job.stdout)
        progress.rows.check(final=True)
        if progress.rows.is_unfinished:
            with open(job.stdout, "ab") as file:
                file.write(b"\n")
    except TableError as error:
        # Of a job that died within a row, how it died says more.
        died = child.ended.is_set() and _problem(job, child.wait())
        return died or f"wrote to {error.message}"
    return _problem(job, child.wait())


def _problem(job: Job, status: ExitStatus) -> str:
    return f"ran longer than its job_time_limit, {job.time_limit:g}s" if status.timed_out else status.problem


def _detach(path: str) -> None:
    """Make sure that nobody writes to a job's output any more: a process that left the job's group still may.

    A read lease is granted only for a file that nobody has open for writing (fcntl(2)); without one, a copy takes
    the file's place.
    """
    with contextlib.suppress(OSError, AttributeError), open(path, "rb") as file:
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_RDLCK)
        fcntl.fcntl(file, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        return
    shutil.copyfile(path, f"{path}.copy")
    os.replace(f"{path}.copy", path)


def _prepare(job: Job) -> None:
    shutil.rmtree(job.sandbox, ignore_errors=True)
    os.makedirs(job.sandbox)
    os.symlink(job.archive, os.path.join(job.sandbox, ARCHIVE_NAME))
    for path, name in job.files:
        os.symlink(path, os.path.join(job.sandbox, name))
    os.makedirs(os.path.dirname(job.log), exist_ok=True)
