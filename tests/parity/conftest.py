"""What the tests of both backends share: a folder on the cluster for the runs of a whole file."""

from __future__ import annotations

import secrets
from collections.abc import Iterator

import pytest

from tests.cluster.running import Cluster, RealCluster


@pytest.fixture(scope="module")
def folder(running_cluster: Cluster | RealCluster) -> Iterator[str]:
    """A fresh folder on the cluster, removed when all tests of the file have run."""
    path = f"{running_cluster.root}/ytbuild-test-{secrets.token_hex(6)}"
    running_cluster.client().create("map_node", path, recursive=True)
    running_cluster.close_clients()
    yield path
    running_cluster.client().remove(path, recursive=True, force=True)
    running_cluster.close_clients()
