"""Which files a `.ytignore` leaves out: git's semantics, evaluated top-down.

The last matching line of the deepest file that has one decides; a directory that is left out is not entered, so
nothing below it can come back. Source: gitignore(5) and git's `dir.c`.
"""

from __future__ import annotations

import os
import re
from dataclasses import dataclass
from typing import NamedTuple

from ytbuild.base.errors import IgnoreFileError
from ytbuild.base.files import read_regular
from ytbuild.base.text import quote
from ytbuild.sources.wildmatch import literal_length, to_regex

IGNORE_FILE = ".ytignore"

_BOM = b"\xef\xbb\xbf"
_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_TO_ESCAPE = re.compile(r"[\\*?\[]")


class Pattern(NamedTuple):
    """One line of an ignore file."""

    text: str
    line: int
    negated: bool
    directories_only: bool
    basename: bool
    literal: bool
    regex: bytes


class Match(NamedTuple):
    """The line that decided: which file it stands in, and what it says."""

    file: str
    pattern: Pattern


@dataclass(frozen=True)
class IgnoreFile:
    """The patterns of one file, tested against paths below the directory that it governs.

    `label` is how messages name the file; `prefix` is its directory relative to the outermost one, as bytes,
    with a slash at the end unless empty.
    """

    label: str
    prefix: bytes
    patterns: tuple[Pattern, ...]
    names: re.Pattern[bytes] | None
    paths: re.Pattern[bytes] | None

    def match(self, path: bytes, name: bytes, is_directory: bool) -> Match | None:
        """Return the last line that matches an entry, or None; `path` is relative to the outermost directory."""
        path = path[len(self.prefix) :]
        by_name = self.names is not None and self.names.fullmatch(name) is not None
        by_path = self.paths is not None and self.paths.fullmatch(path) is not None
        if not (by_name or by_path):
            return None
        for pattern in reversed(self.patterns):
            if pattern.directories_only and not is_directory:
                continue
            subject = name if pattern.basename else path
            if re.compile(pattern.regex, re.DOTALL).fullmatch(subject):
                return Match(self.label, pattern)
        return None


def parse(data: bytes, label: str, prefix: bytes = b"") -> IgnoreFile:
    """Return the patterns in `data`, the content of the file that messages call `label`.

    Raises `IgnoreFileError` when it is not UTF-8 text.
    """
    try:
        data.decode("utf-8")
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        raise IgnoreFileError(
            f"{quote(label)}:{line}: not UTF-8 text",
            "save the file as UTF-8: a rule that cannot be read protects nothing",
        ) from None
    if b"\0" in data:
        raise IgnoreFileError(f"{quote(label)}: holds a NUL byte", "save the file as UTF-8 text")
    patterns = tuple(
        pattern
        for number, line in enumerate(data.removeprefix(_BOM).split(b"\n"), 1)
        if (pattern := _parse_line(line.removesuffix(b"\r"), number)) is not None
    )
    return IgnoreFile(
        label,
        prefix,
        patterns,
        any_of([pattern.regex for pattern in patterns if pattern.basename]),
        any_of([pattern.regex for pattern in patterns if not pattern.basename]),
    )


def read(path: str, label: str, prefix: bytes = b"") -> IgnoreFile:
    """Parse the ignore file at `path`; raises `IgnoreFileError` when it cannot be read."""
    return parse(read_bytes(path, label), label, prefix)


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


def escape(name: str) -> str:
    """Return a pattern that matches exactly this name or path, for a line that is offered to the user."""
    pattern = _TO_ESCAPE.sub(lambda match: "\\" + match.group(), name)
    if pattern.startswith(("#", "!")):
        pattern = "\\" + pattern
    return pattern[:-1] + "\\ " if pattern.endswith(" ") else pattern


def _parse_line(line: bytes, number: int) -> Pattern | None:
    if line.startswith(b"#"):
        return None
    line = _without_trailing_spaces(line)
    negated = line.startswith(b"!")
    body = line.removeprefix(b"!")
    directories_only = body.endswith(b"/")
    if directories_only:
        body = body[:-1]
    basename = b"/" not in body
    body = body.removeprefix(b"/")
    if not body:
        return None
    text = line.decode("utf-8")
    plain = _ESCAPED.sub(b"", body)
    literal = literal_length(plain) == len(plain)
    return Pattern(text, number, negated, directories_only, basename, literal, to_regex(body))


def _without_trailing_spaces(line: bytes) -> bytes:
    """Cut the spaces at the end unless a backslash escapes them: `a\\ ` keeps one."""
    end = at = 0
    while at < len(line):
        if line[at : at + 1] == b"\\":
            at += 2
            if at > len(line):
                return line
            end = at
        else:
            at += 1
            if line[at - 1 : at] != b" ":
                end = at
    return line[:end]


def any_of(regexes: list[bytes]) -> re.Pattern[bytes] | None:
    """Return one expression that matches what any of these does; None for none."""
    if not regexes:
        return None
    return re.compile(b"|".join(b"(?:%s)" % regex for regex in regexes), re.DOTALL)
