"""Content hashes, remembered by what `lstat` says, so that an unchanged file is not opened.

A file whose device, inode, size, mtime, ctime and mode are the same holds the same bytes, with one exception: it
was rewritten within the clock tick in which it was hashed. Git calls such entries racily clean. An entry is
therefore trusted only when the file had been quiet for two seconds, by the file system's own clock, when the scan
began; see git's Documentation/technical/racy-git.txt.
"""

from __future__ import annotations

import os
import stat
import time
from collections.abc import Callable
from typing import Any, NamedTuple

from xxhash import xxh3_128, xxh3_128_digest

from ytbuild.base import cachefile, files
from ytbuild.base.errors import ChangedWhileBuildingError, SourceError, SpecialFileError
from ytbuild.base.files import READ_NO_LINK
from ytbuild.base.text import quote

PIECE_SIZE = 4 << 20
"""Files above this many bytes are packed, and remembered, in pieces of this size."""

QUIET_NS = 2_000_000_000
"""How long a file must have been left alone before its fingerprint proves anything."""

Fingerprint = tuple[int, int, int, int, int, int]
"""mode, inode, device, size in bytes, mtime and ctime in nanoseconds."""

_SCHEMA = "fingerprints-1"
_FILE_NAME = "fingerprints.files"
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


class FingerprintIndex:
    """What the last scans learned, in `.build/fingerprints.files`; losing it costs time, never correctness.

    `directories` holds one record per directory (see `sources.source_tree`), `targets` one per target's scan, `files`
    the hashes of single files, and `archives` the fingerprints of verified archives.
    """

    def __init__(self, build_dir: str, clock: Callable[[], int] = time.time_ns) -> None:
        self._path = os.path.join(build_dir, _FILE_NAME)
        self._clock = clock
        self._started_ns = clock()
        self._fresh_directories: set[str] = set()
        self._fresh_files: set[str] = set()
        self._fresh_archives: set[str] = set()
        self._seen_files: set[str] = set()
        self.recent = RecentContents()
        stored: Any = cachefile.load(self._path, _SCHEMA)
        if not (isinstance(stored, tuple) and len(stored) == 4 and all(isinstance(part, dict) for part in stored)):
            stored = ({}, {}, {}, {})
        self.directories: dict[str, tuple[Any, ...]]
        self.targets: dict[bytes, tuple[Any, ...]]
        self._files: dict[str, tuple[Fingerprint, bytes, int]]
        self._archives: dict[str, tuple[Fingerprint, int]]
        self.directories, self.targets, self._files, self._archives = stored
        self._dirty = False

    def directory(self, key: str) -> tuple[Any, ...] | None:
        """Return the record of a directory as the last scan left it."""
        return self.directories.get(key)

    def put_directory(self, key: str, record: tuple[Any, ...]) -> None:
        """Remember a directory's record; its first field, the trust limit, is set when the index is saved."""
        self.directories[key] = record
        self._fresh_directories.add(key)
        self._dirty = True

    def put_target(self, key: bytes, record: tuple[Any, ...]) -> None:
        """Remember what a target's scan came to."""
        self.targets[key] = record
        self._dirty = True

    def hash_file(self, path: str, label: str) -> Hashed:
        """Return fingerprint and hash of one regular file, from the index when it is unchanged.

        Raises `SourceError` when it cannot be read and `ChangedWhileBuildingError` when it does not stay still.
        """
        try:
            now = fingerprint_of(os.stat(path))
        except OSError as error:
            raise SourceError(f"cannot read {quote(label)}: {error.strerror}", "check the path") from error
        self._seen_files.add(path)
        known = self._files.get(path)
        if known is not None and known[0] == now and changed_ns(now) < known[2]:
            return Hashed(now, known[1])
        hashed = hash_content(path, label, now, self.recent)
        self._files[path] = (hashed.fingerprint, hashed.digest, 0)
        self._fresh_files.add(path)
        self._dirty = True
        return hashed

    def is_verified(self, name: str, now: Fingerprint) -> bool:
        """Tell whether an archive of `.build` was verified and has not been touched since."""
        known = self._archives.get(name)
        return known is not None and known[0] == now and changed_ns(now) < known[1]

    def mark_verified(self, name: str, now: Fingerprint) -> None:
        """Remember that an archive of `.build` was read and found whole just now."""
        self._archives[name] = (now, 0)
        self._fresh_archives.add(name)
        self._dirty = True

    def forget_archives(self, kept: set[str]) -> None:
        """Drop what is remembered of archives that are not in `kept`."""
        for name in set(self._archives) - kept:
            del self._archives[name]
            self._fresh_archives.discard(name)
            self._dirty = True

    def save(self, seen_directories: set[str], seen_targets: set[bytes]) -> None:
        """Write the index if this scan learned anything; keep only what the scan has seen.

        Raises `StoreError` when it cannot be written.
        """
        if not self._dirty:
            return
        limit = self._started_ns + self._skew_ns() - QUIET_NS
        for key in self._fresh_directories:
            self.directories[key] = (limit, *self.directories[key][1:])
        for path in self._fresh_files:
            self._files[path] = (*self._files[path][:2], limit)
        for name in self._fresh_archives:
            self._archives[name] = (self._archives[name][0], limit)
        directories = {key: record for key, record in self.directories.items() if key in seen_directories}
        targets = {key: record for key, record in self.targets.items() if key in seen_targets}
        files = {path: entry for path, entry in self._files.items() if path in self._seen_files}
        cachefile.save(self._path, _SCHEMA, (directories, targets, files, self._archives))
        self._fresh_directories.clear()
        self._fresh_files.clear()
        self._fresh_archives.clear()
        self._dirty = False

    def _skew_ns(self) -> int:
        """Return the file system's clock minus ours, so that a server with another clock is not trusted early."""
        probe = files.temporary_name(os.path.dirname(self._path))
        with files.translated(self._path):
            with open(probe, "xb") as file:
                now = os.fstat(file.fileno()).st_mtime_ns
            os.unlink(probe)
        return now - time.time_ns()


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
    with open(descriptor, "rb", closefd=False, buffering=0) as file:
        while piece := read_exactly(file.read, PIECE_SIZE):
            whole.update(piece)
            pieces.append(xxh3_128_digest(piece))
    return whole.digest() + b"".join(pieces)


def read_exactly(read: Callable[[int], bytes | None], count: int) -> bytes:
    """Return `count` bytes, or fewer at the end of the file, however short the single reads are."""
    first = read(count) or b""
    if not first or len(first) == count:
        return first
    parts = [first]
    left = count - len(first)
    while left and (part := read(left)):
        parts.append(part)
        left -= len(part)
    return b"".join(parts)


def is_executable(fingerprint: Fingerprint) -> bool:
    """Tell whether the owner may execute the file."""
    return bool(fingerprint[0] & stat.S_IXUSR)


def is_regular(fingerprint: Fingerprint) -> bool:
    """Tell whether a fingerprint is that of a regular file."""
    return stat.S_ISREG(fingerprint[0])
