"""Test helpers: uploads in processes of their own, many at once or ended before their time, without start-up time."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support import clean_environment
from tests.upload.place import Place

# Each line is the arguments of an upload, or `wait` and a process id.
_SERVER = """
import gc, os, sys
import ytbuild.cli.upload, ytbuild.graph.plan, omegaconf, yaml, yt.wrapper
import ytbuild.cluster.connection, ytbuild.upload
from ytbuild.cli import main
ytbuild.upload.WHOLE_ARCHIVE = int(sys.argv[1])
gc.freeze()
for number, line in enumerate(sys.stdin):
    command, _, rest = line.strip().partition(" ")
    if command == "wait":
        print(os.waitstatus_to_exitcode(os.waitpid(int(rest), 0)[1]), flush=True)
        continue
    child = os.fork()
    if child == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
        said = os.open(os.path.join(sys.argv[2], str(os.getpid())), os.O_WRONLY | os.O_CREAT)
        for descriptor in (1, 2):
            os.dup2(said, descriptor)
        main.run(["upload", *rest.split()])
    print(child, flush=True)
"""


class Upload:
    """One upload in a process of its own."""

    def __init__(self, server: Uploader, process: int) -> None:
        self._server = server
        self.process = process

    def end(self) -> int:
        """Wait for it and return its exit code, negative for the signal that ended it."""
        return int(self._server.ask(f"wait {self.process}"))

    def runs(self) -> bool:
        """Tell whether it has not ended."""
        return Path("/proc", str(self.process), "stat").read_text().rpartition(")")[2].split()[0] != "Z"

    def send(self, number: signal.Signals) -> None:
        """Send a signal, if it is still there to get it."""
        with suppress(ProcessLookupError):
            os.kill(self.process, number)

    @property
    def said(self) -> str:
        """What it has said so far."""
        return (self._server.folder / str(self.process)).read_text()


class Uploader:
    """Starts uploads."""

    def __init__(self, process: subprocess.Popen[str], folder: Path) -> None:
        self._process = process
        self.folder = folder

    def start(self, place: Place, *arguments: str) -> Upload:
        """Start an upload."""
        override = f"-C {place.built.pipeline.root} -o pipeline.build_folder={place.folder}"
        return Upload(self, int(self.ask(" ".join(["start", override, *arguments]))))

    def ask(self, line: str) -> str:
        """Send a line and return the answer."""
        assert self._process.stdin is not None and self._process.stdout is not None
        self._process.stdin.write(line + "\n")
        self._process.stdin.flush()
        return self._process.stdout.readline()


@contextmanager
def uploader(place: Place, folder: Path, whole: int = 32 << 20) -> Iterator[Uploader]:
    """Give what starts uploads; archives above `whole` go up in segments."""
    folder.mkdir(exist_ok=True)
    with subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(whole), str(folder)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(**place.cluster.environment),
        cwd=Path("/"),
    ) as process:
        yield Uploader(process, folder)
        assert process.stdin is not None
        process.stdin.close()
