"""Making nodes: from a type and attributes, from a value, or as a copy of others."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from yt import yson

from tests.cluster import attributes
from tests.cluster.errors import ClusterError, generic
from tests.cluster.nodes import MAPS, SCALARS, Node
from tests.cluster.paths import RichPath
from tests.cluster.schema import Schema
from tests.cluster.tree import Place, Tree

if TYPE_CHECKING:
    from tests.cluster.state import State

CREATABLE = ("map_node", "file", "table", "document", "link", *SCALARS)
_DEFAULTS: dict[str, Any] = {
    "string_node": "",
    "int64_node": 0,
    "uint64_node": yson.YsonUint64(0),
    "double_node": 0.0,
    "boolean_node": False,
}


def copied(value: Any) -> Any:
    """A copy of a plain value that may be changed."""
    if isinstance(value, dict):
        return {key: copied(item) for key, item in value.items()}
    return [copied(item) for item in value] if isinstance(value, list) else value


def type_of_value(value: Any) -> str:
    """The node type that `set` makes of a value."""
    if isinstance(value, bool):
        return "boolean_node"
    if isinstance(value, yson.YsonUint64):
        return "uint64_node"
    for kind, name in (
        (int, "int64_node"),
        (float, "double_node"),
        ((str, bytes), "string_node"),
        (dict, "map_node"),
    ):
        if isinstance(value, kind):
            return name
    raise generic("Cypress holds no lists and no entities outside of attributes and documents")


def parent_for(state: State, place: Place, tx: str | None, recursive: bool) -> tuple[Node, str]:
    """The map in which a missing node is to be made, and its key there; with `recursive` all maps on the way."""
    parent = place.parent
    if parent is None or parent.type not in MAPS or (len(place.missing) > 1 and not recursive):
        raise state.tree.missing(place)
    for key in place.missing[:-1]:
        parent = state.tree.make(parent, key, "map_node", tx)
    return parent, place.missing[-1]


def check_attributes(kind: str, wanted: dict[str, Any]) -> None:
    """Refuse what `create` cannot make, before anything is changed."""
    if kind not in CREATABLE:
        raise generic(f'Error parsing EObjectType value "{kind}"')
    if kind == "link" and not isinstance(wanted.get("target_path"), str):
        raise generic('Required attribute "target_path" is not set')
    if kind == "table" and "schema" in wanted:
        Schema.parse(wanted["schema"])


def new_node(state: State, parent: Node, key: str, kind: str, wanted: dict[str, Any], tx: str | None) -> Node:
    """A new, empty node with attributes."""
    if kind == "link":
        _refuse_cycle(state.tree, parent, key, RichPath(str(wanted["target_path"])), tx)
    node = state.tree.make(parent, key, kind, tx)
    fields = state.tree.version(node, tx).fields
    if kind == "table":
        fields["schema"] = Schema.parse(wanted["schema"]) if wanted.get("schema") is not None else Schema()
    elif kind == "link":
        fields["target_path"] = str(wanted["target_path"])
    elif kind in SCALARS or kind == "document":
        fields["value"] = wanted.get("value", _DEFAULTS.get(kind))
    handled = {"schema", "target_path", "value", "dynamic", "append", "create", "sorted_by", "ranges", "columns"}
    for name, value in wanted.items():
        if name not in handled:
            attributes.put(state.tree, node, name, value, tx)
    return node


def _refuse_cycle(tree: Tree, parent: Node, key: str, target: RichPath, tx: str | None) -> None:
    place = tree.locate(target, tx)
    if place.target is None and place.parent is parent and place.missing == (key,):
        raise ClusterError(1, "Failed to create link: link is cyclic", {"target_path": target.text})


def put_value(tree: Tree, node: Node, value: Any, tx: str | None) -> None:
    """Replace the value of a document or scalar."""
    tree.lock(node, tx, "exclusive")
    version = tree.version(node, tx)
    version.fields["value"] = value
    version.touch(tree.clock.now(), content=True)


def from_value(tree: Tree, parent: Node, key: str, value: Any, tx: str | None) -> Node:
    """What `set` makes: maps become map nodes, scalars become scalar nodes."""
    kind = type_of_value(value)
    node = tree.make(parent, key, kind, tx)
    if kind == "map_node":
        for name, item in value.items():
            from_value(tree, node, name, item, tx)
    else:
        tree.version(node, tx).fields["value"] = value
    return node


def copy_node(tree: Tree, source: Node, parent: Node, key: str, tx: str | None, keep: set[str]) -> Node:
    """A copy of a node and all below it. Content is shared; expiration is copied only as far as `keep` says."""
    node = tree.make(parent, key, source.type, tx)
    version = tree.version(node, tx)
    for below in reversed(list(tree.chain(source, tx))):
        version.fields.update(below.fields)
    version.fields["chunks"] = tree.chunks(source, tx)
    for name, value in tree.user_attributes(source, tx).items():
        if name.startswith("expiration_time"):
            if name not in keep:
                continue
            tree.expiring.add(node)
        version.attributes[name] = value
    if source.type == "map_node":
        for name, child in list(tree.children(source, tx).items()):
            if child != node.id:
                copy_node(tree, tree.objects[child], node, name, tx, keep)
    return node
