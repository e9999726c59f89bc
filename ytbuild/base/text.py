"""Words on the screen: sizes, durations, file names and the ends of logs, the same everywhere."""

from __future__ import annotations

import os

_ESCAPES = {7: "a", 8: "b", 9: "t", 10: "n", 11: "v", 12: "f", 13: "r", 34: '"', 92: "\\"}

_TAIL_LINES = 20
_TAIL_BYTES = 16 << 10


def quote(name: str) -> str:
    """Return a file name as git prints it with `core.quotePath=false`: odd ones in double quotes, C-escaped.

    No name can then write to the terminal: control characters come out as escapes, and so do the bytes of a
    name that is not valid UTF-8 and the C1 controls that some terminals obey. Source: git-config(1).
    """
    if name.isprintable() and '"' not in name and "\\" not in name:
        return name
    return '"' + "".join(map(_escaped, name)) + '"'


def _escaped(char: str) -> str:
    code = ord(char)
    if code in _ESCAPES:
        return "\\" + _ESCAPES[code]
    if char.isprintable():
        return char
    return "".join(f"\\{byte:03o}" for byte in char.encode("utf-8", "surrogateescape"))


def size(count: int) -> str:
    """Return a number of bytes in the largest binary unit that keeps it above one: `4.1 KiB`."""
    if count < 1024:
        return f"{count} B"
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= 1024
        if value < 1024:
            return f"{value:.1f} {unit}"
    return f"{value / 1024:.1f} TiB"


def seconds(duration: float) -> str:
    """Return a duration in seconds: `0.12s`, `75s`."""
    return f"{duration:.2f}s" if duration < 10 else f"{duration:.0f}s"


def plural(count: int, noun: str) -> str:
    """Return `1 file`, `1,200 files`."""
    return f"{count:,} {noun}" if count == 1 else f"{count:,} {noun}s"


def tail(path: str) -> str:
    """Return the last lines of a log, indented, without what a terminal would obey; empty for an empty log."""
    with open(path, "rb") as file:
        file.seek(0, os.SEEK_END)
        file.seek(max(0, file.tell() - _TAIL_BYTES))
        return last_lines(file.read().decode("utf-8", "replace"))


def last_lines(text: str) -> str:
    """Return the last lines of a text, as `tail` does."""
    lines = text[-_TAIL_BYTES:].rstrip().split("\n")[-_TAIL_LINES:]
    safe = ["".join(c if c.isprintable() or c == "\t" else "�" for c in line) for line in lines]
    return "\n".join(f"  {line}" for line in safe) if any(safe) else ""
