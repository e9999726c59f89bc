"""What the store on a cluster asks of a connection to one; `connection.py` gives it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import Any, Protocol

from ytbuild.base.errors import ClusterError

RESOLVE_ERROR = 500
ALREADY_EXISTS = 501
LOCK_CONFLICT = 402
NO_SUCH_TRANSACTION = 11000


@dataclass(frozen=True)
class Command:
    """One command of the YTsaurus API, version 4, with its parameters and its input (YTsaurus docs, "Commands")."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    input: Any = None


@dataclass(frozen=True)
class Answer:
    """What a command of a batch gave: its value, or the error that it ended with."""

    value: Any = None
    error: ClusterError | None = None


class Cluster(Protocol):
    """A connection to a cluster; every method may be called from any thread and raises `ClusterError`."""

    @property
    def proxy(self) -> str:
        """The proxy's address, as the user gave it."""
        ...

    def command(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """Send one light command and return its value."""
        ...

    def batch(self, commands: Sequence[Command]) -> list[Answer]:
        """Send many light commands in as few requests as possible; they run in no order. Never raises for one of
        them: each answer has its own error."""
        ...

    def write_file(self, path: str, data: Iterable[bytes], transaction: str, *, compress: bool = False) -> None:
        """Write the content of a file that exists, in one attempt; the cluster computes its md5.

        `compress` packs the data for the way only.
        """
        ...

    def read_file(self, path: str) -> bytes:
        """Return the content of a file."""
        ...

    def start(self, titles: Sequence[str]) -> list[str]:
        """Start a transaction for each title, in one request; return their ids. They are kept alive from then on."""
        ...

    def commit(self, transactions: Sequence[str]) -> list[str]:
        """Commit transactions, in one request; return those that were there to be committed."""
        ...

    def abort(self, transactions: Sequence[str]) -> None:
        """Abort those of the transactions that are open; one that does not hear of it ends by itself."""
        ...

    def transaction(self, title: str) -> AbstractContextManager[str]:
        """Give the id of a new transaction: committed when the block ends, aborted by an error."""
        ...
