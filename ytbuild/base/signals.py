"""SIGTERM as Ctrl-C, and letting both wait for a moment in which they would lose what nobody could end any more."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextlib.contextmanager
def terminable() -> Iterator[None]:
    """Make of SIGTERM what Ctrl-C is: jobs, transactions and operations are ended on the way out of the block.

    Only the main thread is interrupted by signals; in others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = signal.signal(signal.SIGTERM, _interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold the first Ctrl-C or SIGTERM back until the block has ended; a second one counts at once.

    Only the main thread is interrupted by signals; in others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1 and callable(before[number]):
            before[number](number, frame)

    for each in _SIGNALS:
        before[each] = signal.signal(each, note)
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        if came:
            signal.raise_signal(came[0])
