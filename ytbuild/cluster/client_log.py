"""The official client's own log, which would fill the terminal: heard for repeated requests, shown to nobody."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Iterator

from ytbuild.base.reporter import Reporter, Warned

_SAID_AGAIN_AFTER = 30
_REPEATED = "before next retry"


class _Ear(logging.Handler):
    def __init__(self, reporter: Reporter, seconds: float, proxy: str) -> None:
        super().__init__()
        self._reporter = reporter
        self._warning = Warned(f"{proxy} does not answer as it should; trying again, for {seconds:g} s at most")
        self._last: float | None = None

    def emit(self, record: logging.LogRecord) -> None:
        now = time.monotonic()
        if _REPEATED in str(record.msg) and (self._last is None or now - self._last > _SAID_AGAIN_AFTER):
            self._last = now
            self._reporter.event(self._warning)


@contextlib.contextmanager
def heard(reporter: Reporter, seconds: float, proxy: str) -> Iterator[None]:
    """Within the block the client's log goes nowhere, and the reporter hears, now and then, of repeated requests."""
    # Importing it sets the log up to write to the terminal, so it has to come first.
    import yt.logger

    logger: logging.Logger = yt.logger.LOGGER
    before, propagated, level = logger.handlers[:], logger.propagate, logger.level
    logger.handlers = [_Ear(reporter, seconds, proxy)]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before, propagated
        logger.setLevel(level)


def note_repetition(pause: float) -> None:
    """Say in the client's log that a request is repeated, as the client says it of its own."""
    import yt.logger

    logger: logging.Logger = yt.logger.LOGGER
    logger.warning(f"Sleep for %.2f seconds {_REPEATED}", pause)
