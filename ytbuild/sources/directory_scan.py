"""Scanning a directory that is new or changed: what of it ships, what does not, what is an error."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from ytbuild.base.cachefile import dumps, loads
from ytbuild.base.errors import FileNameError, SpecialFileError, SymlinkError
from ytbuild.base.text import quote
from ytbuild.sources.directory_listing import DirectoryListing, is_always_left_out
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.sources.fingerprints import Fingerprint, Hashed, changed_ns, hash_content, is_executable, is_regular
from ytbuild.sources.ignore_rules import IgnoreRules
from ytbuild.sources.source_tree import NEVER_SHIPPED, DirectoryRecord, FileItem, IgnoredItem, LinkItem, Source


@dataclass(frozen=True, slots=True)
class Directory:
    """One directory of a source and what governs it.

    `prefix` is its path below the outermost ignore file as bytes, with a slash at the end unless empty, and `trail`
    the real paths of the source and of the links that were followed to come here. `outer` is the identity of the
    ignore files above it, `ignore_digest` the hash of its own (empty without one), `rules` what all of them say.
    """

    source: Source
    path: str
    label: str
    prefix: bytes
    trail: tuple[str, ...]
    listing: DirectoryListing
    outer: bytes
    ignore_digest: bytes
    rules: IgnoreRules


class DirectoryScan:
    """The scan of one directory; raises the `SourceError` of the first entry that cannot be archived.

    What ships and is not known by its fingerprint is left to be hashed: see `unhashed`. `old` is what the index
    knew of the directory.
    """

    def __init__(
        self, directory: Directory, index: FingerprintIndex, pipeline_dir: str, old: DirectoryRecord | None
    ) -> None:
        self._directory = directory
        self._rules = directory.rules
        self._index = index
        self._pipeline = pipeline_dir + "/"
        self._known: dict[str, tuple[Fingerprint, bytes]] = {}
        if old is not None:
            self._known = {
                item[0]: (item[4], item[3]) for item in loads(old.payload)[0] if changed_ns(item[4]) < old.limit
            }
        self.unhashed: list[tuple[str, Fingerprint]] = []
        self._files: list[FileItem] = []
        self._links: list[LinkItem] = []
        self._ignored: list[IgnoredItem] = []
        self._linked: list[str] = []
        listing = directory.listing
        subfolders = [name for name in listing.folders if self._ships(name, True)]
        for name, fingerprint in listing.files:
            if self._ships(name, False):
                self._add_file(name, fingerprint)
        for name, _, aim, _ in listing.links:
            if self._ships(name, False):
                self._add_link(name, aim)
        for name in subfolders:
            check_name(name, os.path.join(directory.label, name))
        self._ignored += [(name, is_directory, "", 0, name, False) for name, is_directory in listing.always]
        self.subfolders = tuple(sorted(subfolders + self._linked))
        self.linked = tuple(self._linked)

    def hash(self, name: str, fingerprint: Fingerprint) -> Hashed:
        """Read and hash one of the files in `unhashed`; raises what `hash_content` raises."""
        path, label = f"{self._directory.path}/{name}", f"{self._directory.label}/{name}"
        hashed = hash_content(path, label, fingerprint, self._index.recent)
        self._add_hashed(name, hashed.fingerprint, hashed.digest)
        return hashed

    def record(self) -> DirectoryRecord:
        """Return what the index keeps of the directory, once all of its files are hashed."""
        listing = self._directory.listing
        fingerprints = [row[1] for row in listing.files] + [row[1] for row in listing.links]
        fingerprints += [row[2] for row in listing.links if row[2] is not None]
        fingerprints += [listing.ignore_file] if listing.ignore_file is not None else []
        return DirectoryRecord(
            limit=0,
            newest=max(map(changed_ns, fingerprints), default=-1),
            digest=listing.digest,
            outer=self._directory.outer,
            ignore_digest=self._directory.ignore_digest,
            subfolders=self.subfolders,
            linked=self.linked,
            payload=dumps((self._files, self._links, self._ignored)),
        )

    def _ships(self, name: str, is_directory: bool) -> bool:
        reason = self._rules.reason(self._directory.prefix, self._directory.path, name, is_directory)
        if reason is not None:
            self._ignored.append((name, is_directory, *reason))
        return reason is None

    def _add_file(self, name: str, fingerprint: Fingerprint) -> None:
        label = f"{self._directory.label}/{name}"
        if not is_regular(fingerprint):
            raise special_file(label, fingerprint[0])
        check_name(name, label)
        known = self._known.get(name)
        if known is not None and known[0] == fingerprint:
            self._add_hashed(name, fingerprint, known[1])
        else:
            self.unhashed.append((name, fingerprint))

    def _add_hashed(self, name: str, fingerprint: Fingerprint, digest: bytes) -> None:
        self._files.append((name, fingerprint[3], is_executable(fingerprint), digest, fingerprint))

    def _add_link(self, name: str, aim: Fingerprint | None) -> None:
        path, label = f"{self._directory.path}/{name}", f"{self._directory.label}/{name}"
        check_name(name, label)
        real = os.path.realpath(path)
        if aim is None:
            raise SymlinkError(
                f"{quote(label)} is a link that leads nowhere ({quote(os.readlink(path))})",
                "repair it, or leave it out with a line in .ytignore",
            )
        is_directory = stat.S_ISDIR(aim[0])
        if not is_directory and not is_regular(aim):
            raise special_file(f"{label} -> {real}", aim[0])
        self._check_may_ship(real, label, is_directory)
        if self._directory.source.is_module:
            if is_directory:
                self._follow(name, real, label)
            else:
                self._add_hashed(name, *self._index.hash_file(real, label))
            return
        self._check_contained(real, label)
        if is_directory:
            self._links.append((name, real, True, 0, False, b"", aim))
            return
        fingerprint, digest = self._index.hash_file(real, label)
        self._links.append((name, real, False, fingerprint[3], is_executable(fingerprint), digest, fingerprint))

    def _follow(self, name: str, real: str, label: str) -> None:
        here = os.path.realpath(self._directory.path)
        if any((place + "/").startswith(real + "/") for place in (*self._directory.trail, here)):
            raise SymlinkError(
                f"{quote(label)} is a link to {quote(real)}, a directory that it lies in: following it never ends",
                "leave it out with a line in a .ytignore of the module",
            )
        self._linked.append(name)

    def _check_contained(self, real: str, label: str) -> None:
        if not real.startswith(self._pipeline):
            raise SymlinkError(
                f"{quote(label)} is a link to {quote(real)}, outside the pipeline",
                "copy what it points to into the pipeline, or leave the link out with a line in .ytignore",
            )

    def _check_may_ship(self, real: str, label: str, is_directory: bool) -> None:
        """Raise `SymlinkError` for a link into a part of the pipeline that never ships."""
        if not real.startswith(self._pipeline) or f"{real}/".startswith(self._directory.source.path + "/"):
            return
        inside = real[len(self._pipeline) :]
        parts = inside.split("/")
        never = parts[0] in NEVER_SHIPPED or any(is_always_left_out(part) for part in parts)
        if never or self._directory.rules.builtin.is_secret(self._pipeline, f"{real}/x" if is_directory else real):
            raise SymlinkError(
                f"{quote(label)} is a link to {quote(inside)}, which never ships",
                "remove the link: secrets and configuration stay out of archives",
            )


def check_name(name: str, label: str) -> None:
    """Raise `FileNameError` for a name that no archive can hold."""
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise FileNameError(
            f"{quote(label)}: the name is not valid UTF-8",
            "rename the file, or leave it out with a line in .ytignore",
        ) from None


def special_file(label: str, mode: int) -> SpecialFileError:
    """Return the error for what is neither a file nor a directory nor a link; `mode` is its `st_mode`."""
    kinds = {
        stat.S_IFIFO: "a fifo",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    kind = kinds.get(stat.S_IFMT(mode), "no regular file")
    return SpecialFileError(
        f"{quote(label)} is {kind}", "only files, directories and links can ship; leave it out with .ytignore"
    )
