"""Telling work in another thread to stop: a query or sort in DuckDB, which no signal reaches, or a child process."""

from __future__ import annotations

import contextlib
import threading
from collections.abc import Callable, Iterator


class Cancelled(Exception):
    """The work was cancelled; whoever cancelled it knows why."""


class Cancellation:
    """Tells work in another thread to stop."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._is_cancelled = False
        self._interrupts: list[Callable[[], None]] = []

    def cancel(self) -> None:
        """Interrupt what runs, and everything that is still to come."""
        with self._lock:
            self._is_cancelled = True
            for interrupt in self._interrupts:
                interrupt()

    def check(self) -> None:
        """Raise `Cancelled` after `cancel`."""
        if self._is_cancelled:
            raise Cancelled

    @contextlib.contextmanager
    def interrupting(self, interrupt: Callable[[], None]) -> Iterator[None]:
        """Call `interrupt` when the block is cancelled; whatever it raises then becomes `Cancelled`."""
        with self._lock:
            self.check()
            self._interrupts.append(interrupt)
        try:
            yield
        except Exception:
            self.check()
            raise
        finally:
            with self._lock:
                self._interrupts.remove(interrupt)
