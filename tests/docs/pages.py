"""The documentation's pages as the tests read them: their text, headings, tables, links and code."""

from __future__ import annotations

import re
from pathlib import Path

from tests.docs import console

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
REFERENCE = DOCS / "reference"

_HEADING = re.compile(r"(#+) (.*)")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\((?P<aim>[^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


def all_pages() -> list[Path]:
    """Return the pages beside the code and every page under docs."""
    return [*sorted(ROOT.glob("*.md")), *sorted(DOCS.rglob("*.md"))]


def shown(page: Path) -> str:
    """Return a page's path as messages name it."""
    return page.relative_to(ROOT).as_posix()


def read(page: Path) -> str:
    """Return the text of a page."""
    return page.read_text(encoding="utf-8")


def prose(text: str) -> str:
    """Return a page's text with its fenced blocks blank; the lines keep their numbers."""
    lines = text.splitlines()
    for block in console.blocks(text):
        for number in range(block.line - 1, block.line + len(block.lines) + 1):
            lines[number] = ""
    return "\n".join(lines)


def anchors(text: str) -> set[str]:
    """Return what a link into a page may name: GitHub's anchors of its headings."""
    found: set[str] = set()
    for line in prose(text).splitlines():
        match = _HEADING.fullmatch(line)
        if match:
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", match[2]).replace("`", "")
            found.add(re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-"))
    return found


def links(text: str) -> list[str]:
    """Return where a page's links lead."""
    return [match["aim"] for match in _LINK.finditer(prose(text))]


def code_spans(text: str) -> list[str]:
    """Return every piece of inline code of a text."""
    return _CODE.findall(prose(text))


def section(text: str, heading: str) -> str:
    """Return what stands below a heading, up to the next one of its level or above."""
    level = len(heading) - len(heading.lstrip("#"))
    lines = prose(text).splitlines()
    assert heading in lines, f"there is no heading {heading!r}"
    start = end = lines.index(heading) + 1
    while end < len(lines):
        match = _HEADING.fullmatch(lines[end])
        if match and len(match[1]) <= level:
            break
        end += 1
    return "\n".join(lines[start:end])


def rows(text: str) -> list[list[str]]:
    """Return the cells of every table row in a text, headings and rules left out."""
    lines = text.splitlines()
    found: list[list[str]] = []
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        if line.startswith("| ") and not following.startswith("|---"):
            found.append([cell.strip() for cell in line.strip("|").split(" | ")])
    return found
