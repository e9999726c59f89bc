"""Which entries a `.ytignore` leaves out: git's semantics, evaluated top-down.

The last matching line of the deepest file that has one decides; a directory that is left out is not entered, so
nothing below it can come back. Source: gitignore(5) and git's `dir.c`.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, NamedTuple

from ytbuild.base.errors import IgnoreFileError
from ytbuild.base.files import read_regular
from ytbuild.base.text import quote
from ytbuild.sources.ignore_line import IgnoreLine, parse_line

if TYPE_CHECKING:
    from pathspec import PathSpec, Pattern

IGNORE_FILE = ".ytignore"

_BOM = b"\xef\xbb\xbf"


class Match(NamedTuple):
    """The line that decided, and how messages name the file that it stands in."""

    file: str
    line: IgnoreLine


@dataclass(frozen=True)
class IgnoreFile:
    """The lines of one file, matched against entries below the directory that it governs.

    `label` is how messages name the file; `prefix` is its directory relative to the outermost one, as bytes,
    with a slash at the end unless empty.
    """

    label: str
    prefix: bytes
    lines: tuple[IgnoreLine, ...]

    @cached_property
    def paths(self) -> re.Pattern[bytes] | None:
        """What matches any path below the file's directory that a line of more than a name matches; None for none."""
        bodies = [line.body for line in self.lines if not line.basename]
        return any_of(bodies) if bodies else None

    @cached_property
    def _spec(self) -> PathSpec[Pattern]:
        # pathspec is imported when a line may match: most directories hold nothing that any line is about.
        from ytbuild.sources.ignore_pattern import path_spec

        return path_spec([line.text for line in self.lines])

    def match(self, entry: bytes, is_directory: bool) -> Match | None:
        """Return the last line that matches an entry, or None; `entry` is relative to the outermost directory."""
        path = entry[len(self.prefix) :].decode("latin-1") + "/" * is_directory
        index = self._spec.check_file(path).index
        return None if index is None else Match(self.label, self.lines[index])


def parse(data: bytes, label: str, prefix: bytes = b"") -> IgnoreFile:
    """Return the lines in `data`, the content of the file that messages call `label`.

    Raises `IgnoreFileError` when it is not UTF-8 text.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        number = data.count(b"\n", 0, error.start) + 1
        raise IgnoreFileError(
            f"{quote(label)}:{number}: not UTF-8 text",
            "save the file as UTF-8: a rule that cannot be read protects nothing",
        ) from None
    if b"\0" in data:
        raise IgnoreFileError(f"{quote(label)}: holds a NUL byte", "save the file as UTF-8 text")
    texts = data.removeprefix(_BOM).split(b"\n")
    lines = (parse_line(text.removesuffix(b"\r"), number) for number, text in enumerate(texts, 1))
    return IgnoreFile(label, prefix, tuple(line for line in lines if line is not None))


def read_bytes(path: str, label: str) -> bytes:
    """Return the content of an ignore file; raises `IgnoreFileError` when it is no readable regular file."""
    if os.path.islink(path):
        raise IgnoreFileError(
            f"{quote(label)} is a symbolic link",
            "put a regular file there: like git, ytbuild does not follow a link to an ignore file",
        )
    try:
        return read_regular(path)
    except OSError as error:
        raise IgnoreFileError(
            f"cannot read {quote(label)}: {error.strerror}", "make it a readable file, or remove it"
        ) from error


def any_of(regexes: Iterable[bytes]) -> re.Pattern[bytes]:
    """Return one expression that matches what any of these does."""
    return re.compile(b"|".join(b"(?:%s)" % regex for regex in regexes), re.DOTALL)
