"""Child processes: each in a process group of its own, which ends with it, and which any thread can end."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import IO

from ytbuild.base import signals
from ytbuild.base.cancellation import Cancellation

_INHERITED = ("HOME", "LANG", "LC_ALL", "LC_CTYPE", "PATH", "TMPDIR")
_GRACE_SECONDS = 3.0
_PROCESSES = "/proc"


def inherited(*more: str) -> dict[str, str]:
    """Return the variables of this process that every child gets, and those of `more` that are set.

    A child runs other people's code; secrets and tokens reach it only when somebody names them.
    """
    return {name: os.environ[name] for name in (*_INHERITED, *more) if name in os.environ}


@dataclass(frozen=True)
class ExitStatus:
    """How a child ended.

    `code` is its exit code, or minus the number of the signal that killed it. None means that nobody knows, because
    SIGCHLD was ignored or somebody else in this process waited for it: such a child has failed. `timed_out` tells
    that it was ended because its time was up.
    """

    code: int | None
    timed_out: bool = False

    @property
    def problem(self) -> str:
        """What went wrong, as a verb that follows the child's name: an empty text when nothing did."""
        if self.timed_out:
            return "ran longer than its time limit"
        if self.code is None:
            return "ended without an exit status: something in this process ignores SIGCHLD or waits for any child"
        if self.code < 0:
            return f"was killed by {_signal_name(-self.code)}"
        return f"exited with code {self.code}" if self.code else ""


class Child:
    """A child process, which runs from the beginning, in a session and process group of its own.

    When it ends, what it left running in its group is killed. As a context manager it ends with its block.
    """

    def __init__(
        self,
        command: Sequence[str],
        *,
        cwd: str,
        environment: Mapping[str, str],
        stdout: IO[bytes] | int,
        stderr: IO[bytes] | int,
        stdin: IO[bytes] | int = subprocess.DEVNULL,
        time_limit: float | None = None,
    ) -> None:
        """Start the command; after `time_limit` seconds it is ended. Raises `OSError` when it cannot be started."""
        self.ended = threading.Event()
        self._lock = threading.Lock()
        self._code: int | None = None
        self._timed_out = False
        self._is_ending = False
        self._timers: list[threading.Timer] = []
        signals.prepare_for_children()
        with signals.undisturbed():
            self._process = subprocess.Popen(
                command,
                cwd=cwd,
                env=environment,
                stdin=stdin,
                stdout=stdout,
                stderr=stderr,
                start_new_session=True,
            )
            if time_limit is not None:
                self._after(time_limit, self._time_out)
            threading.Thread(target=self._watch, name=f"child {self._process.pid}", daemon=True).start()

    def __enter__(self) -> Child:
        return self

    def __exit__(self, *_: object) -> None:
        self.end()
        self.ended.wait()

    def wait(self) -> ExitStatus:
        """Wait for the end of the child, and of all in its group."""
        self.ended.wait()
        return ExitStatus(self._code, self._timed_out)

    def end(self) -> None:
        """Send SIGTERM to the child's group, and SIGKILL if the child still runs 3 seconds later; return at once."""
        with self._lock:
            if not self._is_ending and self._signal(signal.SIGTERM):
                self._is_ending = True
                self._after(_GRACE_SECONDS, self._kill)

    def _time_out(self) -> None:
        self._timed_out = not self.ended.is_set()
        self.end()

    def _kill(self) -> None:
        with self._lock:
            self._signal(signal.SIGKILL)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        timer = threading.Timer(seconds, action)
        timer.daemon = True
        timer.start()
        self._timers.append(timer)

    def _watch(self) -> None:
        code = _exit_code(self._process.pid)
        with self._lock:
            # Until the child is reaped, no other group can get its number.
            self._signal(signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self._process.pid, 0)
            self._code = code
            # Otherwise `subprocess` would wait for it, too.
            self._process.returncode = code or 0
            self.ended.set()
        for timer in self._timers:
            timer.cancel()

    def _signal(self, number: int) -> bool:
        """Send a signal to the child's group; return False when the child has ended: the number may be another's."""
        if self.ended.is_set():
            return False
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
        return True


def run(
    command: Sequence[str],
    *,
    cwd: str,
    environment: Mapping[str, str],
    stdout: IO[bytes] | int,
    stderr: IO[bytes] | int,
    cancellation: Cancellation | None = None,
) -> ExitStatus:
    """Run a command to its end, with nothing on its stdin.

    Raises `Cancelled` when that was cancelled, the child having ended then, and `OSError` when it cannot be started.
    """
    cancellation = cancellation or Cancellation()
    cancellation.check()
    child = Child(command, cwd=cwd, environment=environment, stdout=stdout, stderr=stderr)
    with child, cancellation.interrupting(child.end):
        status = child.wait()
    cancellation.check()
    return status


def kill_marked(variable: str, value: str) -> None:
    """Kill every process of this user that began with this value of a variable in its environment.

    It finds those that left their group for a session of their own, where no signal to the group reaches them: the
    cluster's container ends with its job, and all in it. Does nothing where there is no /proc (proc(5)).
    """
    mark = f"\0{variable}={value}\0".encode()
    with contextlib.suppress(FileNotFoundError):
        for entry in os.listdir(_PROCESSES):
            if not entry.isdigit():
                continue
            with contextlib.suppress(OSError), open(os.path.join(_PROCESSES, entry, "environ"), "rb") as file:
                if mark in b"\0" + file.read():
                    os.kill(int(entry), signal.SIGKILL)


def _exit_code(pid: int) -> int | None:
    """Wait for a child's end without reaping it; return its code as `ExitStatus` has it."""
    try:
        if not hasattr(os, "waitid"):  # macOS, before Python 3.13
            return os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        ending = os.waitid(os.P_PID, pid, os.WEXITED | os.WNOWAIT)
    except ChildProcessError:
        return None
    assert ending is not None
    return ending.si_status if ending.si_code == os.CLD_EXITED else -ending.si_status


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return f"signal {number}"
