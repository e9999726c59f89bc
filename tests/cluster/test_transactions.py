"""Isolation, locks and expiry of transactions, and the replay of repeated requests."""

from __future__ import annotations

import pytest
from yt.wrapper import JsonFormat, YtClient
from yt.wrapper.errors import (
    YtCypressTransactionLockConflict,
    YtNoSuchTransaction,
    YtResolveError,
    YtResponseError,
)

from tests.cluster.running import Cluster, RealCluster

JSON = JsonFormat(encode_utf8=False)


@pytest.fixture
def client(any_cluster: Cluster | RealCluster) -> YtClient:
    return any_cluster.client()


@pytest.fixture
def other(any_cluster: Cluster | RealCluster) -> YtClient:
    """A client outside of the transactions of `client`."""
    return any_cluster.client()


def test_what_a_transaction_does_is_seen_after_its_commit(client: YtClient, other: YtClient, cypress: str) -> None:
    client.write_file(f"{cypress}/old", b"old")
    with client.Transaction():
        client.create("map_node", f"{cypress}/new")
        client.write_file(f"{cypress}/old", b"changed")
        client.set(f"{cypress}/@a", 1)
        assert client.read_file(f"{cypress}/old").read() == b"changed"
        assert other.list(cypress) == ["old"]
        assert other.read_file(f"{cypress}/old").read() == b"old"
        assert not other.exists(f"{cypress}/@a")
    assert other.list(cypress) == ["new", "old"]
    assert other.read_file(f"{cypress}/old").read() == b"changed"
    assert other.get(f"{cypress}/@a") == 1


def test_an_abort_undoes_everything(client: YtClient, cypress: str) -> None:
    client.write_table(f"{cypress}/table", [{"a": 1}], format=JSON)
    with pytest.raises(ZeroDivisionError), client.Transaction():
        client.remove(f"{cypress}/table")
        client.create("file", f"{cypress}/file")
        client.set(f"{cypress}/@a", 1)
        raise ZeroDivisionError
    assert client.list(cypress) == ["table"]
    assert list(client.read_table(f"{cypress}/table", format=JSON)) == [{"a": 1}]
    assert not client.exists(f"{cypress}/@a")
    assert client.get(f"{cypress}/@lock_count") == 0


def test_a_removal_is_isolated(client: YtClient, other: YtClient, cypress: str) -> None:
    client.create("file", f"{cypress}/a/b", recursive=True)
    with client.Transaction():
        client.remove(f"{cypress}/a", recursive=True)
        client.create("map_node", f"{cypress}/a")
        assert client.list(f"{cypress}/a") == []
        assert other.list(f"{cypress}/a") == ["b"]
    assert other.list(f"{cypress}/a") == []


def test_a_nested_commit_is_seen_in_the_parent_only(client: YtClient, other: YtClient, cypress: str) -> None:
    with client.Transaction():
        with client.Transaction():
            client.create("file", f"{cypress}/a")
        assert client.exists(f"{cypress}/a")
        assert not other.exists(f"{cypress}/a")
        with pytest.raises(YtCypressTransactionLockConflict):
            other.create("file", f"{cypress}/a")
    assert other.exists(f"{cypress}/a")


def test_what_was_created_and_removed_in_a_transaction_leaves_nothing(client: YtClient, cypress: str) -> None:
    with client.Transaction():
        node = client.create("file", f"{cypress}/a")
        client.remove(f"{cypress}/a")
        assert not client.exists(f"{cypress}/a")
    assert client.list(cypress) == []
    assert not client.exists(f"#{node}")


def test_two_cannot_create_one_child(client: YtClient, other: YtClient, cypress: str) -> None:
    with client.Transaction() as tx:
        client.create("file", f"{cypress}/a")
        other.create("file", f"{cypress}/b")
        message = f'lock for child "a" of node {cypress} since this child is locked by concurrent transaction'
        with pytest.raises(YtCypressTransactionLockConflict) as error:
            other.create("file", f"{cypress}/a")
        assert f"{message} {tx.transaction_id}" in str(error.value)


def test_exclusive_locks_exclude(client: YtClient, other: YtClient, cypress: str) -> None:
    client.create("file", f"{cypress}/a")
    with client.Transaction() as tx:
        client.lock(f"{cypress}/a")
        message = f'since "exclusive" lock is taken by concurrent transaction {tx.transaction_id}'
        with pytest.raises(YtCypressTransactionLockConflict, match=message):
            other.write_file(f"{cypress}/a", b"content", force_create=False)
        with other.Transaction(), pytest.raises(YtCypressTransactionLockConflict, match=message):
            other.lock(f"{cypress}/a", mode="shared")
        with other.Transaction():
            other.lock(f"{cypress}/a", mode="snapshot")
        with pytest.raises(YtCypressTransactionLockConflict):
            other.remove(cypress, recursive=True)


