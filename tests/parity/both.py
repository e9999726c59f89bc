"""Running one pipeline on both backends, and comparing what they leave: tables, exit codes, what stages said."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.cluster.running import Cluster, RealCluster, close
from tests.support import Pipeline
from ytbuild.backends.dev.catalogue import Catalogue
from ytbuild.backends.dev.tables import TableStore

Row = dict[str, Any]

_BUILD_FOLDER = "build"
_OPERATION = re.compile(r"^  \w+: .*(?=, [\d.]+m?s$)", re.MULTILINE)
_LINK = re.compile(r"^  \w+: \S+  https?://", re.MULTILINE)


@dataclass(frozen=True)
class Ran:
    """How a run ended on one backend, and the tables below the test's folder afterwards."""

    result: subprocess.CompletedProcess[str]
    tables: dict[str, list[Row]]

    @property
    def said(self) -> str:
        """What the run wrote to stderr."""
        return self.result.stderr

    @property
    def stages_said(self) -> list[str]:
        """The lines that stage code logged."""
        return [line for line in self.said.splitlines() if line.startswith("  [")]

    @property
    def operations_done(self) -> list[str]:
        """The lines about finished operations, numbers of rows among them, without the seconds they took."""
        return [line for line in _OPERATION.findall(self.said) if not _LINK.match(line)]


def in_dev(pipeline: Pipeline, *arguments: str) -> Ran:
    """Run a pipeline on this machine."""
    return Ran(pipeline.run("run", "--mode", "dev", *arguments), dev_tables(pipeline.root))


def in_prod(pipeline: Pipeline, cluster: Cluster | RealCluster, folder: str, *arguments: str) -> Ran:
    """Run a pipeline on a cluster, its code in `build` below the folder."""
    build_folder = f"pipeline.build_folder={folder}/{_BUILD_FOLDER}"
    result = pipeline.run("run", "--mode", "prod", "-o", build_folder, *arguments, **cluster.environment)
    return Ran(result, cluster_tables(cluster, folder))


@contextmanager
def at_once() -> Iterator[ThreadPoolExecutor]:
    """Give a pool that runs a few pipelines at the same time: much of a run is waiting."""
    with ThreadPoolExecutor(4) as pool:
        yield pool
        pool.shutdown(cancel_futures=True)


def dev_tables(root: Path) -> dict[str, list[Row]]:
    """Return all tables of a pipeline's `.dev`, by their paths."""
    store = TableStore(str(root / ".dev"))
    return {path: list(store.read(path)) for path in Catalogue(str(root / ".dev")).entries()}


def cluster_tables(cluster: Cluster | RealCluster, folder: str) -> dict[str, list[Row]]:
    """Return all tables below a folder of a cluster, read with the official client."""
    from yt.wrapper import JsonFormat

    client = cluster.client()
    try:
        paths = map(str, client.search(folder, node_type="table")) if client.exists(folder) else ()
        return {path: list(client.read_table(path, format=JsonFormat(encode_utf8=False))) for path in paths}
    finally:
        close(client)


def lines(rows: Iterable[Row]) -> list[str]:
    """Return rows as JSON, in which 1, 1.0 and true differ; the order of a row's columns does not count."""
    return [json.dumps(row, sort_keys=True, ensure_ascii=False) for row in rows]


def check_same(first: Iterable[Row], second: Iterable[Row], *, ordered: bool = False) -> None:
    """Check that two tables have the same rows; in the same order only where that is promised."""
    one, two = lines(first), lines(second)
    assert one == two if ordered else sorted(one) == sorted(two)
