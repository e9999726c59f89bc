"""Test helper: a reporter that keeps what it hears."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

from ytbuild.base.reporter import Event, Warned


class Heard:
    """Keeps events, warnings, and `(what, done, total)` of all progress."""

    def __init__(self) -> None:
        self.events: list[Event] = []
        self.steps: list[tuple[str, int, int]] = []

    @property
    def warnings(self) -> list[str]:
        """The texts of all warnings."""
        return [event.message for event in self.events if isinstance(event, Warned)]

    def event(self, event: Event) -> None:
        """Keep an event."""
        self.events.append(event)

    def progress(self, what: str, done: int, total: int) -> None:
        """Keep how far something is."""
        self.steps.append((what, done, total))

    @contextlib.contextmanager
    def working(self, current: Callable[[float], Event]) -> contextlib.Iterator[None]:
        """Look once, at the end."""
        yield
        self.event(current(0))
