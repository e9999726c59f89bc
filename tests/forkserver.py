"""Runs `python -m ytbuild` hundreds of times without starting Python hundreds of times.

One process imports all that ytbuild may need; each run is a fork of it. A fork is a process of its own: nothing of a
run reaches the tests or the next run, no modules, variables, folders, signal handlers, threads or sockets. Left out
are the interpreter's start, the imports and the interpreter's own end: tests of these need a process from scratch.

The server is a script of its own because only a process with one thread may fork, and pytest's have more under xdist.
Whoever connects to its socket sends three files (stdin, stdout, stderr) with one byte, then a marshalled request, and
gets the process's id and, later, its exit code, a line each.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import importlib
import marshal
import os
import pkgutil
import runpy
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import types
from pathlib import Path
from typing import IO, NoReturn

_ROOT = Path(__file__).resolve().parents[1]
_LIBRARIES = ("duckdb", "msgspec", "omegaconf", "yaml", "yt.wrapper.spec_builders")
"""What ytbuild imports inside functions only."""
_READ_AT_START = ("HOME", "LANG", "LC_", "PYTHON")
"""Variables that the interpreter reads when it starts begin with these."""

# What `ytbuild` is in a shell: no import but of built-in modules, which would take longer than the fork.
_SHELL_COMMAND = """\
#!{python} -IS
import _socket, array, marshal, os, sys
server = _socket.socket(_socket.AF_UNIX)
server.connect({address!r})
server.sendmsg([b"0"], [(_socket.SOL_SOCKET, _socket.SCM_RIGHTS, array.array("i", range(3)))])
command = [sys.executable, "-m", "ytbuild", *sys.argv[1:]]
server.sendall(marshal.dumps((command, os.getcwd(), dict(os.environ))))
server.shutdown(_socket.SHUT_WR)
answer = b""
while answer.count(b"\\n") < 2:
    part = server.recv(64)
    if not part:
        sys.exit("the fork server has gone")
    answer += part
os._exit(int(answer.split()[1]) & 255)
"""


class ForkServer:
    """The server's process, and runs in it; `run` may be called in several threads at once."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Start it. Runs with other values of what the interpreter reads when it starts get one of their own."""
        self._folder = Path(tempfile.mkdtemp(prefix="fork-"))
        self._address = str(self._folder / "socket")
        with socket.socket(socket.AF_UNIX) as listening:
            listening.bind(self._address)
            listening.listen()
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.forkserver", str(listening.fileno()), *environment],
                cwd=_ROOT,
                env=environment,
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
                pass_fds=[listening.fileno()],
            )
        command = self.commands / "ytbuild"
        command.parent.mkdir()
        command.write_text(_SHELL_COMMAND.format(python=sys.executable, address=self._address))
        command.chmod(0o755)

    @property
    def commands(self) -> Path:
        """A folder for PATH, with a `ytbuild` that is run by the server."""
        return self._folder / "bin"

    def close(self) -> None:
        """End the server."""
        assert self._process.stdin is not None
        self._process.stdin.close()
        assert self._process.wait(30) == 0
        shutil.rmtree(self._folder)

    def run(
        self, *arguments: str, cwd: Path, environment: dict[str, str], timeout: float
    ) -> subprocess.CompletedProcess[str]:
        """Do what `python` does in a folder, with these variables and nothing to read.

        Its arguments begin with `-m` and a module, or with the absolute path of a script. Raises
        `subprocess.TimeoutExpired` after so many seconds.
        """
        command = [sys.executable, *arguments]
        with (
            socket.socket(socket.AF_UNIX) as server,
            open(os.devnull, "rb") as stdin,
            tempfile.TemporaryFile() as stdout,
            tempfile.TemporaryFile() as stderr,
        ):
            server.connect(self._address)
            socket.send_fds(server, [b"0"], [stdin.fileno(), stdout.fileno(), stderr.fileno()])
            server.sendall(marshal.dumps((command, str(cwd), environment)))
            server.shutdown(socket.SHUT_WR)
            code = _exit_code(server, command, timeout)
            return subprocess.CompletedProcess(command, code, _text(stdout), _text(stderr))


