"""Joining byte strings so that no two lists of them give the same bytes: the encoding of every key."""

from __future__ import annotations

from collections.abc import Iterable


def framed(parts: Iterable[bytes]) -> bytes:
    """Return the parts one after another, each behind its length in decimal and a colon."""
    return b"".join(b"%d:%s" % (len(part), part) for part in parts)
