"""Content hashes, remembered by what `lstat` says, so that an unchanged file is not opened.

A file whose device, inode, size, mtime, ctime and mode are the same holds the same bytes, with one exception: it
was rewritten within the clock tick in which it was hashed. Git calls such entries racily clean. An entry is
therefore trusted only when the file had been quiet for two seconds, by the file system's own clock, when the scan
began; see git's Documentation/technical/racy-git.txt.
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from typing import Any

from ytbuild.base import cachefile, files
from ytbuild.base.errors import SourceError
from ytbuild.base.text import quote
from ytbuild.sources.fingerprints import (
    Fingerprint,
    Hashed,
    RecentContents,
    changed_ns,
    fingerprint_of,
    hash_content,
)

QUIET_NS = 2_000_000_000
"""How long a file must have been left alone before its fingerprint proves anything."""

_SCHEMA = "fingerprints-1"
_FILE_NAME = "fingerprints.files"


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
