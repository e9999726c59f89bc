"""Segments: runs of an archive's chunks, about 4 MiB of tar, that an upload sends one by one.

A segment is named after the bytes that it holds, so an edit changes the names of those that it touches and of no
other. The hashes of the compressed chunks are part of the name: whatever two machines' compressors give, the joined
file is the archive that was built here, byte for byte.
"""

from __future__ import annotations

from dataclasses import dataclass

from xxhash import xxh3_128_hexdigest

from ytbuild.archive.manifest import StoredChunk, Summary
from ytbuild.base.framing import framed

_SCHEMA = b"ytbuild segment 1"


@dataclass(frozen=True)
class Segment:
    """A run of chunks: `offset` and `size` are bytes of the archive file."""

    key: str
    offset: int
    size: int


def segments(summary: Summary) -> tuple[Segment, ...]:
    """Return the segments of an archive, in its order: joined, they are the archive."""
    joined: list[Segment] = []
    run: list[StoredChunk] = []
    for chunk in summary.chunks:
        run.append(chunk)
        if chunk.ends_segment or chunk is summary.chunks[-1]:
            joined.append(_segment(run))
            run = []
    return tuple(joined)


def _segment(run: list[StoredChunk]) -> Segment:
    parts = [part for chunk in run for part in (bytes.fromhex(chunk.hash), b"%d" % chunk.size)]
    return Segment(xxh3_128_hexdigest(framed((_SCHEMA, *parts))), run[0].offset, sum(chunk.size for chunk in run))
