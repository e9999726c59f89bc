"""Codes of a cluster's errors: which are about the token, and which say that a part of a batch may be sent again."""

from __future__ import annotations

from typing import Any

import pytest

from tests.cluster.running import Cluster
from ytbuild.base.errors import ClusterError
from ytbuild.cluster.commands import Command
from ytbuild.cluster.connection import Connection

# The official client leaves the sockets of failed requests to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

EXISTS = Command("exists", {"path": "//tmp"})


def fail_with(cluster: Cluster, code: int, **options: Any) -> None:
    """Let a part of a batch fail with a code."""
    cluster.fault("exists", "error", code=code, message=f"said by {code}", **options)


@pytest.mark.parametrize("code", [109, 111, 900])
def test_a_code_of_authentication_is_about_the_token(cluster: Cluster, connection: Connection, code: int) -> None:
    fail_with(cluster, code)
    with pytest.raises(ClusterError, match="YT_TOKEN was refused by"):
        connection.batch([EXISTS])[0].get()


def test_a_refused_csrf_token_is_not_about_ours(cluster: Cluster, connection: Connection) -> None:
    fail_with(cluster, 110)
    with pytest.raises(ClusterError, match="exists //tmp: said by 110"):
        connection.batch([EXISTS])[0].get()


@pytest.mark.parametrize("code", [108, 904, 116, 118, 120])
def test_a_part_of_a_batch_that_was_not_taken_is_sent_again(
    cluster: Cluster, connection: Connection, code: int
) -> None:
    fail_with(cluster, code)
    other = Command("get", {"path": "//tmp/@type"})
    answers = connection.batch([EXISTS, other])
    assert [answer.get() for answer in answers] == [True, "map_node"]
    assert cluster.counters()["batched"] == {"exists": 2, "get": 1}


@pytest.mark.parametrize("code", [116, 118, 120])
def test_a_cluster_that_stays_overloaded_is_not_available(
    cluster: Cluster, connection: Connection, code: int
) -> None:
    fail_with(cluster, code, nth="every")
    with pytest.raises(ClusterError, match=f"is not available: said by {code}") as caught:
        connection.batch([EXISTS])[0].get()
    assert caught.value.transient
