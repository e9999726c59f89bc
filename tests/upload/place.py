"""Test helpers: a built pipeline, the folder on a cluster that it is uploaded to, and what is found there."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from subprocess import CompletedProcess
from typing import Any

from yt.wrapper.errors import YtResponseError

from tests.cluster.running import Cluster, RealCluster
from tests.support import Pipeline
from ytbuild.archive.segments import segments
from ytbuild.base.reporter import SILENT, Reporter
from ytbuild.build import build_archive
from ytbuild.cluster.connection import Connection
from ytbuild.config.access import ClusterAccess
from ytbuild.config.prod import ProdConfig
from ytbuild.graph.plan import Planner
from ytbuild.store.local import StoredArchive
from ytbuild.store.remote import CypressStore
from ytbuild.upload import UploadResult, built_archive, send

ABANDONED_AFTER = 31
"""Seconds after which the cluster aborts the transactions of a process that was killed."""

_QUICK = {"policy": "constant_time", "constant_time": 20}
QUICK: dict[str, Any] = {
    "proxy": {"retries": {"backoff": _QUICK}, "request_timeout": 500, "heavy_request_timeout": 500}
}
"""The official client's settings for tests with faults: it asks again at once."""


@dataclass(frozen=True)
class Built:
    """A pipeline and its archive."""

    pipeline: Pipeline
    archive: StoredArchive
    manifest: bytes

    @classmethod
    def of(cls, pipeline: Pipeline) -> Built:
        """Build a pipeline inside this process."""
        planner = Planner(str(pipeline.root))
        archive, manifest = built_archive(planner, build_archive(planner).key)
        return cls(pipeline, archive, manifest)

    @property
    def key(self) -> str:
        """The archive's key."""
        return self.archive.summary.key

    @property
    def size(self) -> int:
        """The archive's size."""
        return self.archive.summary.size

    @cached_property
    def content(self) -> bytes:
        """The archive's bytes."""
        return Path(self.archive.path).read_bytes()

    @cached_property
    def segments(self) -> dict[str, bytes]:
        """The bytes of the archive's segments, by their keys."""
        content = self.content
        return {one.key: content[one.offset : one.offset + one.size] for one in segments(self.archive.summary)}


@dataclass(frozen=True)
class Place:
    """A built pipeline, and the folder on a cluster that it is uploaded to."""

    cluster: Cluster | RealCluster
    folder: str
    built: Built

    @property
    def client(self) -> Any:
        """The official client."""
        return self.cluster.keeper

    @property
    def archive(self) -> str:
        """Where the archive lies."""
        return f"{self.folder}/archives/{self.built.key}.tar.gz"

    @property
    def manifest(self) -> str:
        """Where the manifest lies."""
        return f"{self.folder}/manifests/{self.built.key}.json"

    @property
    def link(self) -> str:
        """Where the link lies."""
        return f"{self.folder}/source.tar.gz"

    def segment(self, key: str) -> str:
        """Where a segment lies."""
        return f"{self.folder}/segments/{key[:2]}/{key}"

    def below(self, name: str) -> Place:
        """The same pipeline, and an empty folder below this one."""
        self.client.create("map_node", f"{self.folder}/{name}")
        return replace(self, folder=f"{self.folder}/{name}")

    def rebuilt(self) -> Place:
        """The same place with the pipeline built anew."""
        return replace(self, built=Built.of(self.built.pipeline))

    def run(self, *arguments: str, check: bool = True, **environment: str) -> CompletedProcess[str]:
        """Run `ytbuild upload` in a process of its own."""
        override = ("-o", f"pipeline.build_folder={self.folder}")
        variables = {**self.cluster.environment, **environment}
        return self.built.pipeline.run("upload", *override, *arguments, check=check, **variables)

    def answer(self, *arguments: str) -> dict[str, Any]:
        """Run `ytbuild upload --json` and return what it says."""
        answer: dict[str, Any] = json.loads(self.run("--json", *arguments).stdout)
        return answer

    @contextmanager
    def store(self, address: str | None = None, **config: Any) -> Iterator[CypressStore]:
        """The store on the cluster, over an impatient connection."""
        variables = self.cluster.environment
        access = ClusterAccess(address or variables["YT_PROXY"], "the test", variables["YT_TOKEN"], "the test")
        prod = ProdConfig(**{"retry_seconds": 3, "client_config": QUICK, **config})
        with Connection(access, prod) as connection:
            yield CypressStore(connection, self.folder, prod.expiration_days)

    def upload(
        self, *, address: str | None = None, threads: int = 2, reporter: Reporter = SILENT, **config: Any
    ) -> UploadResult:
        """Upload inside this process."""
        with self.store(address, upload_threads=threads, **config) as store:
            return send(store, self.built.archive, self.built.manifest, reporter)

    # What is found there

    def get(self, path: str) -> Any:
        """Read a node or an attribute, without using it: that would keep it from expiring."""
        return self.client.get(path)

    def exists(self, path: str) -> bool:
        """Tell whether there is such a node."""
        return bool(self.client.exists(path))

    def read(self, path: str) -> bytes:
        """Read a file with the official client."""
        return bytes(self.client.read_file(path).read())

    def files(self) -> dict[str, tuple[int, int]]:
        """Return the size of each file that can be seen below the folder, and the size that it should have."""
        attributes = ["type", "uncompressed_data_size", "ytbuild_size"]
        tree = self.client.get(self.folder, attributes=attributes)
        return dict(_files(tree, ""))

    def not_whole(self) -> list[str]:
        """Return the files that can be seen and are not what they should be: only their sizes are looked at."""
        return [f"{path}: {size} of {whole}" for path, (size, whole) in self.files().items() if size != whole]

    def unfinished(self) -> list[str]:
        """Return the ids of the uploads' transactions that are open: operations of other tests have some, too."""
        ids: list[str] = []
        for id in map(str, self.client.list("//sys/transactions")):
            with suppress(YtResponseError):
                ids += [id] * str(self.client.get(f"#{id}/@title")).startswith("ytbuild: ")
        return ids

    def locked(self) -> list[str]:
        """Return the ids of the nodes that a transaction keeps from others."""
        return [str(node) for one in self.unfinished() for node in self.client.get(f"#{one}/@locked_node_ids")]

    def problems(self) -> list[str]:
        """Return what is wrong with the files that can be seen, by their bytes."""
        expected = {
            f"/archives/{self.built.key}.tar.gz": self.built.content,
            f"/manifests/{self.built.key}.json": self.built.manifest,
            **{f"/segments/{key[:2]}/{key}": content for key, content in self.built.segments.items()},
        }
        changed = [path for path in self.files() if self.read(self.folder + path) != expected.get(path)]
        return [f"{path} has other bytes" for path in changed]

    def assert_complete(self) -> None:
        """Check that all is there, and nothing else."""
        files = self.files()
        assert {f"/archives/{self.built.key}.tar.gz", f"/manifests/{self.built.key}.json"} <= set(files)
        assert self.problems() == []
        assert self.get(f"{self.link}&/@target_path") == self.archive
        assert self.client.list(self.folder) in (
            ["archives", "manifests", "segments", "source.tar.gz"],
            ["archives", "manifests", "source.tar.gz"],
        )


def _files(tree: Any, path: str) -> Iterator[tuple[str, tuple[int, int]]]:
    kind = tree.attributes["type"]
    if kind == "map_node":
        for name, child in tree.items():
            yield from _files(child, f"{path}/{name}")
    elif kind == "file":
        yield path, (int(tree.attributes["uncompressed_data_size"]), int(tree.attributes.get("ytbuild_size", -1)))
