"""Something that runs on a cluster until it ends: asked how it stands, waited for and aborted from any thread."""

from __future__ import annotations

import contextlib
import threading
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from concurrent.futures import Future
from typing import Any, cast

from ytbuild.backends.base import OperationProgress, OperationResult, OperationSpec, State
from ytbuild.base.backoff import Backoff
from ytbuild.base.errors import ClusterError
from ytbuild.cluster.connection import Connection

_FINAL = ("completed", "failed", "aborted")
_ENDING = ("completing", "failing", "aborting")

_FIRST_PAUSE = 0.1
_GROWTH = 1.5
_FRESH = 0.2
_ABORT_SECONDS = 10


class PolledHandle(ABC):
    """An operation or a query that was started; `id` is the cluster's name for it, `link` that and its page."""

    def __init__(self, connection: Connection, spec: OperationSpec, id: str, link: str) -> None:
        self.id = id
        self._connection = connection
        self._spec = spec
        self._link = link
        self._started = time.monotonic()
        self._asking = threading.Lock()
        self._asked = 0.0
        self._told: Mapping[str, Any] = {}
        self._over = threading.Event()
        self._abort_asked = False
        self._ending = threading.Lock()
        self._conclusion: Future[OperationResult] = Future()

    @property
    def spec(self) -> OperationSpec:
        """What was started."""
        return self._spec

    @property
    def link(self) -> str:
        """The cluster's id of it and the address of its page, for people."""
        return self._link

    @property
    def state(self) -> State:
        """How it stands, as far as the cluster can be asked."""
        with contextlib.suppress(ClusterError):
            self._look(_FRESH)
        state = self._told.get("state")
        return cast(State, state) if state in _FINAL else "running"

    def wait(self) -> OperationResult:
        """Wait for the end; raises what `_conclude` says of it.

        Raises `ClusterError` when the cluster does not answer for `retry_seconds`: what was started runs on then.
        """
        poll = Backoff(_FIRST_PAUSE, self._connection.config.poll_seconds, growth=_GROWTH, sleep=self._over.wait)
        while poll.wait():
            try:
                self._look(poll.pause / 2)
            except ClusterError as error:
                raise self._lost(error) from None
        return self._ended()

    def abort(self) -> None:
        """End it; does nothing when it has ended."""
        if self._over.is_set():
            return
        self._abort_asked = True
        try:
            self._stop()
        except ClusterError as error:
            # An error is also what the cluster answers when there is nothing left to abort.
            if self.state == "running" and self._told.get("state") not in _ENDING:
                text = f"{self._label} could not be aborted and may still run: {error.message}"
                raise ClusterError(text, f"abort it by hand: {self._link}", error.codes, error.said) from None
        seconds = min(_ABORT_SECONDS, self._connection.config.retry_seconds)
        poll = Backoff(_FRESH, _FRESH, seconds, sleep=self._over.wait)
        while self.state == "running" and poll.wait():
            pass

    @property
    def _label(self) -> str:
        """How messages name it; a query that stage code runs belongs to no operation."""
        return self._spec.label if self._spec.stage else self._spec.name

    @abstractmethod
    def progress(self) -> OperationProgress:
        """Return how far it is, as the cluster said last."""

    @abstractmethod
    def _ask(self) -> Mapping[str, Any]:
        """Return what the cluster says now, `state` in it."""

    @abstractmethod
    def _stop(self) -> None:
        """Ask the cluster to end it."""

    @abstractmethod
    def _conclude(self, state: State, seconds: float) -> OperationResult:
        """Return the result, or raise what went wrong; called once, after the end."""

    def _look(self, age: float, wait: bool = True) -> None:
        """Ask the cluster unless it was asked less than `age` seconds ago, or, without `wait`, is being asked."""
        if not self._asking.acquire(blocking=wait):
            return
        try:
            if not self._over.is_set() and time.monotonic() - self._asked >= age:
                self._told = self._connection.repeated(self._ask)
                self._asked = time.monotonic()
                if self._told.get("state") in _FINAL:
                    self._over.set()
        finally:
            self._asking.release()

    def _ended(self) -> OperationResult:
        with self._ending:
            if not self._conclusion.done():
                seconds = self._asked - self._started
                try:
                    self._conclusion.set_result(self._conclude(cast(State, self._told["state"]), seconds))
                except Exception as error:
                    self._conclusion.set_exception(error)
        return self._conclusion.result()

    def _lost(self, error: ClusterError) -> ClusterError:
        """Return the error of a cluster that does not say how it stands."""
        keeps_on = "; it could not be followed any further" if error.transient else ""
        text = f"{self._label}: {error.message}{keeps_on}"
        return ClusterError(text, f"see {self._link}\n{error.hint}", error.codes, error.said, error.transient)
