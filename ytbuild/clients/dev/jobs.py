"""Dev jobs: local subprocesses, each in a fresh sandbox and a process group of its own."""

from __future__ import annotations

import contextlib
import os
import shlex
import shutil
import signal
import subprocess
import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import IO

from ytbuild.clients.dev.python import SITE_FOLDER, JobPython
from ytbuild.errors import OperationFailed
from ytbuild.text import quote

_PASSED_ON = ("HOME", "LANG", "LANGUAGE", "LC_ALL", "LC_CTYPE", "TMPDIR", "TZ", "USER")
_TAIL_LINES = 20
_TAIL_BYTES = 16 << 10
_GRACE_SECONDS = 3.0


@dataclass(frozen=True)
class Job:
    """One command to run.

    `stdin` and `stdout` are files, None for no rows; `log` gets stderr (and stdout where there are no rows).
    `sandbox` is made anew. `archive` appears in it as `source.tar.gz`, as a link: the cluster's jobs see links too.
    """

    shown: str
    command: str
    sandbox: str
    archive: str
    stdin: str | None
    stdout: str | None
    log: str
    environment: Mapping[str, str]
    secret_names: tuple[str, ...] = ()


@dataclass(frozen=True)
class JobFailure:
    """How a job ended that did not succeed."""

    job: Job
    code: int

    def error(self) -> OperationFailed:
        """Return the error that tells the user: how it ended, the end of its stderr, and how to run it again."""
        how = f"was killed by {_signal_name(-self.code)}" if self.code < 0 else f"exited with code {self.code}"
        tail = _tail(self.job.log)
        said = f"; the end of its stderr:\n{tail}" if tail else "; it wrote nothing to stderr"
        feed = f" < {shlex.quote(self.job.stdin)}" if self.job.stdin else ""
        return OperationFailed(
            f"{self.job.shown} {how}{said}",
            f"its log is {quote(self.job.log)}, its sandbox {quote(self.job.sandbox)}; run it again with:\n"
            f"  {shlex.quote(_repeat_path(self.job))}{feed}",
        )


class JobRunner:
    """Runs jobs and can stop all that are running, from any thread."""

    def __init__(self, python: JobPython, dev_dir: str, pipeline_dir: str) -> None:
        self._python = python
        self._dev_dir = dev_dir
        self._pipeline_dir = pipeline_dir
        self._running: set[subprocess.Popen[bytes]] = set()
        self._lock = threading.Lock()
        self._stopped = False

    def run(self, job: Job) -> JobFailure | None:
        """Run a job to its end; its sandbox is removed unless it failed."""
        _prepare(job)
        environment = self._environment(job)
        _write_repeat(job, environment)
        command = ["/bin/bash", "-c", job.command]
        with contextlib.ExitStack() as files:
            log = files.enter_context(open(job.log, "wb"))
            stdin: IO[bytes] | int = subprocess.DEVNULL
            if job.stdin:
                stdin = files.enter_context(open(job.stdin, "rb"))
            stdout = files.enter_context(open(job.stdout, "wb")) if job.stdout else log
            process = self._start(command, job.sandbox, environment, stdin, stdout, log)
            try:
                code = process.wait()
            finally:
                self._end(process)
        if code:
            return JobFailure(job, code)
        shutil.rmtree(job.sandbox, ignore_errors=True)
        os.unlink(_repeat_path(job))
        return None

    def stop(self) -> None:
        """End every running job and start no other."""
        with self._lock:
            self._stopped = True
            running = list(self._running)
        for process in running:
            self._end(process)

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
            if self._stopped:
                raise OperationFailed("the run was stopped before the job started", "run it again")
            process = subprocess.Popen(
                command, cwd=cwd, env=environment, stdin=stdin, stdout=stdout, stderr=log, start_new_session=True
            )
            self._running.add(process)
        return process

    def _end(self, process: subprocess.Popen[bytes]) -> None:
        """End a job's whole process group; what the job left running in the background goes too."""
        _signal_group(process, signal.SIGTERM)
        deadline = time.monotonic() + _GRACE_SECONDS
        while process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.02)
        _signal_group(process, signal.SIGKILL)
        process.wait()
        with self._lock:
            self._running.discard(process)

    def _environment(self, job: Job) -> dict[str, str]:
        found = {name: os.environ[name] for name in _PASSED_ON if name in os.environ}
        shims = os.path.join(self._dev_dir, "bin")
        found["PATH"] = f"{shims}:{os.environ.get('PATH', os.defpath)}"
        # A .pyc beside an extracted file with its fixed mtime would be taken for the next version's too.
        found["PYTHONDONTWRITEBYTECODE"] = "1"
        found["PYTHONPATH"] = SITE_FOLDER
        allowed = [job.sandbox]
        requirements = job.environment.get("YTBUILD_INSTALLED_REQUIREMENTS")
        if requirements:
            allowed.append(requirements)
        found["YTBUILD_DEV_SITE"] = self._python.site_settings(self._pipeline_dir, allowed)
        return found | dict(job.environment)


def _prepare(job: Job) -> None:
    shutil.rmtree(job.sandbox, ignore_errors=True)
    os.makedirs(job.sandbox)
    os.symlink(job.archive, os.path.join(job.sandbox, "source.tar.gz"))
    os.makedirs(os.path.dirname(job.log), exist_ok=True)


def _write_repeat(job: Job, environment: dict[str, str]) -> None:
    """Put a script beside the sandbox that runs the job again; for the values of secrets it asks by name."""
    lines = ["#!/bin/bash", "# Runs this job again as ytbuild did.", f"cd {shlex.quote(job.sandbox)} || exit"]
    secret = sorted(job.secret_names)
    lines += [f': "${{{name}?set it to run this job again}}"' for name in secret]
    kept = " ".join(
        f"{name}={shlex.quote(value)}" for name, value in sorted(environment.items()) if name not in secret
    )
    passed = " ".join(f'{name}="${name}"' for name in secret)
    lines.append(f"exec env -i {kept} {passed} /bin/bash -c {shlex.quote(job.command)}")
    path = _repeat_path(job)
    with open(path, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n".join(lines) + "\n")
    os.chmod(path, 0o755)


def _repeat_path(job: Job) -> str:
    return f"{job.sandbox}.repeat.sh"


def _signal_group(process: subprocess.Popen[bytes], number: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(process.pid, number)


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"


def _tail(path: str) -> str:
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").rstrip().split("\n")
    safe = ["".join(c if c.isprintable() or c == "\t" else "�" for c in line) for line in lines[-_TAIL_LINES:]]
    return "\n".join(f"  {line}" for line in safe) if any(safe) else ""
