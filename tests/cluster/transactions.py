"""Transactions: start, ping, commit, abort, expiry, and the locks that they hold."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from tests.cluster import locks
from tests.cluster.errors import no_such_transaction
from tests.cluster.nodes import Lock, Node, Version, new_id, timestamp
from tests.cluster.tree import Tree


@dataclass
class Transaction:
    """One open transaction."""

    id: str
    parent: Transaction | None
    timeout: float
    started: float
    last_ping: float
    deadline: float | None = None
    attributes: dict[str, Any] = field(default_factory=dict)
    nested: list[Transaction] = field(default_factory=list)
    locks: list[Lock] = field(default_factory=list)
    touched: set[Node] = field(default_factory=set)
    type: str = "transaction"

    def lineage(self) -> Iterator[Transaction]:
        """The transaction and those that it is nested in, innermost first."""
        at: Transaction | None = self
        while at is not None:
            yield at
            at = at.parent

    def expired(self, now: float) -> bool:
        """Whether nobody pinged it in time."""
        return now > self.last_ping + self.timeout or (self.deadline is not None and now > self.deadline)

    def description(self) -> dict[str, Any]:
        """Its attributes."""
        return {
            **self.attributes,
            "id": self.id,
            "type": self.type,
            "state": "active",
            "timeout": int(self.timeout * 1000),
            "start_time": timestamp(self.started),
            "last_ping_time": timestamp(self.last_ping),
            "parent_id": self.parent.id if self.parent else "0-0-0-0",
            "nested_transaction_ids": [child.id for child in self.nested],
            "lock_ids": [lock.id for lock in self.locks],
            "locked_node_ids": sorted({lock.node.id for lock in self.locks}),
            "owner": "root",
        }


class Transactions:
    """The open transactions of a cluster."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.open: dict[str, Transaction] = tree.transactions

    def find(self, tx: str) -> Transaction:
        """An open transaction; ClusterError 11000 when there is none."""
        found = self.open.get(tx)
        if found is None:
            raise no_such_transaction(tx)
        return found

    def start(
        self, parent: str | None, timeout: float, attributes: dict[str, Any], deadline: float | None = None
    ) -> Transaction:
        """Open a transaction, nested in `parent` if given."""
        outer = self.find(parent) if parent else None
        now = self.tree.clock.now()
        tx = Transaction(new_id(), outer, timeout, now, now, deadline, dict(attributes))
        self.open[tx.id] = self.tree.objects[tx.id] = tx
        if outer:
            outer.nested.append(tx)
        return tx

    def ping(self, tx: str, ancestors: bool = True) -> None:
        """Keep it alive, and what it is nested in."""
        for each in self.find(tx).lineage():
            each.last_ping = self.tree.clock.now()
            if not ancestors:
                break

    def commit(self, tx: str) -> None:
        """Publish its changes to the transaction that it is nested in, or to everybody."""
        found = self.find(tx)
        for child in list(found.nested):
            self.abort(child.id)
        below = found.parent.id if found.parent else None
        for node in found.touched:
            upper = node.versions.pop(found.id, None)
            if upper is None or upper.frozen:
                continue
            lower = node.versions.setdefault(below, Version())
            lower.take_over(upper)
            if below is None:
                lower.settle()
        if found.parent:
            found.parent.touched |= found.touched
            locks.promote(found, found.parent)
        self._close(found)

    def abort(self, tx: str) -> None:
        """Forget its changes, and those of the transactions nested in it."""
        found = self.find(tx)
        for child in list(found.nested):
            self.abort(child.id)
        for node in found.touched:
            node.versions.pop(found.id, None)
        self._close(found)

    def _close(self, tx: Transaction) -> None:
        locks.drop(self.tree, tx, list(tx.locks))
        del self.open[tx.id]
        self.tree.objects.pop(tx.id, None)
        if tx.parent:
            tx.parent.nested.remove(tx)
        self.tree.forget_unreachable(tx.touched)

    def expire(self) -> None:
        """Abort what nobody pinged in time."""
        now = self.tree.clock.now()
        for tx in [tx for tx in self.open.values() if tx.expired(now)]:
            if tx.id in self.open:
                self.abort(tx.id)

    def lock(
        self,
        node: Node,
        tx: str,
        mode: str,
        child_key: str | None = None,
        attribute_key: str | None = None,
        waitable: bool = False,
    ) -> Lock:
        """Take an explicit lock."""
        taken = locks.acquire(self.tree, node, self.find(tx), mode, child_key, attribute_key, False, waitable)
        assert taken is not None, "an explicit lock is always made"
        return taken
