"""Fixtures: `cluster`, one process for the whole session, and `cypress`, a fresh folder on it.

`module_cypress` is a folder for all tests of a file.
"""

from __future__ import annotations

import contextlib
import gc
import secrets
from collections.abc import Iterator

import pytest

from tests.cluster.running import Cluster, RealCluster

# The official client leaves the socket of a failed heavy request to the garbage collector.
LEFT_OPEN = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Allow for the sockets that the official client leaves open, and mark what a real cluster can run, before `-m`
    chooses; with a real cluster, leave out what only the stand-in can do."""
    needs = {item: set(getattr(item, "fixturenames", ())) for item in items}
    for item in items:
        if "any_cluster" in needs[item]:
            item.add_marker(LEFT_OPEN)
            if "cluster" not in needs[item]:
                item.add_marker(pytest.mark.cluster)
    if RealCluster.from_environment() is not None:
        items[:] = [item for item in items if "cluster" not in needs[item]]
        config.hook.pytest_deselected(items=[item for item in needs if "cluster" in needs[item]])


@pytest.fixture(scope="session")
def running_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster | RealCluster]:
    """The real cluster if one is named, else a stand-in."""
    real = RealCluster.from_environment()
    if real is not None:
        yield real
        real.stop()
        return
    with Cluster.start(tmp_path_factory.mktemp("cluster")) as cluster:
        yield cluster


@pytest.fixture
def any_cluster(running_cluster: Cluster | RealCluster) -> Iterator[Cluster | RealCluster]:
    """A cluster of either kind, without leftovers of the test before."""
    if isinstance(running_cluster, Cluster):
        running_cluster.reset()
    yield running_cluster
    running_cluster.close_clients()
    if isinstance(running_cluster, Cluster):
        running_cluster.reset()
    # Here, not in a later test that knows nothing of clusters.
    gc.collect(1)


@pytest.fixture
def cluster(any_cluster: Cluster | RealCluster) -> Cluster:
    """The stand-in, for tests that need its faults, counters or clock; they are deselected with a real cluster."""
    assert isinstance(any_cluster, Cluster)
    return any_cluster


@pytest.fixture
def cypress(any_cluster: Cluster | RealCluster) -> Iterator[str]:
    """A fresh folder on the cluster, removed afterwards."""
    from yt.wrapper.errors import YtCypressTransactionLockConflict

    folder = f"{any_cluster.root}/ytbuild-test-{secrets.token_hex(6)}"
    any_cluster.keeper.create("map_node", folder, recursive=True)
    yield folder
    if not isinstance(any_cluster, Cluster):
        any_cluster.keeper.remove(folder, recursive=True, force=True)
        return
    any_cluster.reset()
    # A test may have left a transaction open; nothing of it reaches other tests.
    with contextlib.suppress(YtCypressTransactionLockConflict):
        any_cluster.keeper.remove(folder, recursive=True, force=True)


@pytest.fixture(scope="module")
def module_cypress(running_cluster: Cluster | RealCluster) -> Iterator[str]:
    """A fresh folder on the cluster, removed when all tests of the file have run."""
    folder = f"{running_cluster.root}/ytbuild-test-{secrets.token_hex(6)}"
    running_cluster.keeper.create("map_node", folder, recursive=True)
    yield folder
    running_cluster.keeper.remove(folder, recursive=True, force=True)
