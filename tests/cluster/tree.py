"""The tree: nodes and what each transaction sees of them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.cluster import attributes, locks
from tests.cluster.errors import already_exists, generic, no_such_node, no_such_transaction
from tests.cluster.nodes import MAPS, REMOVED, Clock, Lock, Node, Version, new_id
from tests.cluster.paths import RichPath, escape

if TYPE_CHECKING:
    from tests.cluster.transactions import Transaction

MAX_LINKS = 8


@dataclass
class Place:
    """Where a path leads: to an object, or to a spot below `parent` where keys are missing."""

    path: RichPath
    target: Any = None  # Node, Transaction or Lock
    parent: Node | None = None
    missing: tuple[str, ...] = ()

    @property
    def attribute(self) -> tuple[str, ...] | None:
        """The attribute part of the path."""
        return self.path.steps.attribute


class Tree:
    """All objects, seen through transactions."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.objects: dict[str, Any] = {}
        self.transactions: dict[str, Transaction] = {}
        self.expiring: set[Node] = set()
        self.root = self._new_node("map_node", None, "", None)
        sys = self.make(self.root, "sys", "map_node", None)
        for name in ("tmp", "home"):
            self.make(self.root, name, "map_node", None)
        for name in ("accounts", "operations", "users", "pool_trees"):
            self.make(sys, name, "map_node", None)
        self.make(sys, "transactions", "transaction_map", None)

    # Views

    def chain(self, node: Node, tx: str | None) -> Iterator[Version]:
        """The versions that make up what `tx` sees, the topmost first."""
        at = self.transactions.get(tx) if tx else None
        while at is not None:
            version = node.versions.get(at.id)
            if version is not None:
                yield version
                if version.frozen:
                    return
            at = at.parent
        if None in node.versions:
            yield node.versions[None]

    def children(self, node: Node, tx: str | None) -> dict[str, str]:
        """Key → id."""
        if node.type == "transaction_map":
            return {each: each for each in self.transactions}
        return self._merged("children", node, tx)

    def user_attributes(self, node: Node, tx: str | None) -> dict[str, Any]:
        """What was set, without what the system computes."""
        return self._merged("attributes", node, tx)

    def _merged(self, part: str, node: Node, tx: str | None) -> dict[str, Any]:
        versions = list(self.chain(node, tx))
        if len(versions) == 1 and versions[0] is node.versions.get(None):
            only: dict[str, Any] = getattr(versions[0], part)
            return only
        merged: dict[str, Any] = {}
        for version in reversed(versions):
            merged.update(getattr(version, part))
        return {key: value for key, value in merged.items() if value is not REMOVED}

    def field(self, node: Node, tx: str | None, name: str, default: Any = None) -> Any:
        """A replaceable value: md5, schema, value, target_path …"""
        for version in self.chain(node, tx):
            if name in version.fields:
                return version.fields[name]
        return default

    def chunks(self, node: Node, tx: str | None) -> tuple[Any, ...]:
        """The content of a file or table."""
        appended: tuple[Any, ...] = ()
        for version in self.chain(node, tx):
            appended = version.appended + appended
            if "chunks" in version.fields:
                return (*version.fields["chunks"], *appended)
        return appended

    def is_visible(self, node: Node, tx: str | None) -> bool:
        """Whether `tx` can see the node in its place, or holds a snapshot of it."""
        at: Node | None = node
        while at is not None and at.parent is not None:
            first = next(iter(self.chain(at, tx)), None)
            if first is None:
                return False
            if first.frozen:
                return True
            if self.children(at.parent, tx).get(at.key) != at.id:
                return False
            at = at.parent
        return True

    def path_of(self, node: Node) -> str:
        """The path of a node."""
        keys = []
        at: Node | None = node
        while at is not None and at.parent is not None:
            keys.append(escape(at.key))
            at = at.parent
        return "/" + "".join(f"/{key}" for key in reversed(keys)) if keys else "/"

    # Paths

    def locate(self, path: RichPath, tx: str | None, follow: bool = True, access: bool = True) -> Place:
        """Walk a path as far as it goes. A link at its end is followed, unless `&` or `follow` says no.

        Whatever it leads to is touched, which is what expiration_timeout counts from; `access_time` is left
        alone by reads of attributes and by `exists`.
        """
        self.transaction(tx)
        place = self._walk(path, tx, follow, 0)
        if isinstance(place.target, Node):
            place.target.touched = self.clock.now()
            if access and path.steps.attribute is None:
                place.target.accessed = place.target.touched
        return place

    def _walk(self, path: RichPath, tx: str | None, follow: bool, depth: int) -> Place:
        if depth > MAX_LINKS:
            raise generic(f"Too many levels of symbolic links in {path.text}")
        steps = path.steps
        at: Any = self.root if steps.root == "/" else self._by_id(steps.root, tx, path)
        for index in range(len(steps.keys) + 1):
            last = index == len(steps.keys)
            is_link = isinstance(at, Node) and at.type == "link" and index not in steps.suppressed
            if is_link and (follow or not last or steps.attribute is not None):
                beyond = self._walk(RichPath(self.field(at, tx, "target_path")), tx, True, depth + 1)
                if beyond.target is None:
                    return Place(path, None, beyond.parent, (*beyond.missing, *steps.keys[index:]))
                at = beyond.target
            if not last:
                below = self._child(at, steps.keys[index], tx)
                if below is None:
                    return Place(path, None, at if isinstance(at, Node) else None, steps.keys[index:])
                at = below
        return Place(path, at, at.parent if isinstance(at, Node) else None)

    def _by_id(self, ident: str, tx: str | None, path: RichPath) -> Any:
        found = self.objects.get(ident)
        if found is None or (isinstance(found, Node) and not self.is_visible(found, tx)):
            raise no_such_node(path.text, f"No such object {ident}")
        return found

    def _child(self, at: Any, key: str, tx: str | None) -> Any:
        if not isinstance(at, Node) or at.type not in MAPS:
            return None
        ident = self.children(at, tx).get(key)
        return None if ident is None else self.objects.get(ident)

    def missing(self, place: Place) -> Exception:
        """Why a path leads nowhere."""
        at = place.parent
        if at is not None and at.type not in MAPS:
            return no_such_node(place.path.text, f"{self.path_of(at)} is a {at.type} and cannot have children")
        where = self.path_of(at) if at is not None else "/"
        return no_such_node(place.path.text, f'Node {where} has no child with key "{place.missing[0]}"')

    def target(self, path: RichPath, tx: str | None, follow: bool = True) -> Any:
        """What a path leads to; ClusterError 500 when it leads nowhere."""
        place = self.locate(path, tx, follow)
        if place.target is None:
            raise self.missing(place)
        return place.target

    def node(self, path: RichPath, tx: str | None, follow: bool = True) -> Node:
        """The same, when it must be a node."""
        found = self.target(path, tx, follow)
        if not isinstance(found, Node):
            raise generic(f"{path.text} is a {found.type}, not a Cypress node")
        return found

    def attribute(self, path: RichPath, name: str, tx: str | None) -> Any:
        """The value of an attribute."""
        return attributes.get(self, self.target(path, tx), name, tx)

    # Changes

    def transaction(self, tx: str | None) -> Transaction | None:
        """The open transaction with this id; ClusterError 11000 when there is none."""
        if tx is None:
            return None
        if tx not in self.transactions:
            raise no_such_transaction(tx)
        return self.transactions[tx]

    def lock(
        self, node: Node, tx: str | None, mode: str, child: str | None = None, attribute: str | None = None
    ) -> Lock | None:
        """Take the lock that a write implies."""
        return locks.acquire(self, node, self.transaction(tx), mode, child, attribute)

    def version(self, node: Node, tx: str | None) -> Version:
        """The version that a write in `tx` goes to."""
        found = self.transaction(tx)
        if found is not None:
            found.touched.add(node)
        return node.versions.setdefault(tx, Version())

    def _new_node(self, kind: str, parent: Node | None, key: str, tx: str | None) -> Node:
        now = self.clock.now()
        node = Node(new_id(), kind, parent, key, now, now, now)
        self.objects[node.id] = node
        version = node.versions[tx] = Version()
        version.touch(now, content=True)
        return node

    def make(self, parent: Node, key: str, kind: str, tx: str | None) -> Node:
        """A new node; whatever lay there must have been removed."""
        if parent.type not in MAPS:
            raise generic(f"{self.path_of(parent)} is a {parent.type} and cannot have children")
        if key in self.children(parent, tx):
            raise already_exists(f"{self.path_of(parent).rstrip('/')}/{escape(key)}")
        self.lock(parent, tx, "shared", child=key)
        node = self._new_node(kind, parent, key, tx)
        version = self.version(parent, tx)
        version.children[key] = node.id
        version.touch(self.clock.now(), content=True)
        if tx is not None:
            self.version(node, tx)
            self.lock(node, tx, "exclusive")
        return node

    def remove(self, node: Node, tx: str | None) -> None:
        """Take a node and all below it away."""
        if node.parent is None:
            raise generic("Node cannot be removed: it is the root")
        self.lock(node.parent, tx, "shared", child=node.key)
        for each in self.subtree(node, tx):
            self.lock(each, tx, "exclusive")
        version = self.version(node.parent, tx)
        version.children[node.key] = REMOVED
        version.touch(self.clock.now(), content=True)
        if tx is None:
            version.settle()
            self.forget_unreachable(self.subtree(node, None))

    def subtree(self, node: Node, tx: str | None) -> list[Node]:
        """A node and all nodes below it, itself first."""
        found = [node]
        if node.type == "map_node":
            for child in list(self.children(node, tx).values()):
                found.extend(self.subtree(self.objects[child], tx))
        return found

    def freeze(self, node: Node, tx: str) -> None:
        """A snapshot of a node for a transaction."""
        top = next(iter(self.chain(node, tx)))
        fields: dict[str, Any] = {}
        for version in reversed(list(self.chain(node, tx))):
            fields.update(version.fields)
        fields["chunks"] = self.chunks(node, tx)
        children, own = dict(self.children(node, tx)), dict(self.user_attributes(node, tx))
        node.versions[tx] = Version(children, own, fields, (), top.modified, top.revision, top.content_revision, True)

    def forget_unreachable(self, nodes: Iterable[Node]) -> None:
        """Drop the objects that no transaction can see any more."""
        for node in list(nodes):
            if any(tx is not None for tx in node.versions) or self.is_visible(node, None):
                continue
            self.objects.pop(node.id, None)
            self.expiring.discard(node)
            for child in list(node.versions.get(None, Version()).children.values()):
                if child is not REMOVED and child in self.objects:
                    self.forget_unreachable([self.objects[child]])