def _exit_code(server: socket.socket, command: list[str], timeout: float) -> int:
    with server.makefile() as lines:
        pid = int(lines.readline())
        try:
            server.settimeout(timeout)
            return int(lines.readline())
        except TimeoutError:
            os.kill(pid, signal.SIGKILL)
            raise subprocess.TimeoutExpired(command, timeout) from None


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    # The ends of lines as subprocess reads them with text=True.
    return file.read().decode(errors="surrogateescape").replace("\r\n", "\n").replace("\r", "\n")


_Request = tuple[list[str], str, dict[str, str]]


def _serve(listening: socket.socket) -> _Request:
    """Fork for each request until stdin ends; return in the forks only, each with its own three files."""
    # Ctrl-C is for the tests, which end this process when they end.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    woken, waker = os.pipe()
    os.set_blocking(waker, False)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    signal.set_wakeup_fd(waker)
    running: dict[int, socket.socket] = {}
    while True:
        ready, _, _ = select.select([sys.stdin, listening, woken], [], [])
        if woken in ready:
            os.read(woken, 4096)
            for pid in list(running):
                ended, status = os.waitpid(pid, os.WNOHANG)
                if ended:
                    with running.pop(pid) as client:
                        _answer(client, os.waitstatus_to_exitcode(status))
        if listening in ready:
            client, _ = listening.accept()
            _, files, _, _ = socket.recv_fds(client, 1, 3)
            with client.makefile("rb") as content:
                request: _Request = marshal.loads(content.read())
            pid = os.fork()
            if pid == 0:
                signal.set_wakeup_fd(-1)
                signal.signal(signal.SIGCHLD, signal.SIG_DFL)
                signal.signal(signal.SIGINT, signal.default_int_handler)
                for number, file in enumerate(files):
                    os.dup2(file, number)
                for each in (listening, client, *running.values()):
                    each.close()
                for file in (woken, waker, *files):
                    os.close(file)
                return request
            for file in files:
                os.close(file)
            running[pid] = client
            _answer(client, pid)
        if sys.stdin in ready:
            sys.exit()


def _answer(client: socket.socket, number: int) -> None:
    # Whoever asked may have gone: a test that was interrupted.
    with contextlib.suppress(OSError):
        client.sendall(f"{number}\n".encode())


def _import_all() -> None:
    package = importlib.import_module("ytbuild")
    modules = [module.name for module in pkgutil.walk_packages(package.__path__, "ytbuild.")]
    for name in (*_LIBRARIES, *modules):
        if not name.endswith("__main__"):
            importlib.import_module(name)
    gc.collect()
    # The collector would write to all the memory that forks share.
    gc.freeze()


def _become(command: list[str], folder: str, variables: dict[str, str], given: set[str]) -> None:
    """Give this process what an interpreter has when it was started by this command.

    `given` are the names of this process's own variables when it was started.
    """
    os.chdir(folder)
    # Without a locale, Python gives itself one, in a variable that it hands on.
    coerced = {name: value for name, value in os.environ.items() if name not in given}
    variables |= coerced
    if _read_at_start(variables) != _read_at_start(dict(os.environ)):
        os.execve(command[0], command, variables)
    os.environ.clear()
    os.environ.update(variables)
    time.tzset()
    tempfile.tempdir = None
    sys.path[0] = os.getcwd() if command[1] == "-m" else os.path.dirname(os.path.realpath(command[1]))
    sys.argv = command[1:]
    sys.orig_argv[:] = command
    for name in [name for name in sys.modules if name.partition(".")[0] == "tests"]:
        del sys.modules[name]
    sys.modules["__main__"] = types.ModuleType("__main__")
    if any(name.startswith("YT_") for name in variables):
        # The client reads its variables when it is imported.
        importlib.import_module("yt.wrapper.config")._init()


def _read_at_start(variables: dict[str, str]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if name.startswith(_READ_AT_START)}


def _run(request: _Request) -> NoReturn:
    """Run the module or the script and end as the interpreter does."""
    command, code = request[0], 0
    try:
        _become(*request, given=set(sys.argv[2:]))
        if command[1] == "-m":
            del sys.argv[0]
            runpy._run_module_as_main(command[2])  # type: ignore[attr-defined]
        else:
            runpy.run_path(command[1], run_name="__main__")
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
    with socket.socket(fileno=int(sys.argv[1])) as listening:
        request = _serve(listening)
    _run(request)
