"""Test helpers: builds in processes of their own that can be killed, with no start-up time to wait for."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from tests.support import Pipeline, clean_environment

_SERVER = """
import os, sys, time
import ytbuild.archive.pack, ytbuild.archive.extract, ytbuild.cli.build, ytbuild.graph.plan, omegaconf, yaml
from ytbuild import archive
from ytbuild.cli import main
compress = archive.compress.compress
def compress_slowly(data):
    time.sleep(float(sys.argv[2]))
    return compress(data)
archive.compress.compress = compress_slowly
for line in sys.stdin:
    child = os.fork()
    if child == 0:
        null = os.open(os.devnull, os.O_RDWR)
        for number in range(3):
            os.dup2(null, number)
        main.run(["-C", sys.argv[1], *line.split()])
    print(child, flush=True)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(status, flush=True)
"""


class Builder:
    """Runs `ytbuild build` again and again, each time in a new process, and may end it before its time."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process

    def start(self, *arguments: str) -> int:
        """Start a build and return its process id."""
        assert self._process.stdin is not None
        self._process.stdin.write(" ".join(arguments or ("build",)) + "\n")
        self._process.stdin.flush()
        return int(self._answer())

    def end(self) -> int:
        """Wait for the build and return its exit code."""
        return int(self._answer())

    def killed_after(self, delay: float) -> int:
        """Build, and kill the process after some seconds; return its exit code, -9 if it was in time."""
        child = self.start()
        time.sleep(delay)
        with suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
        return self.end()

    def _answer(self) -> str:
        assert self._process.stdout is not None
        return self._process.stdout.readline()


@contextmanager
def builder(pipeline: Pipeline, pause: float = 0.0) -> Iterator[Builder]:
    """Give a builder for this pipeline that waits `pause` seconds before it compresses a chunk."""
    process = subprocess.Popen(
        [sys.executable, "-c", _SERVER, str(pipeline.root), str(pause)],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=clean_environment(),
        cwd=Path("/"),
    )
    try:
        yield Builder(process)
    finally:
        process.communicate()
