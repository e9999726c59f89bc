"""Reading one directory: names and what `lstat` says of them, in the order of their bytes; no file is opened."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable
from dataclasses import dataclass

from xxhash import xxh3_128_digest

from ytbuild.base.cachefile import dumps
from ytbuild.base.errors import SourceError
from ytbuild.base.text import quote
from ytbuild.sources.fingerprints import Fingerprint, fingerprint_of
from ytbuild.sources.ignore_file import IGNORE_FILE

ALWAYS_LEFT_OUT = frozenset([".build", ".dev", ".git", "__pycache__", IGNORE_FILE])
"""Names that no archive holds, whatever the ignore files say; `*.pyc` joins them."""

FileRow = tuple[str, Fingerprint]
LinkRow = tuple[str, Fingerprint, Fingerprint | None, str]
"""A link's name, its own fingerprint, that of what it leads to (None: nowhere), and the real path of that."""


@dataclass(frozen=True, slots=True)
class DirectoryListing:
    """One directory: its files and special files, its symbolic links with what they lead to, its directories.

    `always` are the entries that are left out by name. `digest` covers everything that decides which members
    the directory gives, directories of directories excepted.
    """

    files: list[FileRow]
    links: list[LinkRow]
    folders: list[str]
    always: list[tuple[str, bool]]
    ignore_file: Fingerprint | None
    digest: bytes


def is_always_left_out(name: str) -> bool:
    """Tell whether an entry of this name is left out by code rather than by a rule."""
    return name in ALWAYS_LEFT_OUT or name.endswith(".pyc")


def list_directory(path: str, label: str) -> DirectoryListing:
    """List one directory; raises `SourceError` when it cannot be read."""
    try:
        # By descriptor: the kernel then looks up each name in the directory and not from the root.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                return _listed(path, entries)
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(
            f"cannot read the directory {quote(label)}: {error.strerror}",
            "make it readable, or leave it out with a line in .ytignore",
        ) from error


def _listed(path: str, entries: Iterable[os.DirEntry[str]]) -> DirectoryListing:
    files: list[FileRow] = []
    links: list[LinkRow] = []
    folders: list[str] = []
    always: list[tuple[str, bool]] = []
    ignore_file: Fingerprint | None = None
    for entry in entries:
        name = entry.name
        if name in ALWAYS_LEFT_OUT or name.endswith(".pyc"):
            if name == IGNORE_FILE:
                ignore_file = fingerprint_of(entry.stat(follow_symlinks=False))
            always.append((name, entry.is_dir(follow_symlinks=False)))
        elif entry.is_dir(follow_symlinks=False):
            folders.append(name)
        else:
            fingerprint = fingerprint_of(entry.stat(follow_symlinks=False))
            if stat.S_ISLNK(fingerprint[0]):
                full = f"{path}/{name}"
                links.append((name, fingerprint, _followed(full), os.path.realpath(full)))
            else:
                files.append((name, fingerprint))
    for rows in (files, links, folders, always):
        rows.sort()
    digest = xxh3_128_digest(dumps((files, links, folders, always, ignore_file)))
    return DirectoryListing(files, links, folders, always, ignore_file, digest)


def _followed(path: str) -> Fingerprint | None:
    """Return the fingerprint of what a link leads to; None when it dangles.

    A directory's times are left out of it: they change with its content, which is not what the link decides.
    """
    try:
        aim = fingerprint_of(os.stat(path))
    except OSError:
        return None
    return (*aim[:3], 0, 0, 0) if stat.S_ISDIR(aim[0]) else aim
