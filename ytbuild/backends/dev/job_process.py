"""Dev jobs: local subprocesses, each in a fresh sandbox and a process group of its own."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import IO

from ytbuild.backends.dev import repeat_script
from ytbuild.base.errors import OperationFailed, TableError
from ytbuild.config.stage import ARCHIVE_NAME
from ytbuild.jobenv.python import SITE_FOLDER, JobPython
from ytbuild.rows.check import RowChecker

_PASSED_ON = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "TMPDIR")
_GRACE_SECONDS = 3.0
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
class Running:
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
class JobEnd:
    """How a job ended: the rows it wrote, and what was wrong, an empty text when nothing was."""

    rows: int
    problem: str


@dataclass
class JobRunner:
    """Runs the jobs of one operation and can stop all that are running, from any thread."""

    python: JobPython
    dev_dir: str
    pipeline_dir: str
    keep_sandboxes: bool = False
    stopped: bool = field(default=False, init=False)
    _running: set[subprocess.Popen[bytes]] = field(default_factory=set, init=False)
    _lock: threading.Lock = field(default_factory=threading.Lock, init=False)

    def run(self, job: Job, running: Running) -> JobEnd:
        """Run a job to its end; its sandbox is removed unless it failed or all are kept."""
        _prepare(job)
        environment = self._environment(job)
        repeat_script.write(job.sandbox, job.command, environment, job.secret_names)
        end = self._supervised(job, environment, running)
        if not end.problem and not self.keep_sandboxes:
            shutil.rmtree(job.sandbox, ignore_errors=True)
            os.unlink(repeat_script.path(job.sandbox))
        return end

    def stop(self) -> None:
        """End every running job and start no other."""
        with self._lock:
            self.stopped = True
            running = list(self._running)
        self._end(*running)

    def _supervised(self, job: Job, environment: dict[str, str], running: Running) -> JobEnd:
        with contextlib.ExitStack() as files:
            log = files.enter_context(open(job.log, "wb"))
            stdin: IO[bytes] | int = subprocess.DEVNULL
            if job.stdin:
                stdin = running.input = files.enter_context(open(job.stdin, "rb"))
            with open(job.stdout, "wb") if job.stdout else contextlib.nullcontext(log) as stdout:
                process = self._start(["/bin/bash", "-c", job.command], job.sandbox, environment, stdin, stdout, log)
            watch = _Watch(self, process, job.time_limit)
            try:
                problem = self._checked(job, running, watch)
            except BaseException:
                self._end(process)
                raise
            finally:
                watch.join()
        return JobEnd(running.rows.rows if running.rows else 0, problem or watch.problem)

    def _checked(self, job: Job, running: Running, watch: _Watch) -> str:
        """Check the rows of a job until it ends; return what is wrong with one of them, an empty text for nothing."""
        if job.stdout is None:
            return ""
        running.rows = RowChecker(job.stdout, "stdout", job.max_row_weight)
        try:
            while not watch.ended.wait(_CHECK_SECONDS):
                running.rows.check(final=False)
            _detach(job.stdout)
            running.rows.check(final=True)
            if running.rows.is_unfinished:
                with open(job.stdout, "ab") as file:
                    file.write(b"\n")
        except TableError as error:
            if watch.ended.is_set() and watch.problem:
                # A job that died within a row: how it died says more.
                return ""
            self._end(watch.process)
            return f"wrote to {error.message}"
        return ""

    def _start(
        self,
        command: list[str],
        cwd: str,
        environment: dict[str, str],
        stdin: IO[bytes] | int,
        stdout: IO[bytes],
        log: IO[bytes],
    ) -> subprocess.Popen[bytes]:
        with self._lock:
            if self.stopped:
                raise OperationFailed("the operation was stopped before the job started", "run it again")
            process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdin=stdin, stdout=stdout, stderr=log, start_new_session=True
            )
            self._running.add(process)
        return process

    def _end(self, *processes: subprocess.Popen[bytes]) -> None:
        """End the whole process groups of jobs; what they left running in the background goes too."""
        for process in processes:
            _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while any(process.poll() is None for process in processes) and time.monotonic() < deadline:
            time.sleep(0.02)
        for process in processes:
            _signal_group(process, signal.SIGKILL)
            process.wait()
            with self._lock:
                self._running.discard(process)

    def _environment(self, job: Job) -> dict[str, str]:
        found = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        shims = os.path.join(self.dev_dir, "bin")
        found["PATH"] = f"{shims}:{os.environ.get('PATH', os.defpath)}"
        # A .pyc beside an extracted file with its fixed mtime would be taken for the next version's too.
        found["PYTHONDONTWRITEBYTECODE"] = "1"
        found["PYTHONPATH"] = SITE_FOLDER
        allowed = [job.sandbox]
        requirements = job.environment.get("YTBUILD_INSTALLED_REQUIREMENTS")
        if requirements:
            allowed.append(requirements)
        found["YTBUILD_DEV_SITE"] = self.python.site_settings(self.pipeline_dir, allowed)
        return found | dict(job.environment)


class _Watch:
    """Waits for a job in a thread of its own, ends it when its time is up, and ends what it left running."""

    def __init__(self, runner: JobRunner, process: subprocess.Popen[bytes], limit: float | None) -> None:
        self.process = process
        self.ended = threading.Event()
        self.problem = ""
        self._runner = runner
        self._limit = limit
        self._thread = threading.Thread(target=self._wait, name="job", daemon=True)
        self._thread.start()

    def join(self) -> None:
        """Wait for the end of the job; afterwards `problem` says how it failed."""
        self._thread.join()

    def _wait(self) -> None:
        try:
            code = self.process.wait(self._limit)
        except subprocess.TimeoutExpired:
            self.problem = f"ran longer than its job_time_limit, {self._limit:g}s"
        else:
            if code:
                self.problem = f"was killed by {_signal_name(-code)}" if code < 0 else f"exited with code {code}"
        self._runner._end(self.process)
        self.ended.set()


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


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
