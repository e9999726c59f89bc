"""The check of what a job writes, or of a table that was put there by hand: which lines are rows."""

from __future__ import annotations

import io
import json
import os
from collections import deque
from typing import Any

from ytbuild.base.errors import TableError
from ytbuild.rows import decode
from ytbuild.rows.row import check_integers

BLOCK = 1 << 20

# A number out of range has 20 characters at least: 20 digits, or a sign and 19. With digits and signs made the same,
# `find` sees such runs in a tenth of the time of a regular expression.
_DIGITS_AS_ZERO = bytes(ord("0") if chr(code) in "-0123456789" else code for code in range(256))
_LONG_NUMBER = b"0" * 20


class RowChecker:
    """Checks the rows of a file, which may still grow: what a job writes, or a table that was put there by hand.

    A line must be a JSON object (RFC 8259, UTF-8, no NaN), its integers int64 or uint64, and it must not be longer
    than `max_row_weight` bytes: the cluster would refuse the row. A job writes to its file itself and not through us,
    so that a check that lags behind does not hold it up.

    `label` is what messages call the file. `rows` counts the rows that were checked; `is_unfinished` tells whether
    the last one has no line end.
    """

    def __init__(self, path: str, label: str, max_row_weight: int) -> None:
        import msgspec

        # A structure without fields: msgspec then checks the syntax and makes no values.
        self._is_object = msgspec.json.Decoder(msgspec.defstruct("Row", [], gc=False)).decode
        self._values = msgspec.json.Decoder(dict[str, Any]).decode
        self._errors = (msgspec.DecodeError, UnicodeDecodeError, ValueError, RecursionError)
        self._path = path
        self._label = label
        self._limit = max_row_weight
        self._position = 0
        self._wanted = BLOCK
        self._seen = 0
        self.rows = 0
        self.is_unfinished = False

    def check(self, final: bool) -> None:
        """Check what is new in the file, all of it when it is `final`; raises `TableError`."""
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
                check_integers(self._values(line))
            except self._errors as error:
                number = self.rows + block.count(b"\n", 0, begin) + 1
                raise decode.no_row(self._label, number, line, error) from None
            at = simple.find(_LONG_NUMBER, end)

    def _first_bad(self, lines: list[bytes]) -> TableError:
        for number, line in enumerate(lines, self.rows + 1):
            try:
                self._is_object(line.decode())
            except self._errors as error:
                return decode.no_row(self._label, number, line, _reason(line) or error)
        raise AssertionError("all lines are good one by one")

    def _too_long(self, number: int) -> TableError:
        return TableError(
            f"{self._label}: line {number} is longer than max_row_weight, {self._limit:,} bytes",
            "divide the row into several, or put the large value into a file",
        )


def _reason(line: bytes) -> str:
    """Return why a line is no row in the decoder's words; an empty text when the decoder would take it."""
    try:
        json.dumps(decode.decoded(line), ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return "half of a surrogate pair is no text"
    except ValueError as reason:
        return str(reason)
    return ""
