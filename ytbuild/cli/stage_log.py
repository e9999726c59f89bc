"""What stages log, shown the way everything else is shown."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator

from ytbuild.base.errors import YtbuildError
from ytbuild.cli.text_reporter import PlainReporter


class _ReporterHandler(logging.Handler):
    """Shows the log of stages the way everything else is shown."""

    def __init__(self, reporter: PlainReporter) -> None:
        super().__init__()
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record: warnings always, the rest unless -q was given."""
        text = f"  [{record.name.rsplit('.', 1)[-1]}] {record.getMessage()}"
        if record.levelno >= logging.ERROR:
            self._reporter.error(YtbuildError(text.strip()))
        elif record.levelno >= logging.WARNING:
            self._reporter.warning(text.strip())
        else:
            self._reporter.line(text)


@contextlib.contextmanager
def stage_log(reporter: PlainReporter) -> Iterator[None]:
    """Show what stages log while the block runs."""
    logger = logging.getLogger("ytbuild")
    level, propagate, handler = logger.level, logger.propagate, _ReporterHandler(reporter)
    logger.setLevel(logging.DEBUG if reporter.verbose else logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate
