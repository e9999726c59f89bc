"""What `lstat` says of a file, by which it is recognized, and the hash of its content."""

from __future__ import annotations

import os
import stat
from typing import NamedTuple

from xxhash import xxh3_128, xxh3_128_digest

from ytbuild.base.errors import ChangedWhileBuildingError, SourceError, SpecialFileError
from ytbuild.base.files import READ_NO_LINK
from ytbuild.base.text import quote

PIECE_SIZE = 4 << 20
"""Files above this many bytes are packed, and remembered, in pieces of this size."""

Fingerprint = tuple[int, int, int, int, int, int]
"""mode, inode, device, size in bytes, mtime and ctime in nanoseconds."""

_ATTEMPTS = 3


class Hashed(NamedTuple):
    """A file's fingerprint and hash, taken from the same moment.

    `digest` is the xxh3_128 of the content; for a file above `PIECE_SIZE` the digests of its pieces follow it.
    """

    fingerprint: Fingerprint
    digest: bytes


def fingerprint_of(status: os.stat_result) -> Fingerprint:
    """Return what is compared of an `lstat` result."""
    return (
        status.st_mode,
        status.st_ino,
        status.st_dev,
        status.st_size,
        status.st_mtime_ns,
        status.st_ctime_ns,
    )


def changed_ns(fingerprint: Fingerprint) -> int:
    """Return when a file last changed, as far as its fingerprint tells, in nanoseconds."""
    return max(fingerprint[4], fingerprint[5])


class RecentContents:
    """The bytes of files hashed a moment ago, so that a first build opens each small file once.

    Holds at most `limit` bytes; what does not fit is read again when it is packed.
    """

    def __init__(self, limit: int = 64 << 20) -> None:
        self._left = limit
        self._contents: dict[str, bytes] = {}

    def keep(self, path: str, data: bytes) -> None:
        """Remember a file's content if there is room."""
        if len(data) <= self._left:
            self._left -= len(data)
            self._contents[path] = data

    def take(self, path: str) -> bytes | None:
        """Return and forget a file's content; None when it was not kept."""
        data = self._contents.pop(path, None)
        if data is not None:
            self._left += len(data)
        return data


def hash_content(path: str, label: str, expected: Fingerprint, recent: RecentContents | None = None) -> Hashed:
    """Read a regular file and return its hash with the fingerprint that it had while it was read.

    `expected` is the fingerprint that the caller saw; a file that differs from it by now is read again. Raises
    `SourceError` when it cannot be read, `ChangedWhileBuildingError` when it changes during each attempt.
    """
    for _ in range(_ATTEMPTS):
        try:
            descriptor = os.open(path, READ_NO_LINK)
            try:
                if expected[3] <= PIECE_SIZE:
                    data = os.read(descriptor, expected[3] + 1)
                    digest = xxh3_128_digest(data)
                else:
                    data, digest = b"", _hash_pieces(descriptor)
                after = fingerprint_of(os.fstat(descriptor))
            finally:
                os.close(descriptor)
        except OSError as error:
            raise SourceError(
                f"cannot read {quote(label)}: {error.strerror}",
                "make it readable, or leave it out with a line in .ytignore",
            ) from error
        if not is_regular(after):
            raise SpecialFileError(f"{quote(label)} is no regular file any more", "run the command again")
        if after == expected:
            if recent is not None and data:
                recent.keep(path, data)
            return Hashed(after, digest)
        expected = after
    raise ChangedWhileBuildingError(
        f"{quote(label)} changes while it is being read", "stop what writes to it, or leave it out with .ytignore"
    )


def _hash_pieces(descriptor: int) -> bytes:
    whole = xxh3_128()
    pieces: list[bytes] = []
    with open(descriptor, "rb", closefd=False) as file:
        while piece := file.read(PIECE_SIZE):
            whole.update(piece)
            pieces.append(xxh3_128_digest(piece))
    return whole.digest() + b"".join(pieces)


def is_executable(fingerprint: Fingerprint) -> bool:
    """Tell whether the owner may execute the file."""
    return bool(fingerprint[0] & stat.S_IXUSR)


def is_regular(fingerprint: Fingerprint) -> bool:
    """Tell whether a fingerprint is that of a regular file."""
    return stat.S_ISREG(fingerprint[0])
