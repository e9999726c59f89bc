"""`.build`: whole archives and their manifests by key, the newest one under a fixed name.

Every file is written beside its place and renamed, so any number of processes may build at once and be killed at
any moment. An archive is believed when its manifest is intact and its bytes are the manifest's; that was checked
when its fingerprint is in the index.

Nothing is flushed to the disk before a rename: what a power failure leaves behind fails its check and is a miss.
"""

from __future__ import annotations

import contextlib
import os
from dataclasses import dataclass
from typing import IO

from xxhash import xxh3_128

from ytbuild.archive import manifest as manifests
from ytbuild.archive.manifest import Manifest, Summary
from ytbuild.base import files, locks
from ytbuild.base.errors import ArchiveError
from ytbuild.config.stage import ARCHIVE_NAME
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.sources.fingerprints import fingerprint_of

_FOLDERS = ("archives", "manifests", "log")
_READ_SIZE = 1 << 20

_TAG = b"""Signature: 8a477f597d28d172789f06886806bc55
# This folder was made by ytbuild: everything in it can be made again.
# About cache directory tags, see https://bford.info/cachedir/
"""


@dataclass(frozen=True)
class StoredArchive:
    """A verified archive of the store."""

    path: str
    summary: Summary


class LocalStore:
    """The archives under `build_dir`, verified with the help of `index`."""

    def __init__(self, build_dir: str, index: FingerprintIndex) -> None:
        self.build_dir = build_dir
        self._index = index
        self.newest_archive = os.path.join(build_dir, ARCHIVE_NAME)
        self.newest_manifest = os.path.join(build_dir, "manifest.json")

    def archive_path(self, key: str) -> str:
        """Return where the archive of this key lies, or would lie."""
        return os.path.join(self.build_dir, "archives", f"{key}.tar.gz")

    def manifest_path(self, key: str) -> str:
        """Return where the manifest of this key lies, or would lie."""
        return os.path.join(self.build_dir, "manifests", f"{key}.json")

    def prepare(self) -> None:
        """Make the folders; raises `StoreError` when they cannot be made."""
        if os.path.isfile(os.path.join(self.build_dir, "CACHEDIR.TAG")) and all(
            os.path.isdir(os.path.join(self.build_dir, name)) for name in _FOLDERS
        ):
            return
        with files.translated(self.build_dir):
            for name in _FOLDERS:
                os.makedirs(os.path.join(self.build_dir, name), exist_ok=True)
        for name, data in ((".gitignore", b"*\n"), ("CACHEDIR.TAG", _TAG)):
            with files.replacing(os.path.join(self.build_dir, name)) as file:
                file.write(data)

    def find(self, key: str) -> StoredArchive | None:
        """Return the archive of this key if it is there and whole; what is damaged counts as absent."""
        path = self.archive_path(key)
        try:
            with open(self.manifest_path(key), "rb") as file:
                summary = manifests.decode_summary(file.read())
            now = fingerprint_of(os.stat(path))
        except (OSError, ArchiveError):
            return None
        if summary.key != key or summary.size != now[3]:
            return None
        if not self._index.is_verified(key, now):
            if _file_hash(path) != summary.hash:
                return None
            self._index.mark_verified(key, now)
        return StoredArchive(path, summary)

    def keys(self) -> list[str]:
        """Return the keys of all archives, the latest used first."""
        return [key for _, key in self.by_use()]

    def newest(self) -> Manifest | None:
        """Return the manifest of the last build; None when there is none, or it is damaged."""
        try:
            with open(self.newest_manifest, "rb") as file:
                return manifests.decode(file.read())
        except (OSError, ArchiveError):
            return None

    def writing(self, key: str) -> contextlib.AbstractContextManager[IO[bytes]]:
        """Give the file that becomes the archive of this key when the block ends well."""
        return files.replacing(self.archive_path(key), mode=0o444)

    def publish(self, key: str, manifest: bytes) -> None:
        """Add the manifest of an archive that was written; from then on `find` returns it."""
        with files.replacing(self.manifest_path(key)) as file:
            file.write(manifest)

    def use(self, key: str) -> None:
        """Make this archive the newest one, under the fixed names, and note that it was used now."""
        with contextlib.suppress(OSError):
            os.utime(self.manifest_path(key))
        # Two builds that end at once must not leave the archive of one with the manifest of the other.
        with locks.locked_folder(self.build_dir):
            _link(self.archive_path(key), self.newest_archive)
            _link(self.manifest_path(key), self.newest_manifest)

    def by_use(self) -> list[tuple[float, str]]:
        """Return (time of last use, key) of every archive, the latest first."""
        by_use: list[tuple[float, str]] = []
        with contextlib.suppress(OSError), os.scandir(os.path.join(self.build_dir, "manifests")) as entries:
            for entry in entries:
                if entry.name.endswith(".json"):
                    with contextlib.suppress(OSError):
                        by_use.append((entry.stat().st_mtime, entry.name.removesuffix(".json")))
        return sorted(by_use, reverse=True)


def _file_hash(path: str) -> str:
    hasher = xxh3_128()
    with open(path, "rb", buffering=0) as file:
        while block := file.read(_READ_SIZE):
            hasher.update(block)
    return hasher.hexdigest()


def _link(source: str, destination: str) -> None:
    """Make `destination` another name of `source`, in one step for whoever looks at it."""
    with contextlib.suppress(OSError):
        if os.path.samefile(source, destination):
            return
    temporary = files.temporary_name(os.path.dirname(destination))
    with files.translated(destination):
        try:
            try:
                os.link(source, temporary)
            except OSError:
                # Not every file system has hard links.
                import shutil

                shutil.copyfile(source, temporary)
            files.rename_over(temporary, destination)
        finally:
            # Renaming one name of a file to another name of the same file does nothing and leaves both.
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
