"""Test helpers: making pipelines, and running the installed command on them."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import tarfile
import threading
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.forkserver import ForkServer

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")
_TIMEOUT = 120
_STARTING = threading.Lock()

CONFIG = """\
stages:
  enabled_stages: [first]
"""

STAGE_CONFIG = """\
job:
  factor: 2
client:
  operations:
    map:
      input_table: //tmp/test/input
      output_table: //tmp/test/output
"""

MAPPER = """\
import sys
for line in sys.stdin:
    sys.stdout.write(line)
"""


def clean_environment(**extra: str) -> dict[str, str]:
    """Return an environment without `YT_*` or any Python switch of the caller's."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ} | extra


@functools.cache
def _fork_server() -> ForkServer:
    return ForkServer(clean_environment())


def fork_server() -> ForkServer:
    """Return the process that commands are forks of; tests/conftest.py ends it."""
    # A cache alone would let two threads that begin at once start one each.
    with _STARTING:
        return _fork_server()


def close_fork_server() -> None:
    """End that process, if there is one."""
    if _fork_server.cache_info().currsize:
        _fork_server().close()


def ytbuild(
    *arguments: str, cwd: Path, environment: dict[str, str], own_process: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `python -m ytbuild` with these variables alone and nothing to read.

    It is a fork of a process that has imported all before, or `own_process`: for tests of how the interpreter starts
    and ends, and of imports.
    """
    return python("-m", "ytbuild", *arguments, cwd=cwd, environment=environment, own_process=own_process)


def python(
    *arguments: str, cwd: Path, environment: dict[str, str], own_process: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run `python` with a module or a script in the same way."""
    if not own_process:
        return fork_server().run(*arguments, cwd=cwd, environment=environment, timeout=_TIMEOUT)
    return subprocess.run(
        [sys.executable, *arguments],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        errors="surrogateescape",
        timeout=_TIMEOUT,
    )


@dataclass(frozen=True)
class Pipeline:
    """A pipeline's folder in a test; `own_process` is that of `ytbuild`, for all its commands."""

    root: Path
    own_process: bool = False

    @classmethod
    def create(cls, root: Path, own_process: bool = False) -> Pipeline:
        """Make the smallest pipeline that has a leg: stage `first` with a mapper."""
        pipeline = cls(root, own_process)
        pipeline.write("configs/config.yaml", CONFIG)
        pipeline.write("stages/first/config.yaml", STAGE_CONFIG)
        pipeline.write("stages/first/src/mapper.py", MAPPER)
        return pipeline

    def write(self, path: str, content: str | bytes = "") -> Path:
        """Write a file below the pipeline, with its folders."""
        full = self.root / path
        full.parent.mkdir(parents=True, exist_ok=True)
        full.write_bytes(content.encode() if isinstance(content, str) else content)
        return full

    def configure(self, pipeline: str, stages: str = "[first]") -> None:
        """Write configs/config.yaml with these lines (unindented YAML) under `pipeline:`."""
        body = "".join(f"  {line}\n" for line in pipeline.splitlines())
        self.write("configs/config.yaml", f"stages:\n  enabled_stages: {stages}\npipeline:\n{body}")

    def run(
        self, *arguments: str, check: bool = False, own_process: bool = False, **environment: str
    ) -> subprocess.CompletedProcess[str]:
        """Run `ytbuild` in the pipeline's folder, in a clean environment."""
        own_process |= self.own_process
        variables = clean_environment(**environment)
        result = ytbuild(*arguments, cwd=self.root, environment=variables, own_process=own_process)
        if check:
            assert result.returncode == 0, result.stderr
        return result

    def build(self, **environment: str) -> dict[str, Any]:
        """Build and return what `ytbuild build --json` says."""
        result = self.run("build", "--json", check=True, **environment)
        answer: dict[str, Any] = json.loads(result.stdout)
        return answer

    def refused(self, *arguments: str) -> str:
        """Run a command that must be refused with exit code 2, nothing written; return what it said."""
        existed = (self.root / ".build").exists()
        result = self.run(*(arguments or ("build",)))
        assert result.returncode == 2, (result.returncode, result.stdout, result.stderr)
        assert "Traceback" not in result.stderr
        assert "error: " in result.stderr and "hint: " in result.stderr, result.stderr
        assert (self.root / ".build").exists() == existed, "something was written"
        return result.stderr

    def archive(self) -> Path:
        """Return the newest archive."""
        return self.root / ".build" / "source.tar.gz"

    def names(self) -> list[str]:
        """Return the names of the newest archive's members, in order."""
        with tarfile.open(self.archive(), "r:gz") as archive:
            return archive.getnames()

    def content(self, name: str) -> bytes:
        """Return one member's content from the newest archive."""
        with tarfile.open(self.archive(), "r:gz") as archive:
            file = archive.extractfile(name)
            assert file is not None
            return file.read()
