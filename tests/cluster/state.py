"""Everything that the stand-in knows, and what operations and queries may do with it."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.cluster import file_content, table_content
from tests.cluster.faults import Faults
from tests.cluster.journal import Journal
from tests.cluster.limits import Limits
from tests.cluster.mutations import Mutations
from tests.cluster.nodes import Clock
from tests.cluster.paths import RichPath
from tests.cluster.requests import Command, Handler, Request
from tests.cluster.transactions import Transactions
from tests.cluster.tree import Tree

__all__ = ["Clock", "Command", "Handler", "Request", "State"]


@dataclass
class State:
    """The whole cluster: one object, used from the event loop's thread only."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    commands: dict[str, Command] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.folder.mkdir(parents=True, exist_ok=True)
        self.started_at = time.time()
        self.address = ""
        self.tree = Tree(self.clock)
        self.transactions = Transactions(self.tree)
        self.mutations = Mutations()
        self.faults = Faults()
        self.journal = Journal()
        self.limits = Limits(self.tree)

    @property
    def handlers(self) -> dict[str, Handler]:
        """Command name → handler."""
        return {name: command.handler for name, command in self.commands.items()}

    def start_transaction(self, parent: str | None = None, timeout: float = 30, title: str = "") -> str:
        """Start a transaction that lives for `timeout` seconds after its last ping; its id."""
        attributes = {"title": title} if title else {}
        return self.transactions.start(parent, timeout, attributes).id

    def ping(self, tx: str) -> None:
        """Keep a transaction, and those that it is nested in, alive."""
        self.transactions.ping(tx)

    def commit(self, tx: str) -> None:
        """Publish what was done in a transaction."""
        self.transactions.commit(tx)

    def abort(self, tx: str) -> None:
        """Roll back what was done in a transaction."""
        self.transactions.abort(tx)

    def read_rows(self, path: Any, tx: str | None) -> list[dict[str, Any]]:
        """The rows of a table; ranges and columns of a rich path are honoured."""
        return table_content.read(self, RichPath.of(path), tx)

    def write_rows(self, path: Any, rows: list[dict[str, Any]], tx: str | None) -> None:
        """Write rows; append, sorted_by, create and schema of a rich path are honoured."""
        table_content.write(self, RichPath.of(path), rows, tx)

    def attribute(self, path: Any, name: str, tx: str | None) -> Any:
        """The value of an attribute; ClusterError 500 when there is none."""
        return self.tree.attribute(RichPath.of(path), name, tx)

    def file_location(self, path: Any, tx: str | None) -> Path:
        """Where the content of a file node lies on disk, in one piece."""
        return file_content.location(self, RichPath.of(path), tx)

    def lock(self, path: Any, mode: str, tx: str) -> None:
        """Take an explicit lock."""
        self.transactions.lock(self.tree.node(RichPath.of(path), tx), tx, mode)
