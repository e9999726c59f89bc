"""Transactions on a cluster: started, kept alive, committed and aborted, many in one request.

They are ours: those of the official client end the process (`interrupt_main`) when a ping fails, and nest two for
each file.
"""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any

from ytbuild.base.errors import ClusterError
from ytbuild.base.signals import undisturbed
from ytbuild.cluster.commands import Answer, Command
from ytbuild.cluster.error_codes import NO_SUCH_TRANSACTION

_TIMEOUT = 30_000
_PING_INTERVAL = 5
_ABORT_TIMEOUT = 3_000


class Transactions:
    """The transactions of a connection; every method may be called from any thread and raises `ClusterError`.

    `command` and `batch` are the connection's.
    """

    def __init__(self, command: Callable[..., Any], batch: Callable[[Sequence[Command]], list[Answer]]) -> None:
        self._command = command
        self._batch = batch
        self._open: set[str] = set()
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._pinger: threading.Thread | None = None

    @contextlib.contextmanager
    def new(self, title: str, parent: str | None = None) -> Iterator[str]:
        """Give the id of a new transaction: committed when the block ends, aborted by an error."""
        (transaction,) = self.start([title], parent)
        try:
            yield transaction
            # Alone, not in a batch: the client repeats it under one mutation id until it knows.
            self._command("commit_transaction", {"transaction_id": transaction})
            self._forget([transaction])
        finally:
            self.abort([transaction])

    def start(self, titles: Sequence[str], parent: str | None = None) -> list[str]:
        """Start a transaction for each title, in one request, inside `parent` if it is given; return their ids.

        They are kept alive from then on.
        """
        common = {"timeout": _TIMEOUT} | ({"transaction_id": parent} if parent else {})
        commands = [Command("start_transaction", {**common, "attributes": {"title": title}}) for title in titles]
        # An interrupt must not come between the answer and our note of it: `close` aborts what is noted.
        with undisturbed():
            answers = self._batch(commands)
            started = [str(answer.value["transaction_id"]) for answer in answers if answer.error is None]
            self._keep_alive(started)
        try:
            for answer in answers:
                answer.get()
        except ClusterError:
            self.abort(started)
            raise
        return started

    def commit(self, transactions: Sequence[str]) -> list[str]:
        """Commit transactions, in one request; return those that were there to be committed."""
        answers = self._batch([Command("commit_transaction", {"transaction_id": one}) for one in transactions])
        committed: list[str] = []
        for transaction, answer in zip(transactions, answers, strict=True):
            if not answer.has(NO_SUCH_TRANSACTION):
                answer.get()
                self._forget([transaction])
                committed.append(transaction)
        return committed

    def abort(self, transactions: Iterable[str]) -> None:
        """Abort those of the transactions that are open; one that does not hear of it ends by itself."""
        with self._lock:
            to_abort = [one for one in transactions if one in self._open]
        self._forget(to_abort)
        for transaction in to_abort:
            # Without repetition, and a failure is not told of: it would hide what led to the abort.
            with contextlib.suppress(ClusterError):
                parameters = {"transaction_id": transaction}
                self._command("abort_transaction", parameters, repeat=False, timeout=_ABORT_TIMEOUT)

    def close(self) -> None:
        """Abort those that are still open, and end the pings."""
        self._closed.set()
        self.abort(sorted(self._open))

    def _forget(self, transactions: Iterable[str]) -> None:
        with self._lock:
            self._open.difference_update(transactions)

    def _keep_alive(self, transactions: Iterable[str]) -> None:
        with self._lock:
            self._open.update(transactions)
            if self._pinger is None:
                self._pinger = threading.Thread(target=self._ping, name="pings", daemon=True)
                self._pinger.start()

    def _ping(self) -> None:
        while not self._closed.wait(_PING_INTERVAL):
            with self._lock:
                pinged = sorted(self._open)
            if not pinged:
                continue
            # What is lost shows in the next command of its transaction; there it has a name.
            with contextlib.suppress(ClusterError):
                answers = self._batch([Command("ping_transaction", {"transaction_id": one}) for one in pinged])
                gone = [answer.has(NO_SUCH_TRANSACTION) for answer in answers]
                self._forget([one for one, is_gone in zip(pinged, gone, strict=True) if is_gone])