def test_shared_locks_exclude_by_key(client: YtClient, other: YtClient, cypress: str) -> None:
    with client.Transaction(), other.Transaction():
        client.lock(cypress, mode="shared", child_key="a")
        other.lock(cypress, mode="shared", child_key="b")
        other.lock(cypress, mode="shared", attribute_key="a")
        with pytest.raises(YtCypressTransactionLockConflict):
            other.lock(cypress, mode="shared", child_key="a")


def test_a_snapshot_stays_as_it_was(client: YtClient, other: YtClient, cypress: str) -> None:
    client.write_file(f"{cypress}/a", b"old")
    with client.Transaction():
        node = client.lock(f"{cypress}/a", mode="snapshot")["node_id"]
        other.write_file(f"{cypress}/a", b"new")
        other.remove(f"{cypress}/a")
        assert client.read_file(f"#{node}").read() == b"old"
        with pytest.raises(YtResponseError, match="already taken by same transaction"):
            client.set(f"#{node}/@a", 1)
    assert not client.exists(f"#{node}")


def test_locks_are_shown(client: YtClient, other: YtClient, cypress: str) -> None:
    with client.Transaction() as tx:
        client.create("file", f"{cypress}/a")
        (lock,) = other.get(f"{cypress}/@locks")
        assert (lock["mode"], lock["child_key"]) == ("shared", "a")
        assert lock["transaction_id"] == tx.transaction_id
        assert client.get(f"{cypress}/a/@lock_mode") == "exclusive"


def test_a_waitable_lock_is_given_when_it_is_free(client: YtClient, other: YtClient, cypress: str) -> None:
    with other.Transaction():
        with client.Transaction():
            client.lock(cypress)
            lock = other.lock(cypress, waitable=True)["lock_id"]
            assert other.get(f"#{lock}/@state") == "pending"
        assert other.get(f"#{lock}/@state") == "acquired"


def test_appends_go_together(client: YtClient, other: YtClient, cypress: str) -> None:
    client.write_table(f"{cypress}/t", [{"a": 0}], format=JSON)
    with client.Transaction():
        client.write_table(f"<append=%true>{cypress}/t", [{"a": 1}], format=JSON)
        other.write_table(f"<append=%true>{cypress}/t", [{"a": 2}], format=JSON)
        assert client.get(f"{cypress}/t/@row_count") in (2, 3)
    assert sorted(row["a"] for row in other.read_table(f"{cypress}/t", format=JSON)) == [0, 1, 2]


def test_attributes_of_a_transaction(client: YtClient, cypress: str) -> None:
    with client.Transaction(attributes={"title": "mine"}) as tx:
        assert client.get(f"#{tx.transaction_id}/@title") == "mine"
        assert client.exists(f"//sys/transactions/{tx.transaction_id}")
    assert not client.exists(f"//sys/transactions/{tx.transaction_id}")


def test_a_transaction_that_nobody_pings_is_aborted(cluster: Cluster, cypress: str) -> None:
    client = cluster.client()
    tx = client.start_transaction(timeout=10_000)
    with client.Transaction(transaction_id=tx):
        client.create("file", f"{cypress}/a")
    cluster.advance(8)
    client.ping_transaction(tx)
    cluster.advance(8)
    assert client.exists(f"//sys/transactions/{tx}")
    cluster.advance(8)
    for call in (client.ping_transaction, client.commit_transaction, client.abort_transaction):
        with pytest.raises(YtNoSuchTransaction):
            call(tx)
    client.create("file", f"{cypress}/a")


def test_the_answer_to_a_lost_request_is_repeated(cluster: Cluster, cypress: str) -> None:
    backoff = {"policy": "constant_time", "constant_time": 10}
    client = cluster.client(proxy={"retries": {"backoff": backoff}})
    cluster.fault("create", "reset_after")
    cluster.fault("commit_transaction", "reset_after")
    with client.Transaction():
        client.create("file", f"{cypress}/a")
    assert client.exists(f"{cypress}/a")
    assert [fault["applied"] for fault in cluster.faults()] == [1, 1]


def test_a_write_needs_its_transaction_until_the_end(client: YtClient, cypress: str) -> None:
    tx = client.start_transaction()
    client.abort_transaction(tx)
    with client.Transaction(transaction_id=tx), pytest.raises(YtNoSuchTransaction):
        client.create("file", f"{cypress}/a")
    with pytest.raises(YtResolveError):
        client.get(f"{cypress}/a")
