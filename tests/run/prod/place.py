"""Test helpers: a pipeline, the folder on a cluster that it works in, and runs of it there."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from tests.cluster.running import Cluster, RealCluster
from tests.run.stages import until
from tests.support import Pipeline, clean_environment

Row = dict[str, Any]

ROWS: list[Row] = [{"n": 1}, {"n": 2}]


class Running:
    """A command that runs; `said` is what it has written to stderr so far."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self.process = process
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read)
        self._reader.start()

    def _read(self) -> None:
        assert self.process.stderr is not None
        self._lines.extend(iter(self.process.stderr.readline, ""))

    @property
    def said(self) -> str:
        return "".join(self._lines)

    def says(self, text: str) -> None:
        """Wait until it says something."""
        until(lambda: text in self.said or self.process.poll() is not None)
        assert text in self.said, self.said

    def ended(self, number: signal.Signals | None = None) -> int:
        """Send a signal, if one is given, and return the exit code."""
        if number is not None:
            self.process.send_signal(number)
        code = self.process.wait(30)
        self._reader.join()
        return code


@dataclass(frozen=True)
class Place:
    """A pipeline and its folder on a cluster; `//x/` in what is written to the pipeline is that folder."""

    cluster: Cluster | RealCluster
    folder: str
    pipeline: Pipeline

    def write(self, name: str, text: str) -> None:
        """Write a file of the pipeline."""
        self.pipeline.write(name, text.replace("//x/", f"{self.folder}/"))

    def configure(self, pipeline: str = "", stages: str = "[first]") -> None:
        """Write configs/config.yaml for runs on the cluster."""
        prod = "" if "prod:" in pipeline else "prod: {retry_seconds: 2, poll_seconds: 0.3}\n"
        self.pipeline.configure(f"mode: prod\nbuild_folder: {self.folder}/build\n{prod}{pipeline}".strip(), stages)

    def operations(self, blocks: str, stage: str = "first") -> None:
        """Write a stage's config.yaml."""
        body = "".join(f"    {line}\n" for line in blocks.splitlines())
        self.write(f"stages/{stage}/config.yaml", f"client:\n  operations:\n{body}")

    def code(self, body: str, stage: str = "first") -> None:
        """Write a stage's stage.py: `blocks` are its operations, `client` is the client."""
        head = "from ytbuild import *\nclass Stage(BaseStage):\n    def run(self, debug):\n"
        lines = ["blocks, client = self.config.client.operations, self.deps.yt_client", *body.splitlines()]
        self.write(f"stages/{stage}/stage.py", head + "".join(f"        {line}\n" for line in lines))

    def run(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run `ytbuild` with these arguments, `run` by default."""
        return self.pipeline.run(*(arguments or ("run",)), **{**self.cluster.environment, **environment})

    def ran(self, *arguments: str, **environment: str) -> str:
        """Run `ytbuild`, which must succeed; return what it said."""
        result = self.run(*arguments, **environment)
        assert result.returncode == 0, result.stderr
        return result.stderr

    def failed(self, *arguments: str, code: int = 1, **environment: str) -> str:
        """Run `ytbuild`, which must fail in an expected way; return what it said."""
        result = self.run(*arguments, **environment)
        assert (result.returncode, "bug in ytbuild" in result.stderr) == (code, False), result.stderr
        assert "error: " in result.stderr and "hint: " in result.stderr, result.stderr
        return result.stderr

    @contextlib.contextmanager
    def running(self, *arguments: str, **environment: str) -> Iterator[Running]:
        """Start `ytbuild`, and end it in any case."""
        process = subprocess.Popen(
            [sys.executable, "-m", "ytbuild", *(arguments or ("run",))],
            cwd=self.pipeline.root,
            env=clean_environment(**{**self.cluster.environment, **environment}),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            text=True,
        )
        with process:
            running = Running(process)
            try:
                yield running
            finally:
                process.kill()
                running.ended()

    def put(self, name: str, rows: Sequence[Row]) -> None:
        """Write a table of the folder with the official client."""
        self.cluster.keeper.write_table(f"{self.folder}/{name}", rows, format=_json())

    def get(self, name: str) -> list[Row] | None:
        """Return the rows of a table of the folder, None when there is none."""
        client, path = self.cluster.keeper, f"{self.folder}/{name}"
        return list(client.read_table(path, format=_json())) if client.exists(path) else None

    def started(self) -> list[dict[str, Any]]:
        """Return the operations of this folder on the stand-in, in the order in which they were started."""
        assert isinstance(self.cluster, Cluster)
        return [each for each in self.cluster.control("operations") if self.folder in str(each["parameters"])]


def _json() -> Any:
    from yt.wrapper import JsonFormat

    return JsonFormat(encode_utf8=False)
