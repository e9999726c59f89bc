"""One gzip member from one chunk, by libdeflate (three times as fast as zlib at the same level), on all cores."""

from __future__ import annotations

import contextlib
import functools
import os
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from threading import Event

import deflate
from xxhash import xxh3_128_digest

from ytbuild.archive.chunk_tar import chunk_tar, members_tar
from ytbuild.archive.chunks import Chunk, run_key, runs
from ytbuild.graph.plan import PlanListener
from ytbuild.graph.target import Member
from ytbuild.sources.fingerprints import RecentContents

LEVEL = 6

_LIMIT_AHEAD = 64 << 20
"""How many bytes of tar are compressed before there is a plan, so that what waits to be written stays small."""
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


class ChunkCompressor:
    """Compresses chunks in threads, one for each core; what waits for them when its block fails is never begun."""

    def __init__(self, recent: RecentContents) -> None:
        self._recent = recent
        self._pool = ThreadPoolExecutor(os.cpu_count(), "compress")
        self._ahead: dict[bytes, Future[bytes]] = {}
        self._room_ahead = _LIMIT_AHEAD

    def __enter__(self) -> ChunkCompressor:
        return self

    def __exit__(self, *_: object) -> None:
        self._pool.shutdown(cancel_futures=True)

    @contextlib.contextmanager
    def ahead(self) -> Iterator[PlanListener]:
        """Give a listener for the plan that is made in this block: what it hears of is compressed meanwhile.

        Where chunks are cut depends on the members' names and sizes alone, so a chunk is known as soon as its last
        file has been read. A guess that turns out wrong (a link belongs to the chunk, or the plan ends in an error)
        costs only the work.
        """
        planned = Event()
        # One core is left to the plan: three threads on two cores would slow it by a third.
        self._pool.submit(planned.wait)
        try:
            yield self._begin
        finally:
            planned.set()

    def _begin(self, members: Iterator[Member]) -> None:
        for run, piece, size in runs(members):
            if piece is None and size <= self._room_ahead:
                self._room_ahead -= size
                self._ahead[run_key(run, identity())] = self._pool.submit(compress, members_tar(run, self._recent))

    def submit(self, chunk: Chunk) -> Future[bytes]:
        """Read a chunk's files and begin to compress it; raises `ChangedWhileBuildingError` like `chunk_tar`."""
        return self._ahead.pop(chunk.key, None) or self._pool.submit(compress, chunk_tar(chunk, self._recent))
