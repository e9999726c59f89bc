"""One reporter hears what work does: what happens, what is not as it should be, and how far it is.

Words for people are made by the reporter; here are values only.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol


class Event:
    """Something that happened: each kind is a frozen dataclass of the room that tells of it, and holds no secret."""


@dataclass(frozen=True)
class Warned(Event):
    """Something is not as it should be, and the work goes on."""

    message: str


class Reporter(Protocol):
    """Whom work tells of itself; every method may be called from any thread."""

    def event(self, event: Event) -> None:
        """Hear of something that happened."""
        ...

    def progress(self, what: str, done: int, total: int) -> None:
        """Hear, often, how far something is, in bytes; `what` names the phase."""
        ...

    def working(self, current: Callable[[float], Event]) -> contextlib.AbstractContextManager[None]:
        """Watch what runs within the block.

        `current` takes the seconds since the block began and returns how it stands; it may ask a cluster, so it is
        called for those who look only.
        """
        ...


class _Silent:
    def event(self, event: Event) -> None:
        pass

    def progress(self, what: str, done: int, total: int) -> None:
        pass

    def working(self, current: Callable[[float], Event]) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


SILENT: Reporter = _Silent()
"""Hears everything and says nothing."""
