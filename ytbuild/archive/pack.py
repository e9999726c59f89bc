"""Writing an archive: old chunks are copied, new ones compressed in parallel, in the archive's order."""

from __future__ import annotations

import os
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import IO

from xxhash import xxh3_128, xxh3_128_digest, xxh3_128_hexdigest

from ytbuild.archive import tar
from ytbuild.archive.chunks import Chunk
from ytbuild.archive.compress import Compressing, Compressors
from ytbuild.archive.manifest import StoredChunk
from ytbuild.base.errors import ChangedWhileBuildingError
from ytbuild.base.files import READ_NO_LINK
from ytbuild.base.text import quote
from ytbuild.graph.target import Member
from ytbuild.sources.fingerprints import PIECE_SIZE, RecentContents

WINDOW = 2 * (os.cpu_count() or 1)
"""How many chunks may be on their way at once."""

OldChunk = Callable[[bytes], bytes | None]
"""Gives the compressed bytes of a chunk by its key, verified, or None."""

Progress = Callable[[int], None]
"""Called with the number of bytes of tar that were added to the archive."""


@dataclass(frozen=True)
class Packed:
    """An archive that was written: its chunks, and what it took. `hash` is of the whole file, in hex."""

    chunks: tuple[StoredChunk, ...]
    size: int
    hash: str
    built: frozenset[str]
    compressed: int
    reused: int


def pack(
    chunks: list[Chunk],
    out: IO[bytes],
    old: OldChunk,
    recent: RecentContents,
    progress: Progress,
    compressors: Compressors,
    ahead: Mapping[bytes, Compressing],
) -> Packed:
    """Write the archive made of `chunks` to `out`; `ahead` are chunks that are being compressed already, by key.

    Holds a few chunks per core in memory, whatever the sizes. Raises `ChangedWhileBuildingError` when a file is
    no longer what was hashed, and `OSError` when `out` cannot be written.
    """
    stored: list[StoredChunk] = []
    whole = xxh3_128()
    built: set[str] = set()
    reused = offset = 0
    for chunk, result in _in_order(chunks, old, recent, compressors, ahead):
        is_old = isinstance(result, bytes)
        data = result if isinstance(result, bytes) else result.result()
        out.write(data)
        whole.update(data)
        key, digest = chunk.key.hex(), xxh3_128_hexdigest(data)
        stored.append(StoredChunk(key, offset, len(data), digest, chunk.size, chunk.ends_segment))
        offset += len(data)
        if is_old:
            reused += 1
        else:
            built.add(chunk.target)
        progress(chunk.size)
    return Packed(tuple(stored), offset, whole.hexdigest(), frozenset(built), len(chunks) - reused, reused)


def _in_order(
    chunks: list[Chunk],
    old: OldChunk,
    recent: RecentContents,
    compressors: Compressors,
    ahead: Mapping[bytes, Compressing],
) -> Iterator[tuple[Chunk, Compressing | bytes]]:
    waiting: deque[tuple[Chunk, Compressing | bytes]] = deque()
    for chunk in chunks:
        waiting.append((chunk, ahead.get(chunk.key) or old(chunk.key) or compressors.submit(raw(chunk, recent))))
        while waiting and (len(waiting) > WINDOW or isinstance(waiting[0][1], bytes)):
            yield waiting.popleft()
    yield from waiting


def raw(chunk: Chunk, recent: RecentContents) -> bytes:
    """Return the bytes of tar that a chunk stands for, read now and compared with their hashes.

    Raises `ChangedWhileBuildingError` when a file is no longer what was hashed.
    """
    if chunk.piece is not None:
        return _raw_piece(chunk.members[0], chunk.piece)
    run = raw_run(chunk.members, recent)
    return run + tar.END_OF_ARCHIVE if chunk.last else run


def raw_run(members: tuple[Member, ...], recent: RecentContents) -> bytes:
    """Return the bytes of tar of whole members; raises `ChangedWhileBuildingError` like `raw`."""
    parts: list[bytes] = []
    for member in members:
        parts.append(tar.header(member.arcname, member.size, member.executable, member.link))
        if member.size:
            parts.append(_content(member, recent))
            parts.append(tar.padding(member.size))
    return b"".join(parts)


def _content(member: Member, recent: RecentContents) -> bytes:
    if isinstance(member.origin, bytes):
        return member.origin
    data = recent.take(member.origin)
    if data is None:
        data = _read(member.origin, 0, member.size + 1)
    if len(data) != member.size or xxh3_128_digest(data) != member.digest:
        raise _changed(member)
    return data


def _raw_piece(member: Member, piece: int) -> bytes:
    assert isinstance(member.origin, str)
    offset = piece * PIECE_SIZE
    length = min(PIECE_SIZE, member.size - offset)
    is_last = offset + length == member.size
    data = _read(member.origin, offset, length + is_last)
    expected = member.digest[16 * (piece + 1) : 16 * (piece + 2)]
    if len(data) != length or xxh3_128_digest(data) != expected:
        raise _changed(member)
    before = tar.header(member.arcname, member.size, member.executable) if piece == 0 else b""
    return before + data + (tar.padding(member.size) if is_last else b"")


def _read(path: str, offset: int, count: int) -> bytes:
    try:
        descriptor = os.open(path, READ_NO_LINK)
        try:
            return os.pread(descriptor, count, offset)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise ChangedWhileBuildingError(
            f"{quote(path)} could be read a moment ago: {error.strerror}", "run the command again"
        ) from error


def _changed(member: Member) -> ChangedWhileBuildingError:
    return ChangedWhileBuildingError(
        f"{quote(str(member.origin))} changed while it was being packed",
        "run the command again once nothing writes to it, or leave it out with .ytignore",
    )
