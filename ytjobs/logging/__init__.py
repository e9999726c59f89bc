"""Logging from jobs, to stderr."""

from __future__ import annotations

from ytjobs.logging.logger import get_logger

__all__ = ["get_logger"]
