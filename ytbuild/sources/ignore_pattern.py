"""The lines of a `.ytignore` as patterns of pathspec: git's own meaning of each, under the name `ytignore`.

Imported when a line may match, not before: pathspec takes 15 ms, and most directories hold nothing that any line
has an opinion of.
"""

from __future__ import annotations

import re
from typing import Any

import pathspec
from pathspec.util import register_pattern

from ytbuild.sources.ignore_line import IgnoreLine, parse_line

NAME = "ytignore"

# Versions before 1.0 know one way of matching only; later ones would use re2 or hyperscan where they are installed,
# whose expressions know no look-around.
_BACKEND: dict[str, Any] = {"backend": "simple"} if hasattr(pathspec, "backend") else {}


class IgnorePattern(pathspec.RegexPattern):
    """One line of an ignore file; a match includes the path in what is left out, or excludes it from that.

    It is matched against a path relative to the ignore file, with a slash at the end for a directory, each byte of
    it as the character of that number (Latin-1): names need not be UTF-8, and git's patterns are about bytes.
    """

    def __init__(self, text: str) -> None:
        line = parse_line(text.encode(), 0)
        regex, include = (rb"(?!)", None) if line is None else (_regex(line), not line.negated)
        super().__init__(re.compile(regex.decode("latin-1"), re.DOTALL), include)


def _regex(line: IgnoreLine) -> bytes:
    # No pattern of a name reaches over a slash, and none matches without the last component of a directory.
    above = b"(?:.*/)?(?!.*/.)" if line.basename else b""
    return rb"\A%s(?:%s)(?<!/)%s\Z" % (above, line.body, b"/" if line.directories_only else b"/?")


register_pattern(NAME, IgnorePattern, override=True)


def path_spec(lines: list[str]) -> pathspec.PathSpec[pathspec.Pattern]:
    """Return the lines of one ignore file as a `PathSpec`, in their order; none of them may be empty."""
    return pathspec.PathSpec.from_lines(NAME, lines, **_BACKEND)
