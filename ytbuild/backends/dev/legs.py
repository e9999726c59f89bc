"""The jobs of a leg: each on its range of rows, started again after a failure while the operation allows it."""

from __future__ import annotations

import os
import shlex
import threading
import uuid
from collections.abc import Callable
from dataclasses import dataclass, field

from ytbuild.backends.base import LegCommand, OperationProgress, OperationSpec
from ytbuild.backends.dev import repeat_script, strays
from ytbuild.backends.dev.files import FileStore
from ytbuild.backends.dev.job_process import Job, JobRunner, Running
from ytbuild.backends.dev.tables import TableStore
from ytbuild.base import files
from ytbuild.base.cancellation import Cancellation
from ytbuild.base.errors import JobFailed, YtbuildError
from ytbuild.base.text import quote, tail
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.jobenv import requirements
from ytbuild.jobenv.python import JobPython
from ytbuild.rows import ranges

Warn = Callable[[str], None]


@dataclass(frozen=True)
class Surroundings:
    """What all operations of a run share: the code, where tables and files lie, and how strict it is."""

    config: PipelineConfig
    archive: str
    python: JobPython
    tables: TableStore
    files: FileStore
    keep_sandboxes: bool
    strict: bool


@dataclass
class _Leg:
    """A leg that runs, as progress shows it."""

    command: LegCommand
    parts: list[ranges.Range | None]
    size: int
    running: list[Running] = field(default_factory=list)
    done: int = 0

    def progress(self, rows_in: int) -> OperationProgress:
        """Return how far the leg is."""
        share = min(1.0, sum(job.read() for job in self.running) / self.size) if self.size else None
        written = sum(job.rows.rows for job in self.running if job.rows is not None)
        return OperationProgress(self.command.leg, share, rows_in, written, self.done, len(self.parts))


