"""One gzip member from one chunk, by libdeflate: three times as fast as zlib at the same level."""

from __future__ import annotations

import functools

import deflate
from xxhash import xxh3_128_digest

LEVEL = 6

_PROBE = b"".join(b"%d def probe(self, value): return %d\n" % (n * 7919 % 1009, n * n) for n in range(600))


def compress(data: bytes) -> bytes:
    """Return `data` as one gzip member (RFC 1952), with no name and no time in it."""
    return bytes(deflate.gzip_compress(data, LEVEL))


@functools.cache
def identity() -> bytes:
    """Return what tells this compressor's output from another's.

    It is the hash of a compressed probe, not a version number: libraries change their output without changing
    their version, and change their version without changing their output.
    """
    return b"level %d " % LEVEL + xxh3_128_digest(compress(_PROBE))
