"""The figures of `ytbuild upload`, against the stand-in cluster on loopback: requests, bytes, time, memory."""

from __future__ import annotations

import json
import os
import random
import statistics
import subprocess
import time
from pathlib import Path

from tests.benchmarks.inputs import make_pipeline, make_tree
from tests.benchmarks.measure import Command, Session, environment, peak_memory, quiet
from tests.cluster.running import Cluster

_MIB = 1 << 20
_TREE_FILES, _TREE_SIZE = 20_000, 200 * 1000 * 1000
_LARGE = 300


class _Pipeline:
    """A pipeline that ships the folder `big` to a cluster."""

    def __init__(self, ytbuild: str, root: Path, cluster: Cluster) -> None:
        self.root = root
        self.big = make_pipeline(root)
        with open(root / "configs/config.yaml", "a", encoding="utf-8") as file:
            file.write(f"  build_folder: //tmp/{root.name}\n")
        self.ytbuild = ytbuild
        self.cluster = cluster

    def upload(self) -> dict[str, object]:
        """Upload and return what `--json` says."""
        command = [self.ytbuild, "upload", "--json", "-q"]
        variables = environment() | self.cluster.environment
        done = subprocess.run(command, cwd=self.root, env=variables, check=True, capture_output=True, text=True)
        answer: dict[str, object] = json.loads(done.stdout)
        return answer


def _edits(session: Session, pipeline: _Pipeline) -> bool:
    """Requests of an unchanged upload, and the content that one changed line sends."""
    make_tree(pipeline.big, _TREE_FILES, _TREE_SIZE)
    size = int(str(pipeline.upload()["size"]))
    generator = random.Random(1)
    files = sorted(pipeline.big.rglob("*.py"))
    pipeline.cluster.reset()
    pipeline.upload()
    counted = pipeline.cluster.counters()
    good = session.report("requests of an upload with nothing changed / 1", counted["total"], 1, 3, "")
    good &= session.report("  bytes of content of that upload / 1", sum(counted["received"].values()), 1, 0, "")
    sent: list[int] = []
    for _ in range(20):
        with open(generator.choice(files), "a", encoding="utf-8") as file:
            file.write(f"# line {generator.random()}\n")
        pipeline.cluster.reset()
        pipeline.upload()
        sent.append(sum(pipeline.cluster.counters()["received"].values()))
    mean = statistics.mean(sent)
    good &= session.report("one line changed in 200 MB: content bytes / 1 MB", mean / 1e6, 1, 2.5, "MB")
    return good & session.report("  content of that upload / the archive", mean / _MIB, size / _MIB, 0.05)


def _large(session: Session, pipeline: _Pipeline) -> bool:
    """The first upload of 300 MB that do not compress against one plain write of the same file, and its memory."""
    for number in range(_LARGE):
        folder = pipeline.big / f"part{number // 20:02d}"
        folder.mkdir(exist_ok=True)
        (folder / f"data{number:03d}.bin").write_bytes(os.urandom(_MIB))
    client = pipeline.cluster.client()
    subprocess.run([pipeline.ytbuild, "build", "-q"], cwd=pipeline.root, env=environment(), check=True)
    quiet()
    ours: list[float] = []
    theirs: list[float] = []
    for _ in range(5):
        client.remove("//tmp/large", recursive=True, force=True)
        ours.append(float(str(pipeline.upload()["seconds"])))
        theirs.append(_plain_write(pipeline))
    good = session.report(
        "first upload of 300 MB, upload phase / one write_file",
        statistics.median(ours),
        statistics.median(theirs),
        1.3,
    )
    client.remove("//tmp/large", recursive=True, force=True)
    variables = " ".join(f"{name}={value}" for name, value in pipeline.cluster.environment.items())
    command = ["bash", "-c", f"{variables} exec {pipeline.ytbuild} upload -q"]
    peak = peak_memory(Command(command, pipeline.root))
    return good & session.report("  peak memory of that upload, MiB / 1", peak / _MIB, 1, 400, "MiB")


def _plain_write(pipeline: _Pipeline) -> float:
    """Write the archive with one write_file of the official client, its content as it is; return the seconds."""
    client = pipeline.cluster.plain_client(proxy={"content_encoding": "identity"})
    client.exists("//tmp")
    started = time.perf_counter()
    with open(pipeline.root / ".build/source.tar.gz", "rb") as file:
        client.write_file("//tmp/plain", file, force_create=True)
    taken = time.perf_counter() - started
    client.remove("//tmp/plain")
    return taken


def figures(session: Session) -> bool:
    """Print the table; return whether every bar is met."""
    good = True
    for name, figure in (("edits", _edits), ("large", _large)):
        with Cluster.start(session.root / f"cluster-{name}") as cluster:
            good &= figure(session, _Pipeline(session.ytbuild, session.root / name, cluster))
    return good
