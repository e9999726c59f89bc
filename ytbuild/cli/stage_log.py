"""What stages log, shown the way everything else is shown."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator
from dataclasses import dataclass

from ytbuild.base.errors import YtbuildError
from ytbuild.base.reporter import Event, Reporter
from ytbuild.cli.text_reporter import PlainReporter


@dataclass(frozen=True)
class StageLogged(Event):
    """A stage has logged something; `level` is a name of `logging` in small letters."""

    stage: str
    level: str
    message: str


class _ReporterHandler(logging.Handler):
    """Tells a reporter what stages log."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Tell of one record."""
        stage, level = record.name.rsplit(".", 1)[-1], record.levelname.lower()
        self._reporter.event(StageLogged(stage, level, record.getMessage()))


def show_log(event: StageLogged, reporter: PlainReporter) -> None:
    """Say what a stage logged: warnings always, the rest unless -q was given."""
    text = f"[{event.stage}] {event.message}"
    if event.level in ("error", "critical"):
        reporter.error(YtbuildError(text))
    elif event.level == "warning":
        reporter.warning(text)
    else:
        reporter.line(f"  {text}")


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
