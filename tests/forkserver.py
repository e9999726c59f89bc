"""Runs `python -m ytbuild` hundreds of times without starting Python hundreds of times.

One process imports all that ytbuild may need; each run is a fork of it. A fork is a process of its own: nothing of a
run reaches the tests or the next run, no modules, variables, folders, signal handlers, threads or sockets. Left out
are the interpreter's start, the imports and the interpreter's own end: tests of these need a process from scratch.

The server is a script of its own because only a process with one thread may fork, and pytest's have more under xdist.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import json
import os
import pkgutil
import runpy
import select
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path
from typing import IO, Any, NoReturn

_ROOT = Path(__file__).resolve().parents[1]
_LIBRARIES = ("duckdb", "msgspec", "omegaconf", "yaml", "yt.wrapper.spec_builders")
"""What ytbuild imports inside functions only."""


class ForkServer:
    """The server's process, and runs in it; `run` may be called in several threads at once."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Start it; what the interpreter itself reads of `environment` holds for all runs."""
        self._control, theirs = socket.socketpair()
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forkserver", str(theirs.fileno())],
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.DEVNULL,
                pass_fds=[theirs.fileno()],
            )

    def close(self) -> None:
        """End the server."""
        self._control.close()
        assert self._process.wait(30) == 0

    def run(
        self, module: str, *arguments: str, cwd: Path, environment: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Do what `python -m module arguments` does in a folder, with these variables and nothing to read.

        Raises `subprocess.TimeoutExpired` after so many seconds.
        """
        command = [sys.executable, "-m", module, *arguments]
        request = {"module": module, "command": command, "cwd": str(cwd), "environment": environment}
        answer, theirs = socket.socketpair()
        with answer, tempfile.TemporaryFile() as stdout, tempfile.TemporaryFile() as stderr:
            with theirs:
                socket.send_fds(self._control, [b"\0"], [theirs.fileno(), stdout.fileno(), stderr.fileno()])
            answer.sendall(json.dumps(request).encode() + b"\n")
            code = _exit_code(answer, command, timeout)
            return subprocess.CompletedProcess(command, code, _text(stdout), _text(stderr))


def _exit_code(answer: socket.socket, command: list[str], timeout: float) -> int:
    with answer.makefile() as lines:
        pid = int(lines.readline())
        try:
            answer.settimeout(timeout)
            return int(lines.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(command, timeout) from None


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    # The ends of lines as subprocess reads them with text=True.
    return file.read().decode(errors="surrogateescape").replace("\r\n", "\n").replace("\r", "\n")


def _serve(control: socket.socket) -> dict[str, Any]:
    """Fork for each request, and answer with the process's id and, later, its exit code; return in the forks only."""
    # Ctrl-C is for the tests, which end this process when they end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([control, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            for pid in list(running):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    _answer(running.pop(pid), os.waitstatus_to_exitcode(status), last=True)
        if control in ready:
            data, files, _, _ = socket.recv_fds(control, 1, 3)
            if not data:
                sys.exit()
            answer = socket.socket(fileno=files[0])
            with answer.makefile() as lines:
                request: dict[str, Any] = json.loads(lines.readline())
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                for number, file in enumerate(files[1:], start=1):
                    os.dup2(file, number)
                for descriptor in (control, answer, *running.values()):
                    descriptor.close()
                for file in (woken, waker, *files[1:]):
                    os.close(file)
                return request
            for file in files[1:]:
                os.close(file)
            running[pid] = answer
            _answer(answer, pid)


def _answer(answer: socket.socket, number: int, last: bool = False) -> None:
    # Whoever asked may have gone: a test that was interrupted.
    with contextlib.suppress(OSError):
        answer.sendall(f"{number}\n".encode())
    if last:
        answer.close()


def _import_all() -> None:
    package = importlib.import_module("ytbuild")
    modules = [module.name for module in pkgutil.walk_packages(package.__path__, "ytbuild.")]
    for name in (*_LIBRARIES, *modules):
        if not name.endswith("__main__"):
            importlib.import_module(name)
    gc.collect()
    # The collector would write to all the memory that forks share.
    gc.freeze()


def _become(request: dict[str, Any]) -> None:
    """Give this process what an interpreter has when it was started for the request."""
    os.environ.clear()
    os.environ.update(request["environment"])
    os.chdir(request["cwd"])
    time.tzset()
    tempfile.tempdir = None
    sys.path[0] = os.getcwd()
    sys.argv = request["command"][2:]
    sys.orig_argv[:] = request["command"]
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.modules["__main__"] = types.ModuleType("__main__")
    if any(name.startswith("YT_") for name in os.environ):
        # The client reads its variables when it is imported.
        importlib.import_module("yt.wrapper.config")._init()


def _run(request: dict[str, Any]) -> NoReturn:
    """Run the module and end as the interpreter does."""
    code = 0
    try:
        _become(request)
        runpy._run_module_as_main(request["module"])  # type: ignore[attr-defined]
    except SystemExit as exit:
        code = exit.code if isinstance(exit.code, int) else int(exit.code is not None)
        if not isinstance(exit.code, int | None):
            print(exit.code, file=sys.stderr)
    except BaseException as error:
        code = 1
        assert error.__traceback__ is not None
        sys.excepthook(type(error), error, error.__traceback__.tb_next)
    threading._shutdown()  # type: ignore[attr-defined]
    atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        stream.flush()
    os._exit(code)


if __name__ == "__main__":
    _import_all()
    with socket.socket(fileno=int(sys.argv[1])) as control:
        request = _serve(control)
    _run(request)
