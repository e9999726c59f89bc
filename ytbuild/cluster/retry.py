"""Doing once more what a network or a proxy made fail."""

from __future__ import annotations

import random
import time
from collections.abc import Callable
from typing import TypeVar

from ytbuild.base.errors import ClusterError
from ytbuild.cluster import client_log

_FIRST_PAUSE = 0.25
_LONGEST_PAUSE = 5.0

Result = TypeVar("Result")


class Patience:
    """Decides how long failures that may pass are waited out: `seconds` from the first attempt.

    An attempt that got on for longer than that starts the time again. Shorter ones do not, however often they get on
    a little: a connection that always breaks at once must not be tried for ever.
    """

    def __init__(self, seconds: float) -> None:
        self._seconds = seconds
        self._failures = 0
        self._begin = self._attempt = time.monotonic()

    def wait(self, error: ClusterError, got_on: bool = False) -> None:
        """Sleep until it is worth another attempt; raises the error when it is not."""
        if not error.transient or not self.waited(got_on):
            raise error

    def waited(self, got_on: bool = False) -> bool:
        """Sleep until it is time for another attempt, and tell whether there is one."""
        now = time.monotonic()
        if got_on and now - self._attempt >= self._seconds:
            self._begin, self._failures = now, 0
        self._failures += 1
        pause = min(_LONGEST_PAUSE, _FIRST_PAUSE * 2**self._failures) * random.uniform(1, 1.3)
        if now + pause > self._begin + self._seconds:
            return False
        client_log.note_repetition(pause)
        time.sleep(pause)
        self._attempt = time.monotonic()
        return True


def repeated(action: Callable[[], Result], seconds: float) -> Result:
    """Return what `action` returns; while it fails with what may pass, do it again, for `seconds` at most."""
    patience = Patience(seconds)
    while True:
        try:
            return action()
        except ClusterError as error:
            patience.wait(error)
