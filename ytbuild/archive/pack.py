"""Writing an archive: old chunks are copied, new ones compressed in parallel, in the archive's order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import IO

from xxhash import xxh3_128, xxh3_128_hexdigest

from ytbuild.archive.chunks import Chunk
from ytbuild.archive.compress import ChunkCompressor, Compressing
from ytbuild.archive.manifest import StoredChunk

_WINDOW = 2 * (os.cpu_count() or 1)
"""How many chunks may be on their way at once."""

OldChunk = Callable[[bytes], bytes | None]
"""Gives the compressed bytes of a chunk by its key, verified, or None."""

Progress = Callable[[int, int], None]
"""Called with the bytes of tar that the archive holds by now and will hold in the end."""


@dataclass(frozen=True)
class Packed:
    """An archive that was written: its chunks, and what it took.

    `size` counts the bytes of the file, of which `hash` is taken (in hex), `tar_size` those of the tar stream;
    `built` names the targets of which some chunk is new.
    """

    chunks: tuple[StoredChunk, ...]
    size: int
    hash: str
    tar_size: int
    built: frozenset[str]
    compressed: int
    reused: int


def pack(
    chunks: list[Chunk], out: IO[bytes], old: OldChunk, compressor: ChunkCompressor, progress: Progress
) -> Packed:
    """Write the archive made of `chunks` to `out`.

    Holds a few chunks per core in memory, whatever the sizes. Raises `ChangedWhileBuildingError` when a file is
    no longer what was hashed, and `OSError` when `out` cannot be written.
    """
    stored: list[StoredChunk] = []
    whole = xxh3_128()
    built: set[str] = set()
    compressed = offset = done = 0
    tar_size = sum(chunk.size for chunk in chunks)
    for chunk, data, is_new in _in_order(chunks, old, compressor):
        out.write(data)
        whole.update(data)
        key, digest = chunk.key.hex(), xxh3_128_hexdigest(data)
        stored.append(StoredChunk(key, offset, len(data), digest, chunk.size, chunk.ends_segment))
        offset += len(data)
        done += chunk.size
        if is_new:
            compressed += 1
            built.add(chunk.target)
        progress(done, tar_size)
    reused = len(chunks) - compressed
    return Packed(tuple(stored), offset, whole.hexdigest(), tar_size, frozenset(built), compressed, reused)


def _in_order(chunks: list[Chunk], old: OldChunk, compressor: ChunkCompressor) -> Iterator[tuple[Chunk, bytes, bool]]:
    """Give the chunks with their compressed bytes, and whether these are new."""
    waiting: deque[tuple[Chunk, Compressing | bytes]] = deque()
    for chunk in chunks:
        waiting.append((chunk, old(chunk.key) or compressor.submit(chunk)))
        while len(waiting) > _WINDOW or (waiting and isinstance(waiting[0][1], bytes)):
            yield _finished(*waiting.popleft())
    while waiting:
        yield _finished(*waiting.popleft())


def _finished(chunk: Chunk, data: Compressing | bytes) -> tuple[Chunk, bytes, bool]:
    return (chunk, data, False) if isinstance(data, bytes) else (chunk, data.result(), True)
