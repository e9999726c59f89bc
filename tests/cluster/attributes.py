"""Attributes: what users set, and what the system computes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster.errors import generic, no_such_attribute, no_such_node
from tests.cluster.nodes import MAPS, REMOVED, SCALARS, Node, timestamp
from tests.cluster.paths import RichPath

if TYPE_CHECKING:
    from tests.cluster.tree import Tree

OPAQUE = ("link", "file", "table", "document")
# Builtin attributes that users may set, and what the value must be.
SETTABLE: dict[str, Any] = {
    "account": str,
    "compression_codec": str,
    "erasure_codec": str,
    "expiration_time": (str, int),
    "expiration_timeout": int,
    "external": bool,
    "inherit_acl": bool,
    "acl": list,
    "optimize_for": str,
    "primary_medium": str,
    "replication_factor": int,
    "vital": bool,
}
_READ_ONLY_NAMES = """
    id type parent_id creation_time modification_time access_time revision content_revision
    attribute_revision owner locks lock_count lock_mode count children uncompressed_data_size
    compressed_data_size data_weight chunk_count chunk_ids row_count sorted sorted_by key_columns schema
    schema_mode dynamic resource_usage md5 ref_counter path key target_path broken user_attribute_keys
    opaque
"""
READ_ONLY = frozenset(_READ_ONLY_NAMES.split())


def system(tree: Tree, node: Node, tx: str | None) -> dict[str, Any]:
    """What the system knows about a node."""
    top = max((version.revision, version.modified) for version in tree.chain(node, tx))
    shown: dict[str, Any] = {
        "id": node.id,
        "type": node.type,
        "account": "tmp",
        "owner": node.owner,
        "creation_time": timestamp(node.created),
        "modification_time": timestamp(max(version.modified for version in tree.chain(node, tx))),
        "access_time": timestamp(node.accessed),
        "revision": top[0],
        "attribute_revision": top[0],
        "content_revision": max(version.content_revision for version in tree.chain(node, tx)),
        "locks": [lock.description() for lock in node.locks],
        "lock_count": len(node.locks),
        "lock_mode": _lock_mode(node, tx),
        "ref_counter": 1,
        "opaque": False,
        "external": False,
        "inherit_acl": True,
        "acl": [],
        "parent_id": node.parent.id if node.parent else "0-0-0-0",
        "path": tree.path_of(node),
        "key": node.key,
        "user_attribute_keys": [name for name in tree.user_attributes(node, tx) if name not in SETTABLE],
    }
    shown.update(_by_type(tree, node, tx))
    return shown


def _lock_mode(node: Node, tx: str | None) -> str:
    modes = [lock.mode for lock in node.acquired() if lock.tx == tx]
    return next((mode for mode in ("exclusive", "shared", "snapshot") if mode in modes), "none")


def _by_type(tree: Tree, node: Node, tx: str | None) -> dict[str, Any]:
    if node.type in MAPS:
        return {"count": len(tree.children(node, tx))}
    if node.type == "link":
        target = tree.field(node, tx, "target_path")
        return {"target_path": target, "broken": tree.locate(RichPath(target), tx, access=False).target is None}
    if node.type in ("file", "table"):
        return _content(tree, node, tx)
    return {"value": tree.field(node, tx, "value")} if node.type in SCALARS or node.type == "document" else {}


def _content(tree: Tree, node: Node, tx: str | None) -> dict[str, Any]:
    chunks = tree.chunks(node, tx)
    size = sum(chunk.size for chunk in chunks)
    shown: dict[str, Any] = {
        "uncompressed_data_size": size,
        "compressed_data_size": size,
        "chunk_count": len(chunks),
        "replication_factor": 3,
        "compression_codec": "lz4" if node.type == "table" else "none",
        "erasure_codec": "none",
        "primary_medium": "default",
        "vital": True,
        "resource_usage": {"disk_space": size * 3, "node_count": 1, "chunk_count": len(chunks)},
    }
    if node.type == "file":
        md5 = tree.field(node, tx, "md5")
        if md5 is not None:
            shown["md5"] = md5.hexdigest()
        return shown
    rows = sum(len(chunk.rows) for chunk in chunks)
    schema = tree.field(node, tx, "schema")
    return {
        **shown,
        "row_count": rows,
        "data_weight": size,
        "dynamic": False,
        "optimize_for": "lookup",
        **schema.attributes(),
    }


def all_of(tree: Tree, target: Any, tx: str | None) -> dict[str, Any]:
    """Every attribute of an object."""
    if not isinstance(target, Node):
        return dict(target.description())
    return {**system(tree, target, tx), **tree.user_attributes(target, tx)}


def get(tree: Tree, target: Any, name: str, tx: str | None) -> Any:
    """One attribute; ClusterError 500 when there is none."""
    found = all_of(tree, target, tx)
    if name not in found:
        raise no_such_attribute(name)
    return found[name]


def chosen(tree: Tree, target: Any, names: list[str], tx: str | None) -> dict[str, Any]:
    """Those of the named attributes that exist."""
    found = all_of(tree, target, tx)
    return {name: found[name] for name in names if name in found}


def put(tree: Tree, node: Node, name: str, value: Any, tx: str | None) -> None:
    """Set one attribute."""
    if name in READ_ONLY:
        raise generic(f'Builtin attribute "{name}" cannot be set')
    wanted = SETTABLE.get(name)
    if wanted is not None and (not isinstance(value, wanted) or (isinstance(value, bool) and wanted is not bool)):
        raise generic(f'Error setting builtin attribute "{name}": unexpected value {value!r}')
    tree.lock(node, tx, "shared", attribute=name)
    version = tree.version(node, tx)
    version.attributes[name] = value
    version.touch(tree.clock.now())
    if name in ("expiration_time", "expiration_timeout"):
        tree.expiring.add(node)


def drop(tree: Tree, node: Node, name: str, tx: str | None) -> None:
    """Remove one attribute."""
    if name not in tree.user_attributes(node, tx):
        if name in READ_ONLY:
            raise generic(f'Builtin attribute "{name}" cannot be removed')
        raise no_such_node(f"{tree.path_of(node)}/@{name}", f'Attribute "{name}" is not found')
    tree.lock(node, tx, "shared", attribute=name)
    version = tree.version(node, tx)
    version.attributes[name] = REMOVED
    version.touch(tree.clock.now())
    if tx is None:
        version.settle()
