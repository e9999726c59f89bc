"""Rows on their way in and out of dev jobs: ranges of a table, and the check of what a job writes."""

from __future__ import annotations

import io
import os
from collections import deque
from dataclasses import dataclass
from typing import IO, Any

BLOCK = 1 << 20

_INT64_MIN = -(2**63)
_UINT64_MAX = 2**64 - 1
_SHOWN = 120
# A number out of range has 20 characters at least: 20 digits, or a sign and 19. With digits and signs made the same,
# `find` sees such runs in a tenth of the time of a regular expression.
_DIGITS_AS_ZERO = bytes(ord("0") if chr(code) in "-0123456789" else code for code in range(256))
_LONG_NUMBER = b"0" * 20


@dataclass(frozen=True)
class Range:
    """A part of a file of rows: where it begins, its length in bytes, and the number of rows before and in it."""

    offset: int
    length: int
    first_row: int
    rows: int


class BadRowError(Exception):
    """A line that is no row; the message says which one and why."""


def ranges(path: str, rows: int, count: int) -> list[Range]:
    """Return `count` ranges, of about equal length, of a file with so many rows; some may be empty."""
    found: list[Range] = []
    with open(path, "rb") as file:
        size = os.fstat(file.fileno()).st_size
        begin = first_row = 0
        for index in range(count):
            if index == count - 1:
                end, inside = size, rows - first_row
            else:
                end = _line_end(file, begin + (size - begin) // (count - index), size)
                inside = count_lines(file, begin, end)
            found.append(Range(begin, end - begin, first_row, inside))
            begin, first_row = end, first_row + inside
    return found


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


class RowChecker:
    """Checks the rows of a file, which may still grow: what a job writes, or a table that was put there by hand.

    A line must be a JSON object (RFC 8259, UTF-8, no NaN), its integers int64 or uint64, and it must not be longer
    than `max_row_weight` bytes: the cluster would refuse the row. A job writes to its file itself and not through us,
    so that a check that lags behind does not hold it up.

    `rows` counts the rows that were checked; `is_unfinished` tells whether the last one has no line end.
    """

    def __init__(self, path: str, max_row_weight: int) -> None:
        import msgspec

        # A structure without fields: msgspec then checks the syntax and makes no values.
        self._is_object = msgspec.json.Decoder(msgspec.defstruct("Row", [], gc=False)).decode
        self._values = msgspec.json.Decoder(dict[str, Any]).decode
        self._errors = (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError)
        self._path = path
        self._limit = max_row_weight
        self._position = 0
        self._wanted = BLOCK
        self._seen = 0
        self.rows = 0
        self.is_unfinished = False

    def check(self, final: bool) -> None:
        """Check what is new in the file, all of it when it is `final`; raises `BadRowError`."""
        with open(self._path, "rb", buffering=0) as file:
            while True:
                left = os.fstat(file.fileno()).st_size - self._position
                if not left or (left < self._wanted and not final and not self._is_idle(left)):
                    return
                block = os.pread(file.fileno(), self._wanted, self._position)
                end = block.rfind(b"\n") + 1
                if final and not end and len(block) == left:
                    self.is_unfinished = True
                    block += b"\n"
                    end = left
                if end:
                    self._check(block)
                    self._position += end
                    self._wanted = BLOCK
                elif left < self._wanted:
                    return
                else:
                    self._widen(len(block))

    def _is_idle(self, left: int) -> bool:
        """Tell whether the job has written nothing since the last look: then a small part is worth a check."""
        idle = left == self._seen
        self._seen = left
        return idle

    def _widen(self, length: int) -> None:
        """Look at more at once, because a line is longer than what was looked at."""
        if length > self._limit:
            raise self._too_long(self.rows + 1)
        self._wanted *= 2

    def _check(self, block: bytes) -> None:
        """Check the whole lines of a block; what comes after the last line end is not looked at."""
        lines = io.BytesIO(block).readlines()
        if not block.endswith(b"\n"):
            lines.pop()
        try:
            if not block.isascii():
                b"".join(lines).decode()
            # No loop over lines is faster, and it looks at each by itself.
            deque(map(self._is_object, lines), maxlen=0)
        except self._errors:
            raise self._first_bad(lines) from None
        if len(block) > self._limit:
            self._check_lengths(lines)
        self._check_numbers(block)
        self.rows += len(lines)

    def _check_lengths(self, lines: list[bytes]) -> None:
        for number, line in enumerate(lines, self.rows + 1):
            if len(line) - 1 > self._limit:
                raise self._too_long(number)

    def _check_numbers(self, block: bytes) -> None:
        """Check the lines that may hold a number out of range; all are known to be JSON objects."""
        simple = block.translate(_DIGITS_AS_ZERO)
        at = simple.find(_LONG_NUMBER)
        while at >= 0:
            begin, end = block.rfind(b"\n", 0, at) + 1, block.find(b"\n", at)
            if end < 0:
                return
            line = block[begin:end]
            try:
                _check_integers(self._values(line))
            except self._errors as error:
                raise self._bad(block.count(b"\n", 0, begin), line, error) from None
            at = simple.find(_LONG_NUMBER, end)

    def _first_bad(self, lines: list[bytes]) -> BadRowError:
        for index, line in enumerate(lines):
            try:
                self._is_object(line.decode())
            except self._errors as error:
                return self._bad(index, line, error)
        raise AssertionError("all lines are good one by one")

    def _bad(self, index: int, line: bytes, error: Exception) -> BadRowError:
        text = line[:_SHOWN].decode("utf-8", "replace").rstrip("\n")
        return BadRowError(f"line {self.rows + index + 1}: {text!r} ({error})")

    def _too_long(self, number: int) -> BadRowError:
        return BadRowError(f"line {number} is longer than max_row_weight, {self._limit:,} bytes")


def _check_integers(value: Any) -> None:
    if isinstance(value, int) and not _INT64_MIN <= value <= _UINT64_MAX:
        raise ValueError("an integer outside int64 and uint64")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_integers(item)
