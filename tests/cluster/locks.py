"""Which locks go together. The rules and messages are those of the master (DoCheckLock of its Cypress manager)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.cluster.errors import DESCENDANT_LOCK, LOCK_CONFLICT, SAME_TRANSACTION_LOCK, ClusterError
from tests.cluster.nodes import Lock, Node, new_id

if TYPE_CHECKING:
    from tests.cluster.transactions import Transaction
    from tests.cluster.tree import Tree


def acquire(
    tree: Tree,
    node: Node,
    tx: Transaction | None,
    mode: str,
    child_key: str | None = None,
    attribute_key: str | None = None,
    implicit: bool = True,
    waitable: bool = False,
) -> Lock | None:
    """Take a lock; outside of transactions only check that a write collides with none."""
    wanted = Lock(new_id(2), node, tx.id if tx else "", mode, child_key, attribute_key, implicit)
    if implicit and _has(node, wanted):
        return None
    try:
        _check(tree, node, tx, wanted)
    except ClusterError:
        if not waitable or tx is None:
            raise
        wanted.state = "pending"
    if tx is None:
        return None
    node.locks.append(wanted)
    tx.locks.append(wanted)
    tx.touched.add(node)
    tree.objects[wanted.id] = wanted
    if wanted.state == "acquired" and mode == "snapshot":
        tree.freeze(node, tx.id)
    return wanted


def _has(node: Node, wanted: Lock) -> bool:
    same = (wanted.tx, wanted.mode, wanted.key)
    return any((lock.tx, lock.mode, lock.key) == same for lock in node.acquired())


def _check(tree: Tree, node: Node, tx: Transaction | None, wanted: Lock) -> None:
    if wanted.mode == "snapshot":
        _check_snapshot(tree, node, tx, wanted)
        return
    lineage = [each.id for each in tx.lineage()] if tx else []
    for lock in node.acquired():
        if lock.mode == "snapshot" and lock.tx in lineage:
            whose = "same" if lock.tx == wanted.tx else "parent"
            message = _since(tree, wanted, f'"snapshot" lock is already taken by {whose} transaction {lock.tx}')
            raise ClusterError(SAME_TRANSACTION_LOCK, message)
    for lock in node.acquired():
        if lock.tx not in lineage and _collide(wanted, lock):
            raise _conflict(tree, wanted, lock)


def _check_snapshot(tree: Tree, node: Node, tx: Transaction | None, wanted: Lock) -> None:
    for lock in node.acquired():
        if lock.mode == "snapshot":
            continue
        if lock.tx == wanted.tx:
            message = f'"{lock.mode}" lock is already taken by same transaction {lock.tx}'
            raise ClusterError(SAME_TRANSACTION_LOCK, _since(tree, wanted, message))
        if tx in list(tree.transactions[lock.tx].lineage()):
            message = f'"{lock.mode}" lock is already taken by a descendant transaction'
            raise ClusterError(DESCENDANT_LOCK, _since(tree, wanted, message))


def _collide(wanted: Lock, held: Lock) -> bool:
    if held.mode == "snapshot":
        return False
    if "exclusive" in (held.mode, wanted.mode):
        return True
    return wanted.key is not None and wanted.key == held.key


def _since(tree: Tree, wanted: Lock, why: str) -> str:
    return f'Cannot take "{wanted.mode}" lock for node {tree.path_of(wanted.node)} since {why}'


def _conflict(tree: Tree, wanted: Lock, held: Lock) -> ClusterError:
    path = tree.path_of(wanted.node)
    by = f"is locked by concurrent transaction {held.tx}"
    if wanted.child_key is not None:
        message = f'Cannot take lock for child "{wanted.child_key}" of node {path} since this child {by}'
    elif wanted.attribute_key is not None:
        message = f'Cannot take lock for attribute "{wanted.attribute_key}" of node {path} since this attribute {by}'
    else:
        message = _since(tree, wanted, f'"{held.mode}" lock is taken by concurrent transaction {held.tx}')
    return ClusterError(LOCK_CONFLICT, message, {"winner_transaction": tree.transactions[held.tx].description()})


def promote(tx: Transaction, parent: Transaction) -> None:
    """A committed nested transaction's locks go to its parent, except snapshots and what the parent has already."""
    for lock in list(tx.locks):
        if lock.mode == "snapshot" or lock.state != "acquired":
            continue
        tx.locks.remove(lock)
        lock.node.locks.remove(lock)
        lock.tx = parent.id
        if lock.implicit and _has(lock.node, lock):
            continue
        lock.node.locks.append(lock)
        parent.locks.append(lock)


def drop(tree: Tree, tx: Transaction, locks: list[Lock]) -> None:
    """Give locks of a transaction back, and hand them to who waits for them."""
    for lock in locks:
        tx.locks.remove(lock)
        lock.node.locks.remove(lock)
        tree.objects.pop(lock.id, None)
    for node in dict.fromkeys(lock.node for lock in locks):
        _wake(tree, node)


def _wake(tree: Tree, node: Node) -> None:
    for lock in [lock for lock in node.locks if lock.state == "pending"]:
        tx = tree.transactions[lock.tx]
        try:
            _check(tree, node, tx, lock)
        except ClusterError:
            return
        lock.state = "acquired"
        if lock.mode == "snapshot":
            tree.freeze(node, lock.tx)
