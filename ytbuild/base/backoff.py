"""The pauses between attempts and between questions: each longer than the one before, until time is over."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Callable
from typing import TypeVar

from ytbuild.base.errors import ClusterError

Result = TypeVar("Result")


class Backoff:
    """Waits `first` seconds, then `growth` times as long at each turn, up to `longest`; its time begins when it is
    made.

    Each pause is stretched by a random factor between the two of `jitter`: those who wait for the same thing must not
    come back at the same moment. No pause is begun that would end more than `seconds` after the beginning; with `cut`
    the last one ends just then. `at_least` pauses are made all the same. `sleep` waits for so many seconds, and what
    it returns tells whether it was interrupted, as with `threading.Event.wait`. `waiting` hears the number of each
    pause, from 1 on, before it.
    """

    def __init__(
        self,
        first: float,
        longest: float,
        seconds: float = math.inf,
        *,
        growth: float = 2,
        jitter: tuple[float, float] = (1, 1),
        cut: bool = False,
        at_least: int = 0,
        sleep: Callable[[float], object] | None = None,
        waiting: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.count = 0
        self.pause = 0.0
        self._first, self._longest, self._growth = first, longest, growth
        self._seconds, self._cut, self._at_least = seconds, cut, at_least
        self._jitter = jitter
        self._sleep = sleep
        self._waiting = waiting
        self._begin = self._attempt = time.monotonic()
        self._next = first

    def wait(self, got_on: bool = False) -> bool:
        """Pause, and tell whether there is another attempt; False at once when there is no time for it.

        `got_on` tells that the last attempt got somewhere before it failed. If it took longer than `seconds`, time
        begins anew. Shorter ones do not count, however often they get on a little: a connection that always breaks at
        once must not be tried for ever.
        """
        now = time.monotonic()
        if got_on and now - self._attempt >= self._seconds:
            self._begin, self._next = now, self._first
        left = self._begin + self._seconds - now
        pause = self._next * random.uniform(*self._jitter)
        if self._cut and left > 0:
            pause = min(pause, left)
        if pause > left and self.count >= self._at_least:
            return False
        self.count += 1
        self.pause, self._next = pause, min(self._longest, self._next * self._growth)
        self._waiting(self.count)
        interrupted = (self._sleep or time.sleep)(pause)
        self._attempt = time.monotonic()
        return not interrupted

    def repeat(self, action: Callable[[], Result], passing: Callable[[ClusterError], bool]) -> Result:
        """Return what `action` returns; as long as it fails with an error that is `passing`, do it again.

        Raises the last error when time is over, or the pause was interrupted.
        """
        while True:
            try:
                return action()
            except ClusterError as error:
                if not passing(error) or not self.wait():
                    raise
