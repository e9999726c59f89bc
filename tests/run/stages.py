"""Test helpers: stages whose `stage.py` runs operations, and how their runs end."""

from __future__ import annotations

import os
import textwrap
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.run.test_run import get, operation, put
from tests.support import Pipeline

__all__ = ["alive", "code", "failed", "get", "log", "operation", "pids", "put", "ran", "refused", "until"]

_STAGE = """\
import os
import time
from ytbuild import *


class Stage(BaseStage):
    def run(self, debug):
        blocks = self.config.client.operations
        client = self.deps.yt_client
"""


def code(pipeline: Pipeline, body: str, stage: str = "first") -> None:
    """Write a stage's `stage.py`, whose run() does this; `blocks` are its operations, `client` is the client."""
    pipeline.write(f"stages/{stage}/stage.py", _STAGE + textwrap.indent(textwrap.dedent(body).strip("\n"), " " * 8))


def ran(pipeline: Pipeline, *arguments: str, **environment: str) -> str:
    """Run the pipeline, which must succeed; return what it said."""
    result = pipeline.run("run", *arguments, **environment)
    assert result.returncode == 0, result.stderr
    return result.stderr


def failed(pipeline: Pipeline, *arguments: str) -> str:
    """Run the pipeline, which must fail by an operation or by its own code; return what it said."""
    result = pipeline.run("run", *arguments)
    assert (result.returncode, "bug in ytbuild" in result.stderr) == (1, False), result.stderr
    return result.stderr


def refused(pipeline: Pipeline, *arguments: str) -> str:
    """Run the pipeline, which must end as wrong usage, no job started; return what it said."""
    result = pipeline.run("run", *arguments)
    assert (result.returncode, "Traceback" in result.stderr) == (2, False), result.stderr
    assert not (pipeline.root / ".dev" / "operations").exists(), "something was started"
    return result.stderr


def log(pipeline: Pipeline, name: str) -> str:
    """Return the log of an operation's job, such as `first.map`."""
    return (pipeline.root / ".dev" / f"{name}.log").read_text()


def until(condition: Callable[[], Any], seconds: float = 20) -> None:
    """Wait until something holds."""
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not happen"
        time.sleep(0.02)


def pids(path: Path) -> list[int]:
    """Return the process ids that jobs wrote to a file."""
    return [int(word) for word in path.read_text().split()]


def alive(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and that nobody has waited for does not."""
    try:
        with open(f"/proc/{pid}/stat") as file:
            return file.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        pass
    if os.path.isdir("/proc/self"):
        return False
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    return True
