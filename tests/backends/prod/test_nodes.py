"""Nodes of a cluster that only a cluster has: moves between cells of the master's."""

from __future__ import annotations

import pytest

from tests.cluster.running import Cluster
from ytbuild.base.errors import ClusterError
from ytbuild.cluster import nodes
from ytbuild.cluster.connection import Connection

# The official client leaves the sockets of failed requests to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def beyond(cluster: Cluster, cypress: str) -> str:
    """A folder in another cell, and a file beside it."""
    client = cluster.client()
    client.create("map_node", f"{cypress}/beyond")
    client.create("file", f"{cypress}/file")
    cluster.control("portals", paths=[f"{cypress}/beyond"])
    return f"{cypress}/beyond"


def moves(cluster: Cluster) -> list[tuple[bool, bool]]:
    """Whether each move was allowed between cells, and whether it was in a transaction."""
    sent = [request["parameters"] for request in cluster.requests() if request["command"] == "move"]
    return [(one["enable_cross_cell_copying"], "transaction_id" in one) for one in sent]


def test_a_move_within_a_cell_may_not_leave_it(cluster: Cluster, connection: Connection, cypress: str) -> None:
    cluster.client().create("file", f"{cypress}/file")
    nodes.move(connection, f"{cypress}/file", f"{cypress}/moved", force=False)
    assert moves(cluster) == [(False, False)]


def test_a_move_between_cells_is_done_in_a_transaction(
    cluster: Cluster, connection: Connection, cypress: str, beyond: str
) -> None:
    nodes.move(connection, f"{cypress}/file", f"{beyond}/file", force=False)
    assert cluster.client().exists(f"{beyond}/file") and not cluster.client().exists(f"{cypress}/file")
    assert moves(cluster) == [(False, False), (True, True)]


def test_a_move_between_cells_whose_answer_is_lost_is_done_again(
    cluster: Cluster, connection: Connection, cypress: str, beyond: str
) -> None:
    cluster.fault("move", "reset_after", nth=2)
    nodes.move(connection, f"{cypress}/file", f"{beyond}/file", force=False)
    assert cluster.client().exists(f"{beyond}/file")
    assert moves(cluster) == [(False, False), (True, True), (True, True)]


def test_a_move_between_cells_that_is_refused_leaves_all_as_it_was(
    cluster: Cluster, connection: Connection, cypress: str, beyond: str
) -> None:
    cluster.fault("move", "901", nth=2)
    with pytest.raises(ClusterError):
        nodes.move(connection, f"{cypress}/file", f"{beyond}/file", force=False)
    assert cluster.client().exists(f"{cypress}/file") and not cluster.client().exists(f"{beyond}/file")
