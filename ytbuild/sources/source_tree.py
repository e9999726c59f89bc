"""What a scan of a source gives: its files with their content hashes, and what was left out."""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from operator import itemgetter
from typing import NamedTuple

from ytbuild.base.cachefile import loads
from ytbuild.base.errors import SymlinkError
from ytbuild.base.text import quote
from ytbuild.sources.fingerprints import Fingerprint
from ytbuild.sources.ignore_rules import IgnoreChain, IgnoreReason

NEVER_SHIPPED = ("configs", ".build", ".dev", ".git")
"""Folders of the pipeline that nothing may ship from, not even through a link."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file or folder of the user's and its place in the archive.

    `path` is absolute and free of links, `arcname` has no slash at the ends, `top` is the outermost directory
    whose ignore file counts (the pipeline, or the module itself), and `label` names the source in messages. What
    ships `always` is not asked of any ignore file.
    """

    path: str
    arcname: str
    top: str
    is_module: bool
    label: str
    always: bool = False


class SourceFile(NamedTuple):
    """One file that ships; `link` is a relative link's text, and then there is no content.

    A NamedTuple, not a dataclass: there may be hundreds of thousands, and they cost a fifth to make.
    """

    relative: str
    path: str
    size: int
    executable: bool
    digest: bytes
    link: str


class IgnoredEntry(NamedTuple):
    """One entry that does not ship, relative to the source, and the reason."""

    relative: str
    is_directory: bool
    reason: IgnoreReason


class DirectoryRecord(NamedTuple):
    """What the index keeps of a directory; a plain tuple there.

    `limit` is the trust limit of the scan that wrote the record and `newest` the latest change among its entries.
    `digest` is that of its listing, `outer` the identity of the ignore files above it and `ignore_digest` the hash of
    its own. `payload` holds (files, links, ignored), decoded when needed.
    """

    limit: int
    newest: int
    digest: bytes
    outer: bytes
    ignore_digest: bytes
    subfolders: tuple[str, ...]
    linked: tuple[str, ...]
    payload: bytes

    def still_holds(self, digest: bytes, outer: bytes) -> bool:
        """Tell whether a directory with this listing, below these ignore files, is the one that was recorded."""
        return self.digest == digest and self.outer == outer and self.newest < self.limit


FileItem = tuple[str, int, bool, bytes, Fingerprint]
LinkItem = tuple[str, str, bool, int, bool, bytes, Fingerprint]
IgnoredItem = tuple[str, bool, str, int, str, bool]


@dataclass(frozen=True)
class SourceTree:
    """The scan of one source.

    `digest` covers everything that decides its members; equal digests mean equal members.
    """

    source: Source
    digest: bytes
    chain: IgnoreChain
    directories: tuple[tuple[str, DirectoryRecord], ...]
    single: SourceFile | None = None

    @cached_property
    def _decoded(self) -> list[tuple[str, tuple[list[FileItem], list[LinkItem], list[IgnoredItem]]]]:
        return [(relative, loads(record.payload)) for relative, record in self.directories]

    def files(self) -> list[SourceFile]:
        """Return what ships, sorted by the bytes of the names.

        Raises `SymlinkError` when a link inside the source leads to something that is left out.
        """
        if self.single is not None:
            return [self.single]
        files: list[SourceFile] = []
        links: list[tuple[str, LinkItem]] = []
        for relative, (own_files, own_links, _) in self._decoded:
            directory = f"{self.source.path}/{relative}"
            files += [
                SourceFile(relative + name, directory + name, size, executable, digest, "")
                for name, size, executable, digest, _ in own_files
            ]
            links += [(relative, link) for link in own_links]
        if links:
            files += self._links(links, {file.relative for file in files})
        files.sort(key=itemgetter(0))
        return files

    def ignored(self) -> Iterator[IgnoredEntry]:
        """Give what is left out, in the order of the walk."""
        for relative, (_, _, left_out) in self._decoded:
            for name, is_directory, file, line, text, secret in left_out:
                yield IgnoredEntry(relative + name, is_directory, IgnoreReason(file, line, text, secret))

    def _links(self, links: list[tuple[str, LinkItem]], shipped: set[str]) -> Iterator[SourceFile]:
        root = os.path.realpath(self.source.path) + "/"
        inner = {folder + link[0] for folder, link in links if link[1].startswith(root)}
        for folder, (name, real, is_directory, size, executable, digest, _) in links:
            relative = folder + name
            label = quote(os.path.join(self.source.label, relative))
            if not (real + "/").startswith(root):
                if is_directory:
                    raise SymlinkError(
                        f"{label} is a link to the directory {quote(real)}, outside its own source",
                        "add that directory to pipeline.upload_paths, or leave the link out with .ytignore",
                    )
                yield SourceFile(relative, real, size, executable, digest, "")
                continue
            aim = real[len(root) :]
            inside = aim + "/" if aim else ""
            whole = is_directory and any(other.startswith(inside) for other in shipped | inner)
            if not (whole or aim in shipped):
                raise SymlinkError(
                    f"{label} is a link to {quote(aim or '.')}, which is left out of the archive",
                    "ship what it points to, or leave the link out with a line in .ytignore as well",
                )
            yield SourceFile(relative, "", 0, False, b"", os.path.relpath(real, os.path.join(root, folder)))
