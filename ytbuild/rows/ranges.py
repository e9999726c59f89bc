"""Ranges of a file of rows, one for each job: where they begin, how many rows they hold."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import IO

BLOCK = 1 << 20


@dataclass(frozen=True)
class Range:
    """A part of a file of rows: where it begins, its length in bytes, and the number of rows before and in it."""

    offset: int
    length: int
    first_row: int
    rows: int


def ranges(path: str, rows: int, count: int) -> list[Range]:
    """Return `count` ranges, of about equal length, of a file with so many rows; some may be empty."""
    parts: list[Range] = []
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = first_row = 0
        for index in range(count):
            if index == count - 1:
                end, inside = size, rows - first_row
            else:
                end = _line_end(file, begin + (size - begin) // (count - index), size)
                inside = count_lines(file, begin, end)
            parts.append(Range(begin, end - begin, first_row, inside))
            begin, first_row = end, first_row + inside
    return parts


def _line_end(file: IO[bytes], position: int, size: int) -> int:
    """Return where the line ends that holds the byte before `position`."""
    if position == 0 or position >= size:
        return min(position, size)
    file.seek(position - 1)
    file.readline()
    return file.tell()


def count_lines(file: IO[bytes], begin: int = 0, end: int | None = None) -> int:
    """Return the number of lines in a range of a file; a last one without a newline counts."""
    file.seek(begin)
    count = 0
    last = b"\n"
    left = -1 if end is None else end - begin
    while left and (block := file.read(BLOCK if left < 0 else min(BLOCK, left))):
        count += block.count(b"\n")
        last = block[-1:]
        left -= len(block) if left > 0 else 0
    return count + (last != b"\n")


def copy_range(source: str, destination: str, part: Range) -> None:
    """Copy a range of a file to a file of its own."""
    with open(source, "rb") as file, open(destination, "wb") as out:
        file.seek(part.offset)
        left = part.length
        while left and (block := file.read(min(BLOCK, left))):
            out.write(block)
            left -= len(block)
