"""Reading one directory: names and what `lstat` says of them, in the order of their bytes; no file is opened."""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass

from xxhash import xxh3_128_digest

from ytbuild.base.cachefile import dumps
from ytbuild.base.errors import SourceError
from ytbuild.base.text import quote
from ytbuild.sources.fingerprints import Fingerprint, fingerprint

ALWAYS_LEFT_OUT = frozenset([".build", ".dev", ".git", "__pycache__", ".ytignore"])
"""Names that no archive holds, whatever the ignore files say; `*.pyc` joins them."""

FileRow = tuple[str, Fingerprint]
LinkRow = tuple[str, Fingerprint, Fingerprint | None, str]
"""A link's name, its own fingerprint, that of what it leads to (None: nowhere), and the real path of that."""


@dataclass(frozen=True, slots=True)
class Listing:
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


def list_folder(path: str, label: str) -> Listing:
    """List one directory; raises `SourceError` when it cannot be read."""
    files: list[FileRow] = []
    links: list[LinkRow] = []
    folders: list[str] = []
    always: list[tuple[str, bool]] = []
    ignore_file: Fingerprint | None = None
    try:
        # By descriptor: the kernel then looks up each name in the folder and not from the root.
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            with os.scandir(descriptor) as entries:
                for entry in entries:
                    name = entry.name
                    if name in ALWAYS_LEFT_OUT or name.endswith(".pyc"):
                        if name == ".ytignore":
                            ignore_file = fingerprint(entry.stat(follow_symlinks=False))
                        always.append((name, entry.is_dir(follow_symlinks=False)))
                        continue
                    if entry.is_dir(follow_symlinks=False):
                        folders.append(name)
                        continue
                    status = entry.stat(follow_symlinks=False)
                    row = fingerprint(status)
                    if stat.S_ISLNK(row[0]):
                        full = f"{path}/{name}"
                        links.append((name, row, _followed(full), os.path.realpath(full)))
                    else:
                        files.append((name, row))
        finally:
            os.close(descriptor)
    except OSError as error:
        raise SourceError(
            f"cannot read the directory {quote(label)}: {error.strerror}",
            "make it readable, or leave it out with a line in .ytignore",
        ) from error
    files.sort()
    links.sort()
    folders.sort()
    always.sort()
    digest = xxh3_128_digest(dumps((files, links, folders, always, ignore_file)))
    return Listing(files, links, folders, always, ignore_file, digest)


def _followed(path: str) -> Fingerprint | None:
    """Return the fingerprint of what a link leads to; None when it dangles.

    A directory's times are left out of it: they change with its content, which is not what the link decides.
    """
    try:
        found = fingerprint(os.stat(path))
    except OSError:
        return None
    return (*found[:3], 0, 0, 0) if stat.S_ISDIR(found[0]) else found
