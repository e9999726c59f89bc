"""The bytes of tar that a chunk stands for: files are read when it is packed, and compared with their hashes."""

from __future__ import annotations

import os

from xxhash import xxh3_128_digest

from ytbuild.archive import tar
from ytbuild.archive.chunks import Chunk
from ytbuild.base.errors import ChangedWhileBuildingError
from ytbuild.base.files import READ_NO_LINK
from ytbuild.base.text import quote
from ytbuild.graph.target import Member
from ytbuild.sources.fingerprints import PIECE_SIZE, RecentContents


def chunk_tar(chunk: Chunk, recent: RecentContents) -> bytes:
    """Return a chunk's bytes of tar; raises `ChangedWhileBuildingError` when a file is no longer what was hashed."""
    if chunk.piece is not None:
        return _piece_tar(chunk.members[0], chunk.piece)
    members = members_tar(chunk.members, recent)
    return members + tar.END_OF_ARCHIVE if chunk.last else members


def members_tar(members: tuple[Member, ...], recent: RecentContents) -> bytes:
    """Return the bytes of tar of whole members; raises `ChangedWhileBuildingError` like `chunk_tar`."""
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


def _piece_tar(member: Member, piece: int) -> bytes:
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
