"""The jobs of a leg: each on its range of rows, started again after a failure while the operation allows it."""

from __future__ import annotations

import itertools
import os
import shlex
import threading
import uuid
from dataclasses import dataclass, field

from ytbuild.backends.base import LegCommand, OperationProgress, OperationSpec
from ytbuild.backends.dev import repeat_script
from ytbuild.backends.dev.files import FileStore
from ytbuild.backends.dev.job_process import Job, JobProgress, JobRunner
from ytbuild.backends.dev.tables import TableStore
from ytbuild.base import children, files
from ytbuild.base.cancellation import Cancellation, Cancelled
from ytbuild.base.errors import JobFailed
from ytbuild.base.reporter import Reporter, Warned
from ytbuild.base.text import quote, tail
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.jobenv import requirements
from ytbuild.jobenv.interpreter import JobInterpreter
from ytbuild.rows import ranges


@dataclass(frozen=True)
class RunContext:
    """What all operations of a run share: the code, where tables and files lie, and how strict it is."""

    config: PipelineConfig
    archive: str
    interpreter: JobInterpreter
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
    running: list[JobProgress] = field(default_factory=list)
    done: int = 0

    def progress(self, rows_in: int) -> OperationProgress:
        """Return how far the leg is."""
        share = min(1.0, sum(job.read() for job in self.running) / self.size) if self.size else None
        written = sum(job.rows.rows for job in self.running if job.rows is not None)
        return OperationProgress(self.command.leg, share, rows_in, written, self.done, len(self.parts))


class LegRunner:
    """Runs the legs of one operation, one after the other; their files lie in `folder`."""

    def __init__(self, context: RunContext, spec: OperationSpec, name: str, reporter: Reporter) -> None:
        self.folder = os.path.join(context.config.dev_dir, "operations", name)
        self.failure: BaseException | None = None
        self.rows_in = 0
        self.cancellation = Cancellation()
        self._context = context
        self._spec = spec
        self._name = name
        self._reporter = reporter
        self._id = uuid.uuid4().hex
        self._files = tuple((context.files.existing(path), local) for path, local in spec.files)
        config = context.config
        self._jobs = JobRunner(
            context.interpreter, config.dev_dir, config.directory, context.keep_sandboxes, self.cancellation
        )
        self._lock = threading.Lock()
        self._failed_jobs = 0
        self._started_jobs = 0
        self._requirements: dict[str, str] = {}
        self._now: _Leg | None = None

    def prepare(self) -> None:
        """Install what requirements the stage has; raises `OperationFailed` when pip fails, and `Cancelled`."""
        context, config = self._context, self._context.config
        path = os.path.join(config.directory, "stages", self._spec.stage, "requirements.txt")
        if os.path.isfile(path):
            python = context.interpreter.executable
            folder = requirements.install(path, python, config.build_dir, context.archive, self.cancellation)
            self._requirements = {"YTBUILD_INSTALLED_REQUIREMENTS": folder}

    def progress(self) -> OperationProgress:
        """Return how far the leg is that runs now."""
        leg = self._now
        return leg.progress(self.rows_in) if leg else OperationProgress("", None, self.rows_in, 0, 0, 0)

    def give_up(self, failure: BaseException) -> None:
        """Remember the first failure and cancel all jobs; whatever fails afterwards fails because of that."""
        with self._lock:
            self.failure = self.failure or failure
        self.cancellation.cancel()

    def end_strays(self) -> None:
        """End what jobs left running outside of their process groups."""
        if self._started_jobs:
            children.kill_marked("YT_OPERATION_ID", self._id)

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
            jobs = [pool.submit(self._until_done, leg, index, source) for index in range(len(leg.parts))]
        if self.failure is not None:
            raise self.failure
        return [job.result() for job in jobs]

    def _until_done(self, leg: _Leg, index: int, source: str | None) -> tuple[str | None, int]:
        """Run one job, again after a failure as long as the operation allows; return its output and rows.

        Whatever it raises is the operation's failure, and ends the other jobs.
        """
        try:
            stdin = self._input(leg, index, source)
            for attempt in itertools.count():
                job = self._job(leg, index, attempt, stdin)
                progress = JobProgress()
                leg.running.append(progress)
                with files.translated(self.folder):
                    result = self._jobs.run(job, progress)
                if not result.problem:
                    break
                leg.running.remove(progress)
                self._note_failure(job, result.problem)
        except Cancelled:
            raise
        except BaseException as error:
            self.give_up(error)
            raise
        with self._lock:
            leg.done += 1
        return job.stdout, result.rows

    def _input(self, leg: _Leg, index: int, source: str | None) -> str | None:
        """Return the file with the rows of a job: the leg's own, or a copy of the job's range."""
        part = leg.parts[index]
        if part is None or source is None or len(leg.parts) == 1:
            return source
        path = self._file(f"{leg.command.leg}.{index}.in")
        ranges.copy_range(source, path, part)
        return path

    def _note_failure(self, job: Job, problem: str) -> None:
        """Count a failed job; raises `JobFailed` when the operation fails with it."""
        limit = self._spec.max_failed_job_count
        with self._lock:
            self._failed_jobs += 1
            failed = self._failed_jobs
        if failed >= limit:
            raise _job_error(job, problem)
        again = f"started again (failed jobs: {failed}, allowed: {limit - 1})"
        self._reporter.event(Warned(f"{job.label} {problem}; {again}"))

    def _job(self, leg: _Leg, index: int, attempt: int, stdin: str | None) -> Job:
        spec, context, name = self._spec, self._context, leg.command.leg
        number = f".{index}" if len(leg.parts) > 1 else ""
        leg_in_name = "" if name == spec.kind else f".{name}"
        retry = f".retry{attempt}" if attempt else ""
        return Job(
            label=f"{spec.label}: job {index} of {name}",
            command=leg.command.command,
            sandbox=os.path.join(self.folder, f"sandbox.{name}.{index}{retry}"),
            archive=context.archive,
            stdin=stdin,
            stdout=None if spec.kind == "vanilla" else self._file(f"{name}.{index}.out"),
            log=os.path.join(context.config.dev_dir, f"{self._name}{leg_in_name}{number}{retry}.log"),
            environment=self._environment(index, leg.parts[index]),
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
        variables = {
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
            variables |= {"YT_START_ROW_INDEX": str(part.first_row), "YT_FIRST_OUTPUT_TABLE_FD": "1"}
        return variables

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
