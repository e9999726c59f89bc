"""Nodes of the tree, and their versions: what each open transaction changed about them."""

from __future__ import annotations

import contextlib
import itertools
import os
import random
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from weakref import finalize

REMOVED = object()
MAPS = ("map_node", "transaction_map")
SCALARS = ("string_node", "int64_node", "uint64_node", "double_node", "boolean_node")

_ids = itertools.count(1)
_revisions = itertools.count(1)
_session = random.Random()


class Clock:
    """The cluster's time, which tests can put forward."""

    def __init__(self) -> None:
        self.shift = 0.0

    def now(self) -> float:
        """Seconds since the epoch."""
        return time.time() + self.shift


def new_id(code: int = 1) -> str:
    """An object id in the cluster's form: four hexadecimal numbers."""
    return f"{_session.getrandbits(32) or 1:x}-{next(_ids):x}-{code:x}-{_session.getrandbits(32) or 1:x}"


def new_revision() -> int:
    """A number greater than all before it."""
    return next(_revisions)


def timestamp(seconds: float) -> str:
    """A time as the cluster writes it."""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


class FileChunk:
    """A piece of a file's content: a file on disk, deleted when nothing refers to it any more."""

    def __init__(self, path: Path, size: int) -> None:
        self.path = path
        self.size = size
        # Longer contents that begin with this piece, in one file each, by the names of their pieces.
        self.joined: dict[tuple[str, ...], FileChunk] = {}
        finalize(self, _delete, str(path))


def _delete(path: str) -> None:
    with contextlib.suppress(FileNotFoundError):
        os.unlink(path)


class RowChunk:
    """A piece of a table's content, never changed once made."""

    def __init__(self, rows: list[dict[str, Any]], size: int) -> None:
        self.rows = rows
        self.size = size


Chunk = FileChunk | RowChunk


@dataclass
class Version:
    """What one transaction (or the trunk) says about a node; the rest shines through from below."""

    children: dict[str, Any] = field(default_factory=dict)
    attributes: dict[str, Any] = field(default_factory=dict)
    # Values that replace those below: chunks, md5, schema, schema_mode, value, target_path.
    fields: dict[str, Any] = field(default_factory=dict)
    appended: tuple[Chunk, ...] = ()
    modified: float = 0.0
    revision: int = 0
    content_revision: int = 0
    # A snapshot: nothing shines through, nothing may be written.
    frozen: bool = False

    def touch(self, now: float, *, content: bool = False) -> None:
        """Note a change."""
        self.modified = now
        self.revision = new_revision()
        if content:
            self.content_revision = self.revision

    def take_over(self, upper: Version) -> None:
        """Merge what a nested transaction changed; REMOVED marks stay for the level below."""
        self.children.update(upper.children)
        self.attributes.update(upper.attributes)
        if "chunks" in upper.fields:
            self.appended = ()
        self.fields.update(upper.fields)
        self.appended += upper.appended
        self.modified = max(self.modified, upper.modified)
        if upper.revision:
            self.revision = new_revision()
        if upper.content_revision:
            self.content_revision = self.revision

    def settle(self) -> None:
        """Drop the marks that only matter above the trunk."""
        self.children = {key: child for key, child in self.children.items() if child is not REMOVED}
        self.attributes = {key: value for key, value in self.attributes.items() if value is not REMOVED}
        if self.appended:
            self.fields["chunks"] = self.fields.get("chunks", ()) + self.appended
            self.appended = ()


@dataclass
class Lock:
    """A lock, acquired or waiting."""

    id: str
    node: Node
    tx: str
    mode: str
    child_key: str | None = None
    attribute_key: str | None = None
    implicit: bool = False
    state: str = "acquired"
    type: str = "lock"

    @property
    def key(self) -> tuple[str, str] | None:
        """What of the node a shared lock is for."""
        if self.child_key is not None:
            return ("child", self.child_key)
        return ("attribute", self.attribute_key) if self.attribute_key is not None else None

    def description(self) -> dict[str, Any]:
        """The lock as @locks shows it."""
        shown = {"id": self.id, "state": self.state, "mode": self.mode, "transaction_id": self.tx}
        if self.child_key is not None:
            shown["child_key"] = self.child_key
        if self.attribute_key is not None:
            shown["attribute_key"] = self.attribute_key
        return shown


@dataclass
class Node:
    """One node; its id, type and place never change (move and copy make new nodes)."""

    id: str
    type: str
    parent: Node | None
    key: str
    created: float
    accessed: float
    touched: float
    # None is the trunk: what everybody sees.
    versions: dict[str | None, Version] = field(default_factory=dict)
    locks: list[Lock] = field(default_factory=list)
    owner: str = "root"

    def __hash__(self) -> int:
        return hash(self.id)

    def __eq__(self, other: object) -> bool:
        return self is other

    def acquired(self) -> Iterator[Lock]:
        """The locks that are held, without those that wait."""
        return (lock for lock in self.locks if lock.state == "acquired")