class LegRunner:
    """Runs the legs of one operation, one after the other; their files lie in `folder`."""

    def __init__(self, around: Surroundings, spec: OperationSpec, name: str, warned: Warn) -> None:
        self.folder = os.path.join(around.config.dev_dir, "operations", name)
        self.failure: YtbuildError | None = None
        self.rows_in = 0
        self.cancellation = Cancellation()
        self._around = around
        self._spec = spec
        self._name = name
        self._warned = warned
        self._id = uuid.uuid4().hex
        self._files = tuple((around.files.existing(path), local) for path, local in spec.files)
        self._jobs = JobRunner(around.python, around.config.dev_dir, around.config.directory, around.keep_sandboxes)
        self._lock = threading.Lock()
        self._failed_jobs = 0
        self._started_jobs = 0
        self._requirements: dict[str, str] = {}
        self._now: _Leg | None = None

    def prepare(self) -> None:
        """Install the stage's requirements, when it has any; raises `OperationFailed` when pip fails."""
        config = self._around.config
        path = os.path.join(config.directory, "stages", self._spec.stage, "requirements.txt")
        if os.path.isfile(path):
            python = self._around.python.executable
            folder = requirements.install(path, python, config.build_dir, self._around.archive)
            self._requirements = {"YTBUILD_INSTALLED_REQUIREMENTS": folder}

    def progress(self) -> OperationProgress:
        """Return how far the leg is that runs now."""
        leg = self._now
        return leg.progress(self.rows_in) if leg else OperationProgress("", None, self.rows_in, 0, 0, 0)

    def give_up(self, failure: YtbuildError) -> None:
        """Remember the first failure and end all jobs; whatever fails afterwards fails because of that."""
        with self._lock:
            self.failure = self.failure or failure
        self.cancellation.cancel()
        self._jobs.stop()

    def end_strays(self) -> None:
        """End what jobs left running outside of their process groups."""
        if self._started_jobs:
            strays.end("YT_OPERATION_ID", self._id)

    def run(self, command: LegCommand, source: str | None, rows_in: int) -> tuple[list[str], int]:
        """Run the jobs of a leg at once, each on its range of rows; return their outputs in order, and the rows.

        `rows_in` is the number of rows in the file `source`. A job without rows does not run: the cluster starts
        none either.
        """
        self.rows_in = rows_in
        parts: list[ranges.Range | None] = [None] * command.job_count
        if source is not None:
            parts = [part for part in ranges.ranges(source, rows_in, command.job_count) if part.rows]
        leg = self._now = _Leg(command, parts, os.path.getsize(source) if source else 0)
        ends = self._all(leg, source)
        return [output for output, _ in ends if output], sum(count for _, count in ends)

    def _all(self, leg: _Leg, source: str | None) -> list[tuple[str | None, int]]:
        from concurrent.futures import ThreadPoolExecutor

        if not leg.parts:
            return []
        # Copies of a vanilla job may wait for one another, so all of them run at once.
        at_once = len(leg.parts) if source is None else min(len(leg.parts), os.cpu_count() or 1)
        with ThreadPoolExecutor(at_once) as pool:
            waiting = [pool.submit(self._until_done, leg, index, source) for index in range(len(leg.parts))]
            errors = [error for future in waiting if (error := future.exception()) is not None]
        if self.failure is not None:
            raise self.failure
        if errors:
            raise errors[0]
        return [future.result() for future in waiting]

    def _until_done(self, leg: _Leg, index: int, source: str | None) -> tuple[str | None, int]:
        """Run one job, again after a failure as long as the operation allows; return its output and rows."""
        part = leg.parts[index]
        stdin = source
        if part is not None and source is not None and len(leg.parts) > 1:
            stdin = self._file(f"{leg.command.leg}.{index}.in")
            ranges.copy_range(source, stdin, part)
        for attempt in range(self._spec.max_failed_job_count):
            job = self._job(leg.command, index, len(leg.parts), attempt, stdin, part)
            running = Running()
            leg.running.append(running)
            try:
                with files.translated(self.folder):
                    end = self._jobs.run(job, running)
            except YtbuildError as error:
                self.give_up(error)
                break
            except BaseException:
                self._jobs.stop()
                raise
            if not end.problem:
                with self._lock:
                    leg.done += 1
                return job.stdout, end.rows
            leg.running.remove(running)
            if self._is_final(job, end.problem):
                break
        assert self.failure is not None
        raise self.failure

    def _is_final(self, job: Job, problem: str) -> bool:
        """Count a failed job; tell whether the operation fails with it."""
        limit = self._spec.max_failed_job_count
        with self._lock:
            self._failed_jobs += 1
            failed = self._failed_jobs
        if self._jobs.stopped or failed >= limit:
            self.give_up(_job_error(job, problem))
            return True
        self._warned(f"{job.label} {problem}; started again (failed jobs: {failed}, allowed: {limit - 1})")
        return False

    def _job(
        self, leg: LegCommand, index: int, count: int, attempt: int, stdin: str | None, part: ranges.Range | None
    ) -> Job:
        spec, around = self._spec, self._around
        number = f".{index}" if count > 1 else ""
        shown_leg = "" if leg.leg == spec.kind else f".{leg.leg}"
        retried = f".retry{attempt}" if attempt else ""
        return Job(
            label=f"{spec.label}: job {index} of {leg.leg}",
            command=leg.command,
            sandbox=os.path.join(self.folder, f"sandbox.{leg.leg}.{index}{retried}"),
            archive=around.archive,
            stdin=stdin,
            stdout=None if spec.kind == "vanilla" else self._file(f"{leg.leg}.{index}.out"),
            log=os.path.join(around.config.dev_dir, f"{self._name}{shown_leg}{number}{retried}.log"),
            environment=self._environment(index, part),
            secret_names=spec.secret_names,
            files=self._files,
            max_row_weight=spec.max_row_weight,
            time_limit=spec.job_time_limit,
        )

    def _environment(self, index: int, part: ranges.Range | None) -> dict[str, str]:
        with self._lock:
            number = self._started_jobs
            self._started_jobs += 1
        own = self._spec.environment
        found = {
            **own,
            **{f"YT_SECURE_VAULT_{name}": own[name] for name in self._spec.secret_names if name in own},
            **self._requirements,
            "YT_STAGE_NAME": self._spec.stage,
            "YT_OPERATION_ID": self._id,
            "YT_JOB_ID": f"{self._id}-{number}",
            "YT_JOB_INDEX": str(index),
            "YT_TASK_JOB_INDEX": str(index),
            "YT_JOB_COOKIE": str(index),
        }
        if part is not None:
            found |= {"YT_START_ROW_INDEX": str(part.first_row), "YT_FIRST_OUTPUT_TABLE_FD": "1"}
        return found

    def _file(self, name: str) -> str:
        return os.path.join(self.folder, name)


def _job_error(job: Job, problem: str) -> JobFailed:
    """Return the error that tells the user: how a job ended, the end of its stderr, and how to run it again."""
    said = tail(job.log)
    text = f"; the end of its stderr:\n{said}" if said else "; it wrote nothing to stderr"
    feed = f" < {shlex.quote(job.stdin)}" if job.stdin else ""
    return JobFailed(
        f"{job.label} {problem}{text}",
        f"its log is {quote(job.log)}, its sandbox {quote(job.sandbox)}; run it again with:\n"
        f"  {shlex.quote(repeat_script.path(job.sandbox))}{feed}",
        said,
    )
