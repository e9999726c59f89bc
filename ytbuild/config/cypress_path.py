r"""The grammar of Cypress paths: `//tmp/me/data`, and with more `<append=%true>//tmp/me/data{a,b}[#10:#20]`.

Source: YTsaurus docs, "YPath": https://ytsaurus.tech/docs/en/user-guide/storage/ypath

What a use takes is said by the function that it calls, and is the same on every backend: `node_path` for stage code,
queries, `build_folder` and the command line, `parse` for what an operation reads, `parse_output` for what it writes.
No use takes what leads elsewhere than to one node by its path: ids of objects (`#1-2-3-4`), attributes (`/@`), links
themselves (`&`), all nodes of a folder (`*`), names of clusters before the path.

A path has one spelling here, whatever its escapes were: `//tmp/\x41` is `//tmp/A`, and a slash in a name `\x2f`. So
every `/` in its text ends a name, and two texts that differ lead to different nodes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

from ytbuild.base.errors import CypressPathError

HINT = "write a whole Cypress path, such as //tmp/me/data"

_LITERAL = re.compile(r"(?:[^\\/@&*\[{]|\\[\\/@&*\[{]|\\x[0-9a-fA-F]{2})*")
_ESCAPE = re.compile(rb"\\(?:x([0-9a-fA-F]{2})|(.))")
_SPECIAL = "\\@&*[{"
# Beside those a slash, and what could rewrite a terminal's line: paths are shown as they are.
_ESCAPED = re.compile(r"[\\@&*\[{/\0-\x1f\x7f-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]")
_YSON_BRACKETS = re.compile(r'"(?:[^"\\]|\\.)*"|[<{\[(]|[>}\])]', re.DOTALL)
_PAIRS = {"<": ">", "{": "}", "[": "]", "(": ")"}
_NOT_IN_A_NAME = {
    "@": "which leads to attributes",
    "&": "which means a link itself",
    "*": "which means all nodes of a folder",
    "\\": "which begins no escape",
}


@dataclass(frozen=True)
class CypressPath:
    """A path to a node, and what its text says beside that.

    `names` are those of the nodes on the way, without escapes. `attributes`, `columns` and `ranges` are text with
    brackets, empty where there are none; whether it is right YSON is not known.
    """

    names: tuple[str, ...]
    attributes: str = ""
    columns: str = ""
    ranges: str = ""

    @property
    def node(self) -> str:
        """The path without attributes, columns and ranges, in its one spelling."""
        return "/" + "".join(f"/{_escaped(name)}" for name in self.names)

    @property
    def is_plain(self) -> bool:
        """Whether there is nothing but the path."""
        return not (self.attributes or self.columns or self.ranges)

    def __str__(self) -> str:
        return f"{self.attributes}{self.node}{self.columns}{self.ranges}"


def parse(text: object) -> CypressPath:
    """Return a path with all that the grammar knows; raises `CypressPathError` for what is none."""
    if not isinstance(text, str):
        raise CypressPathError(text, "is not a text", HINT)
    if "\0" in text:
        raise CypressPathError(text, "holds a NUL character", HINT)
    start = _closing(text, 0) if text.startswith("<") else 0
    begin = len(text) - len(text[start:].lstrip()) if start else 0
    names, end = _names(text, begin)
    columns_end = _closing(text, end) if text.startswith("{", end) else end
    ranges_end = _closing(text, columns_end) if text.startswith("[", columns_end) else columns_end
    if ranges_end < len(text):
        raise CypressPathError(text, f"has {text[ranges_end:]!r} after its columns and ranges", HINT)
    return CypressPath(names, text[:start], text[end:columns_end], text[columns_end:ranges_end])


def parse_output(text: object) -> CypressPath:
    """Return the path of a table that is written: it may have attributes; raises `CypressPathError`."""
    path = parse(text)
    if path.columns or path.ranges:
        raise CypressPathError(text, "has columns or ranges, and is written", "name the whole table")
    return path


def node_path(text: object) -> str:
    """Return the path of a node in its one spelling, of one that has nothing else; raises `CypressPathError`."""
    path = parse(text)
    if not path.is_plain:
        raise CypressPathError(text, "has attributes, columns or ranges", HINT)
    return path.node


def below(folder: str, relative: str) -> str:
    """Return where a local file lies on Cypress: `relative` is its path from the folder at `folder`."""
    return "/".join((folder, *map(_escaped, relative.split("/"))))


def _names(text: str, at: int) -> tuple[tuple[str, ...], int]:
    """Return the names of the path that begins at a place of a text, and where it ends."""
    if text.startswith("#", at):
        raise CypressPathError(text, "is the id of an object", HINT)
    if not text.startswith("//", at):
        raise CypressPathError(text, "does not begin with //", HINT)
    names: list[str] = []
    at += 1
    while text.startswith("/", at):
        literal = _LITERAL.match(text, at + 1)
        assert literal is not None
        at = literal.end()
        if text[at : at + 1] in _NOT_IN_A_NAME:
            char = text[at]
            raise CypressPathError(text, f"has {char!r}, {_NOT_IN_A_NAME[char]}", rf"write \{char} for it in a name")
        names.append(_name(text, literal[0], at))
    return tuple(names), at


def _name(text: str, literal: str, end: int) -> str:
    """Return a name without escapes; `end` is where it ends in the text."""
    if not literal:
        raise CypressPathError(text, "has an empty name" if end < len(text) else "ends with a slash", HINT)
    try:
        name = _ESCAPE.sub(lambda match: bytes.fromhex(match[1].decode()) if match[1] else match[2], literal.encode())
        decoded = name.decode()
    except UnicodeError:
        raise CypressPathError(text, "has a name that is not UTF-8", HINT) from None
    if "\0" in decoded:
        raise CypressPathError(text, "holds a NUL character", HINT)
    if decoded in (".", ".."):
        # Names like any other on a cluster; whoever writes them means another node.
        raise CypressPathError(text, f"has the name {decoded!r}, which leads nowhere", HINT)
    return decoded


def _escaped(name: str) -> str:
    return _ESCAPED.sub(lambda match: _escape(match[0]), name)


def _escape(char: str) -> str:
    return f"\\{char}" if char in _SPECIAL else "".join(f"\\x{byte:02x}" for byte in char.encode())


def _closing(text: str, start: int) -> int:
    """Return where the YSON in brackets ends that begins at a place of a text."""
    expected: list[str] = []
    for token in _YSON_BRACKETS.finditer(text, start):
        if token[0] in _PAIRS:
            expected.append(_PAIRS[token[0]])
        elif not token[0].startswith('"'):
            if token[0] != expected.pop():
                break
            if not expected:
                return token.end()
    raise CypressPathError(text, f"has a {text[start]!r} that is not closed", HINT)
