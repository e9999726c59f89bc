"""Clients that others wrote talk to the stand-in as to a cluster: what they cannot do there is a fault of its."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cluster.running import Cluster
from tests.support import clean_environment

YT = Path(sys.executable).parent / "yt"


class CommandLine:
    """The official command line, in the environment of somebody who exports the cluster's address."""

    def __init__(self, cluster: Cluster, folder: Path) -> None:
        self._environment = clean_environment(HOME=str(folder), **cluster.environment)
        self._folder = folder

    def __call__(self, *arguments: str, input: str = "") -> str:
        """Run `yt` and return what it prints."""
        done = subprocess.run(
            [sys.executable, str(YT), *arguments],
            cwd=self._folder,
            env=self._environment,
            input=input.encode(),
            capture_output=True,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        return done.stdout.decode()


@pytest.fixture
def yt(cluster: Cluster, tmp_path: Path) -> CommandLine:
    return CommandLine(cluster, tmp_path)


def test_a_file_comes_back_as_it_was_written(yt: CommandLine, cypress: str) -> None:
    yt("write-file", f"{cypress}/file", input="content\n")
    assert yt("read-file", f"{cypress}/file") == "content\n"


def test_a_table_comes_back_as_it_was_written_and_is_listed(yt: CommandLine, cypress: str) -> None:
    rows = '{"n":1}\n{"n":2}\n'
    yt("write-table", f"{cypress}/table", "--format", "json", input=rows)
    assert yt("read-table", f"{cypress}/table", "--format", "json") == rows
    assert yt("list", cypress) == "table\n"


def test_a_map_runs_over_a_table(yt: CommandLine, cypress: str) -> None:
    yt("write-table", f"{cypress}/in", "--format", "json", input='{"n":1}\n')
    tables = ("--src", f"{cypress}/in", "--dst", f"{cypress}/out")
    yt("map", "sed s/1/5/", *tables, "--format", "json")
    assert yt("read-table", f"{cypress}/out", "--format", "json") == '{"n":5}\n'
