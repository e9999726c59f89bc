"""Judging a directory that is new or changed: what ships, what does not, what is an error."""

from __future__ import annotations

import os
import stat
from typing import Protocol

from ytbuild.base.cachefile import dumps, loads
from ytbuild.base.errors import FileNameError, SpecialFileError, SymlinkError
from ytbuild.base.text import quote
from ytbuild.sources import judge
from ytbuild.sources.fingerprints import (
    Fingerprint,
    FingerprintIndex,
    Hashed,
    changed_ns,
    hash_content,
    is_executable,
)
from ytbuild.sources.judge import BuiltinRules, IgnoreChain, Judge
from ytbuild.sources.listing import Listing, is_always_left_out
from ytbuild.sources.tree import NEVER_SHIPPED, FileItem, FolderRecord, IgnoredItem, LinkItem, Source


class Scanner(Protocol):
    """What an examination needs of the scan that it is part of."""

    pipeline_dir: str
    index: FingerprintIndex
    rules: BuiltinRules

    def judge(self, chain: IgnoreChain, is_module: bool) -> Judge:
        """Return the judge for a chain of ignore files."""
        ...

    def label(self, path: str) -> str:
        """Return how messages name a path."""
        ...


class Examination:
    """The judgement of one directory that is new or changed."""

    def __init__(
        self,
        scanner: Scanner,
        source: Source,
        path: str,
        prefix: bytes,
        chain: IgnoreChain,
        trail: tuple[str, ...],
        old: FolderRecord | None,
    ) -> None:
        self._scanner = scanner
        self._source = source
        self._path = path
        self._prefix = prefix
        self._judge = scanner.judge(chain, source.is_module)
        self._trail = trail
        self._label = scanner.label(path)
        self._known: dict[str, tuple[Fingerprint, bytes]] = {}
        if old is not None:
            self._known = {
                item[0]: (item[4], item[3]) for item in loads(old.payload)[0] if changed_ns(item[4]) < old.limit
            }
        self.unhashed: list[tuple[str, Fingerprint]] = []
        self.subfolders: tuple[str, ...] = ()
        self.linked: tuple[str, ...] = ()
        self._files: list[FileItem] = []
        self._links: list[LinkItem] = []
        self._ignored: list[IgnoredItem] = []
        self._linked: list[str] = []

    def judge(self, listing: Listing) -> None:
        """Judge every entry; raises the `SourceError` of the first that cannot be archived.

        What ships and is not known by its fingerprint is left to be hashed: see `unhashed`.
        """
        subfolders = [name for name in listing.folders if self._ships(name, True)]
        for name, print_ in listing.files:
            if self._ships(name, False):
                self._add_file(name, print_)
        for name, _, aim, _ in listing.links:
            if self._ships(name, False):
                self._add_link(name, aim)
        for name in subfolders:
            check_name(name, os.path.join(self._label, name))
        self._ignored += [(name, is_directory, "", 0, name, False) for name, is_directory in listing.always]
        self.subfolders = tuple(sorted(subfolders + self._linked))
        self.linked = tuple(self._linked)

    def hash(self, name: str, print_: Fingerprint) -> Hashed:
        """Read and hash one of the files in `unhashed`; raises what `hash_content` raises."""
        path = f"{self._path}/{name}"
        hashed = hash_content(path, f"{self._label}/{name}", print_, self._scanner.index.recent)
        self._add_hashed(name, hashed.fingerprint, hashed.digest)
        return hashed

    def record(self, listing: Listing, chain: bytes, ignore_digest: bytes) -> FolderRecord:
        """Return what the index keeps of the directory, once all of its files are hashed."""
        prints = [row[1] for row in listing.files] + [row[1] for row in listing.links]
        prints += [row[2] for row in listing.links if row[2] is not None]
        prints += [listing.ignore_file] if listing.ignore_file is not None else []
        return FolderRecord(
            limit=0,
            newest=max(map(changed_ns, prints), default=-1),
            digest=listing.digest,
            chain=chain,
            ignore_digest=ignore_digest,
            subfolders=self.subfolders,
            linked=self.linked,
            payload=dumps((self._files, self._links, self._ignored)),
        )

    def _ships(self, name: str, is_directory: bool) -> bool:
        reason = self._judge.left_out(self._prefix, self._path, name, is_directory)
        if reason is not None:
            self._ignored.append((name, is_directory, *reason))
        return reason is None

    def _add_file(self, name: str, print_: Fingerprint) -> None:
        label = f"{self._label}/{name}"
        if not stat.S_ISREG(print_[0]):
            raise special(label, print_[0])
        check_name(name, label)
        known = self._known.get(name)
        if known is not None and known[0] == print_:
            self._add_hashed(name, print_, known[1])
        else:
            self.unhashed.append((name, print_))

    def _add_hashed(self, name: str, print_: Fingerprint, digest: bytes) -> None:
        self._files.append((name, print_[3], is_executable(print_), digest, print_))

    def _add_link(self, name: str, aim: Fingerprint | None) -> None:
        label = f"{self._label}/{name}"
        check_name(name, label)
        real = os.path.realpath(os.path.join(self._path, name))
        if aim is None:
            raise SymlinkError(
                f"{quote(label)} is a link that leads nowhere ({quote(os.readlink(os.path.join(self._path, name)))})",
                "repair it, or leave it out with a line in .ytignore",
            )
        is_directory = stat.S_ISDIR(aim[0])
        if not is_directory and not stat.S_ISREG(aim[0]):
            raise special(f"{label} -> {real}", aim[0])
        self._check_may_ship(real, label, is_directory)
        if self._source.is_module:
            if is_directory:
                self._follow(name, real, label)
            else:
                self._add_hashed(name, *self._scanner.index.hash_file(real, label))
            return
        self._check_contained(real, label)
        if is_directory:
            self._links.append((name, real, True, 0, False, b"", aim))
            return
        print_, digest = self._scanner.index.hash_file(real, label)
        self._links.append((name, real, False, print_[3], is_executable(print_), digest, print_))

    def _follow(self, name: str, real: str, label: str) -> None:
        here = os.path.realpath(self._path)
        if any((place + "/").startswith(real + "/") for place in (*self._trail, here)):
            raise SymlinkError(
                f"{quote(label)} is a link to {quote(real)}, a directory that it lies in: following it never ends",
                "leave it out with a line in a .ytignore of the module",
            )
        self._linked.append(name)

    def _check_contained(self, real: str, label: str) -> None:
        pipeline = self._scanner.pipeline_dir + "/"
        if not real.startswith(pipeline):
            raise SymlinkError(
                f"{quote(label)} is a link to {quote(real)}, outside the pipeline",
                "copy what it points to into the pipeline, or leave the link out with a line in .ytignore",
            )

    def _check_may_ship(self, real: str, label: str, is_directory: bool) -> None:
        """Raise `SymlinkError` for a link into a part of the pipeline that never ships."""
        pipeline = self._scanner.pipeline_dir + "/"
        if not real.startswith(pipeline) or f"{real}/".startswith(self._source.path + "/"):
            return
        inside = real[len(pipeline) :]
        parts = inside.split("/")
        never = parts[0] in NEVER_SHIPPED or any(is_always_left_out(part) for part in parts)
        if never or judge.is_secret(self._scanner.rules, pipeline, f"{real}/x" if is_directory else real):
            raise SymlinkError(
                f"{quote(label)} is a link to {quote(inside)}, which never ships",
                "remove the link: secrets and configuration stay out of archives",
            )


def check_name(name: str, label: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise FileNameError(
            f"{quote(label)}: the name is not valid UTF-8",
            "rename the file, or leave it out with a line in .ytignore",
        ) from None


def special(label: str, mode: int) -> SpecialFileError:
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
