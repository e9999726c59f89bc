"""Loggers for jobs: they write to stderr, because stdout carries the job's rows."""

from __future__ import annotations

import logging
import sys

_FORMAT = "[%(asctime)s] [%(name)s] %(levelname)s: %(message)s"


class _StderrHandler(logging.StreamHandler):  # type: ignore[type-arg]
    """Writes to whatever `sys.stderr` is at the moment, so that a redirected one is obeyed."""

    def __init__(self) -> None:
        super().__init__(sys.stderr)

    def emit(self, record: logging.LogRecord) -> None:
        """Write one record."""
        self.stream = sys.stderr
        super().emit(record)


def get_logger(name: str, level: int | str = logging.INFO) -> logging.Logger:
    """Return a logger that writes lines `[time] [name] LEVEL: message` to stderr.

    `level` is a number or a name of `logging`. Asking twice for one name gives the same logger.
    """
    logger = logging.getLogger(name)
    logger.setLevel(level)
    if not any(isinstance(handler, _StderrHandler) for handler in logger.handlers):
        handler = _StderrHandler()
        handler.setFormatter(logging.Formatter(_FORMAT))
        logger.addHandler(handler)
    logger.propagate = False
    return logger
