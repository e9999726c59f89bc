"""The official client's own log, which would fill the terminal: heard for repeated requests, shown to nobody."""

from __future__ import annotations

import contextlib
import logging
import time
from collections.abc import Callable, Iterator

from ytbuild.base.reporter import Reporter, Warned

_TOLD_AGAIN_AFTER = 30
_REPEATED = "before next retry"


class RepetitionWarning:
    """Tells a reporter, now and then, that requests have to be repeated."""

    def __init__(self, reporter: Reporter, proxy: str, seconds: float) -> None:
        self._reporter = reporter
        self._warning = Warned(f"{proxy} does not answer as it should; trying again, for {seconds:g} s at most")
        self._last: float | None = None

    def repeated(self) -> None:
        """Hear of a repetition."""
        now = time.monotonic()
        if self._last is None or now - self._last > _TOLD_AGAIN_AFTER:
            self._last = now
            self._reporter.event(self._warning)


class _Ear(logging.Handler):
    def __init__(self, repeated: Callable[[], None]) -> None:
        super().__init__()
        self._repeated = repeated

    def emit(self, record: logging.LogRecord) -> None:
        if _REPEATED in str(record.msg):
            self._repeated()


@contextlib.contextmanager
def heard(repeated: Callable[[], None]) -> Iterator[None]:
    """Within the block the client's log goes nowhere; `repeated` is called for each request that it repeats."""
    # Importing it sets the log up to write to the terminal, so it has to come first.
    import yt.logger

    logger: logging.Logger = yt.logger.LOGGER
    before, propagated, level = logger.handlers[:], logger.propagate, logger.level
    logger.handlers = [_Ear(repeated)]
    logger.propagate = False
    logger.setLevel(logging.INFO)
    try:
        yield
    finally:
        logger.handlers, logger.propagate = before, propagated
        logger.setLevel(level)
