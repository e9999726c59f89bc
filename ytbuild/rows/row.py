"""What a row is, on every backend."""

from __future__ import annotations

from typing import Any

Row = dict[str, Any]

DEFAULT_MAX_ROW_WEIGHT = 128 << 20
"""The largest row in bytes, which is also the most that a cluster allows."""
