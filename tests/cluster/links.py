"""Commands that join places of the tree: link, copy, move, lock, unlock."""

from __future__ import annotations

from typing import Any

from tests.cluster import attributes, building, locks
from tests.cluster.errors import already_exists, generic
from tests.cluster.nodes import Node, Version
from tests.cluster.paths import RichPath
from tests.cluster.requests import Command, Request
from tests.cluster.state import State
from tests.cluster.tree import Place


def link(state: State, request: Request) -> Any:
    """`link`: as in the real client, only `force` may make a link to a target that does not exist."""
    tx = request.transaction
    target = RichPath.of(request.parameters["target_path"])
    place = state.tree.locate(RichPath.of(request.parameters["link_path"]), tx, follow=False)
    if not request.get("force") and state.tree.locate(target, tx).target is None:
        raise generic(f"Target {target.text} for the link {place.path.text} does not exist")
    if isinstance(place.target, Node):
        if request.get("ignore_existing") and not request.get("force"):
            return {"node_id": place.target.id}
        if not request.get("force"):
            raise already_exists(state.tree.path_of(place.target))
    parent, key = _free(state, place, tx, request)
    wanted = {**(request.get("attributes") or {}), "target_path": target.text}
    return {"node_id": building.new_node(state, parent, key, "link", wanted, tx).id}


def _free(state: State, place: Place, tx: str | None, request: Request) -> tuple[Node, str]:
    """A place for a new node, which `force` empties."""
    if place.target is None:
        return building.parent_for(state, place, tx, bool(request.get("recursive")))
    parent = place.target.parent
    if parent is None:
        raise generic("The root cannot be replaced")
    state.tree.remove(place.target, tx)
    return parent, place.target.key


def _copy(state: State, request: Request, moving: bool) -> Any:
    tx = request.transaction
    source = state.tree.node(RichPath.of(request.parameters["source_path"]), tx, follow=not moving)
    place = state.tree.locate(RichPath.of(request.parameters["destination_path"]), tx, follow=False)
    if isinstance(place.target, Node):
        if place.target is source and request.get("force"):
            return {"node_id": source.id}
        if request.get("ignore_existing") and not moving:
            return {"node_id": place.target.id}
        if not request.get("force"):
            raise already_exists(state.tree.path_of(place.target))
    above = place.parent
    while moving and above is not None:
        if above is source:
            raise generic("Cannot move a node to its descendant")
        above = above.parent
    state.limits.check_cells(place.path.text, RichPath.of(request.parameters["source_path"]).text, request)
    if moving:
        for each in state.tree.subtree(source, tx):
            state.tree.lock(each, tx, "exclusive")
    parent, key = _free(state, place, tx, request)
    keep = {name for name in ("expiration_time", "expiration_timeout") if request.get(f"preserve_{name}")}
    node = building.copy_node(state.tree, source, parent, key, tx, keep)
    if moving:
        if request.get("preserve_creation_time", True):
            node.created = source.created
        state.tree.remove(source, tx)
    return {"node_id": node.id}


def copy(state: State, request: Request) -> Any:
    """`copy`: content is shared, expiration is not copied unless asked for."""
    return _copy(state, request, moving=False)


def move(state: State, request: Request) -> Any:
    """`move`: a copy with the old creation time, then the source is removed."""
    return _copy(state, request, moving=True)


def lock(state: State, request: Request) -> Any:
    """`lock`."""
    if request.transaction is None:
        raise generic("A valid master transaction is required")
    mode = request.get("mode", "exclusive")
    if mode not in ("snapshot", "shared", "exclusive"):
        raise generic(f'Error parsing ELockMode value "{mode}"')
    keys = (request.get("child_key"), request.get("attribute_key"))
    if mode != "shared" and any(key is not None for key in keys):
        raise generic("Only shared locks can be taken for a child or an attribute")
    node = state.tree.node(RichPath.of(request.parameters["path"]), request.transaction)
    taken = state.transactions.lock(node, request.transaction, mode, *keys, bool(request.get("waitable")))
    revision = attributes.get(state.tree, node, "revision", request.transaction) if taken.state == "acquired" else 0
    return {"lock_id": taken.id, "node_id": node.id, "revision": revision}


def unlock(state: State, request: Request) -> Any:
    """`unlock`: gives back the explicit locks of a node that the transaction has not changed."""
    tx = state.transactions.find(request.transaction or "0-0-0-0")
    node = state.tree.node(RichPath.of(request.parameters["path"]), tx.id)
    mine = [each for each in node.locks if each.tx == tx.id and not each.implicit]
    version = node.versions.get(tx.id)
    if mine and version is not None and not version.frozen and version != Version():
        raise generic(f'Node #{node.id} is modified by transaction "{tx.id}" and cannot be unlocked')
    if version is not None and version.frozen:
        del node.versions[tx.id]
    locks.drop(state.tree, tx, mine)
    return {}


COMMANDS = [
    Command("link", "null", "structured", True, False, link),
    Command("copy", "null", "structured", True, False, copy),
    Command("move", "null", "structured", True, False, move),
    Command("lock", "null", "structured", True, False, lock),
    Command("unlock", "null", "structured", True, False, unlock),
]
