"""The end of a log, for a message."""

from __future__ import annotations

import os

_TAIL_LINES = 20
_TAIL_BYTES = 16 << 10


def tail(path: str) -> str:
    """Return the last lines of a log, indented, without what a terminal would obey; empty for an empty log."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        lines = file.read().decode("utf-8", "replace").rstrip().split("\n")
    safe = ["".join(c if c.isprintable() or c == "\t" else "�" for c in line) for line in lines[-_TAIL_LINES:]]
    return "\n".join(f"  {line}" for line in safe) if any(safe) else ""
