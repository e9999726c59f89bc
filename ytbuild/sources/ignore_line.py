"""One line of a `.ytignore`: what it says, and how to write one. Source: gitignore(5) and git's `dir.c`."""

from __future__ import annotations

import re
from typing import NamedTuple

from ytbuild.sources.wildmatch import literal_length, to_regex

_ESCAPED = re.compile(rb"\\.", re.DOTALL)
_TO_ESCAPE = re.compile(r"[\\*?\[]")


class IgnoreLine(NamedTuple):
    """A line that is neither empty nor a comment.

    `negated` lines bring back what an earlier one leaves out. `body` is a regular expression over bytes, for the last
    component of a path when the line is about a `basename`, for the path below the ignore file otherwise. A `literal`
    line has no wildcards.
    """

    text: str
    number: int
    negated: bool
    directories_only: bool
    basename: bool
    literal: bool
    body: bytes


def parse_line(line: bytes, number: int) -> IgnoreLine | None:
    """Return what a line without its end says; None for a comment or an empty one."""
    if line.startswith(b"#"):
        return None
    line = _without_trailing_spaces(line)
    negated = line.startswith(b"!")
    glob = line.removeprefix(b"!")
    directories_only = glob.endswith(b"/")
    if directories_only:
        glob = glob[:-1]
    basename = b"/" not in glob
    glob = glob.removeprefix(b"/")
    if not glob:
        return None
    plain = _ESCAPED.sub(b"", glob)
    literal = literal_length(plain) == len(plain)
    return IgnoreLine(line.decode("utf-8"), number, negated, directories_only, basename, literal, to_regex(glob))


def escape(name: str) -> str:
    """Return a line that matches exactly this name or path, to be offered to the user."""
    line = _TO_ESCAPE.sub(lambda match: "\\" + match.group(), name)
    if line.startswith(("#", "!")):
        line = "\\" + line
    return line[:-1] + "\\ " if line.endswith(" ") else line


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
