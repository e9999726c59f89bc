"""Where the archive is cut, so that an edit changes one gzip member and the rest can be reused.

Within a target a chunk ends after a member whose name's hash says so, or before it would pass 4 MiB; a member above
4 MiB is cut into pieces, each keyed by its own content. Names and sizes alone decide, so the cuts are known before
anything is read. `wrappers` is always one chunk, the last, with the end-of-archive marker in it: an archive that
was cut at any chunk's end has no wrapper and cannot start a leg.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from xxhash import xxh3_64_intdigest, xxh3_128_digest

from ytbuild.archive import tar
from ytbuild.base.framing import framed
from ytbuild.graph.target import Member, TargetInputs, encode_member
from ytbuild.sources.fingerprints import PIECE_SIZE

MEAN_CHUNK = 1 << 20
MAX_CHUNK = 4 << 20
MEAN_SEGMENT = 4 << 20
MIN_SEGMENT = MEAN_SEGMENT // 2
MAX_SEGMENT = 16 << 20
"""A random edit hits a segment the sooner the larger it is: cut by chance alone, those hit would have 8 MiB in the
mean. With a minimum of half the mean they have 5, and a cut that an insertion shifts is in step again soon after."""

WRAPPERS = "wrappers"

_SCHEMA = b"ytbuild chunk 1"


@dataclass(frozen=True)
class Chunk:
    """A run of whole members, or one piece of a large one.

    `piece` is the piece's number, or None. `key` decides the chunk's compressed bytes for one compressor, `size`
    counts its bytes of tar, `ends_segment` tells whether an upload may cut here, `last` whether the
    end-of-archive marker belongs to it.
    """

    target: str
    members: tuple[Member, ...]
    piece: int | None
    key: bytes
    size: int
    ends_segment: bool
    last: bool


def cut(targets: Sequence[TargetInputs], compressor: bytes) -> list[Chunk]:
    """Return the chunks of an archive.

    `targets` are in the archive's order with `wrappers` last; `compressor` identifies the compressor's output.
    """
    chunks: list[Chunk] = []
    segment = 0
    for inputs in targets:
        last = inputs.name == WRAPPERS
        at = 0
        for members, piece, size in (_whole(inputs.members),) if last else runs(inputs.members):
            segment += size
            end = last or segment >= MAX_SEGMENT or _ends_segment(members, piece, segment)
            key = _key(members, inputs.encoded[at : at + len(members)], piece, last, compressor)
            if piece is None or piece == _pieces_of(members[0]) - 1:
                at += len(members)
            chunks.append(Chunk(inputs.name, members, piece, key, size, end, last))
            if end:
                segment = 0
    return chunks


Run = tuple[tuple[Member, ...], int | None, int]
"""The members of a chunk, the number of its piece if it is one, and its bytes of tar."""


def runs(members: Iterable[Member]) -> Iterator[Run]:
    """Give the runs that a target's members, in their order, are cut into, each as soon as it is complete."""
    run: list[Member] = []
    total = 0
    for member in members:
        size = _member_size(member)
        is_large = member.size > PIECE_SIZE
        if run and (is_large or total + size > MAX_CHUNK):
            yield tuple(run), None, total
            run, total = [], 0
        if is_large:
            yield from _pieces(member)
            continue
        run.append(member)
        total += size
        if _cuts(member, size, MEAN_CHUNK):
            yield tuple(run), None, total
            run, total = [], 0
    if run:
        yield tuple(run), None, total


def run_key(members: tuple[Member, ...], compressor: bytes) -> bytes:
    """Return the key of the chunk that holds a run of whole members, and not the end of the archive."""
    return _key(members, map(encode_member, members), None, False, compressor)


def _whole(members: tuple[Member, ...]) -> Run:
    """Return the one run of `wrappers`, with the end of the archive."""
    return members, None, sum(map(_member_size, members)) + len(tar.END_OF_ARCHIVE)


def _pieces(member: Member) -> Iterator[Run]:
    count = _pieces_of(member)
    for piece in range(count):
        size = min(PIECE_SIZE, member.size - piece * PIECE_SIZE)
        if piece == 0:
            size += len(tar.header(member.arcname, member.size, member.executable))
        if piece == count - 1:
            size += len(tar.padding(member.size))
        yield (member,), piece, size


def _pieces_of(member: Member) -> int:
    """Return the number of pieces of a large member: its digest is followed by one for each."""
    return len(member.digest) // 16 - 1


def _member_size(member: Member) -> int:
    if member.arcname.isascii() and len(member.arcname) <= 100 and len(member.link) <= 100:
        return tar.BLOCK + tar.padded(member.size)
    return len(tar.header(member.arcname, member.size, member.executable, member.link)) + tar.padded(member.size)


def _cuts(member: Member, size: int, mean: int) -> bool:
    return xxh3_64_intdigest(member.arcname.encode()) * mean < size << 64


def _ends_segment(members: tuple[Member, ...], piece: int | None, segment: int) -> bool:
    if piece is not None or not members:
        return piece is not None
    wanted = MEAN_SEGMENT - MIN_SEGMENT
    return segment >= MIN_SEGMENT and _cuts(members[-1], _member_size(members[-1]), wanted)


def _key(
    members: tuple[Member, ...], encoded: Iterable[bytes], piece: int | None, last: bool, compressor: bytes
) -> bytes:
    parts = [_SCHEMA, compressor, b"last" if last else b"", b"" if piece is None else b"%d" % piece]
    if piece is None:
        parts += encoded
    else:
        member = members[0]
        parts.append(member.digest[16 * (piece + 1) : 16 * (piece + 2)])
        if piece == 0:
            parts.append(tar.header(member.arcname, member.size, member.executable))
        if piece == _pieces_of(member) - 1:
            parts.append(b"%d" % len(tar.padding(member.size)))
    return xxh3_128_digest(framed(parts))
