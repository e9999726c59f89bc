"""Rows on their way in and out of dev jobs: ranges of a table, and the check of what a job wrote."""

from __future__ import annotations

import os
import re
from typing import IO, Any

from ytbuild.errors import OperationFailed

_LONG_NUMBER = re.compile(rb"\d{19}")
_INT64_MIN = -(2**63)
_UINT64_MAX = 2**64 - 1
_SHOWN = 120


def split(source: str, destinations: list[str]) -> None:
    """Cut a file of lines into parts of about equal size, whole lines each, in their order."""
    with open(source, "rb") as file:
        left = os.fstat(file.fileno()).st_size
        for index, destination in enumerate(destinations):
            share = left // (len(destinations) - index)
            with open(destination, "wb") as part:
                written = 0
                while written < share and (line := file.readline()):
                    part.write(line)
                    written += len(line)
            left -= written


def copy_checked(source: str, out: IO[bytes], shown: str) -> int:
    """Append a job's output to a table's file and return the number of rows.

    Raises `OperationFailed`, naming the line, for one that is no JSON object (RFC 8259, UTF-8, no NaN) or holds an
    integer that is neither an int64 nor a uint64: the cluster's JSON format would refuse it.
    """
    import msgspec

    decoder = msgspec.json.Decoder(dict[str, Any])
    number = 0
    with open(source, "rb") as file:
        for number, line in enumerate(file, 1):
            try:
                row = decoder.decode(line)
                if _LONG_NUMBER.search(line):
                    _check_integers(row)
            except (msgspec.DecodeError, UnicodeDecodeError, ValueError) as error:
                raise _bad_line(shown, number, line, error) from None
            out.write(line if line.endswith(b"\n") else line + b"\n")
    return number


def _check_integers(value: Any) -> None:
    if isinstance(value, int) and not _INT64_MIN <= value <= _UINT64_MAX:
        raise ValueError("an integer outside int64 and uint64")
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for item in value:
            _check_integers(item)


def _bad_line(shown: str, number: int, line: bytes, error: Exception) -> OperationFailed:
    text = line[:_SHOWN].decode("utf-8", "replace").rstrip("\n")
    return OperationFailed(
        f"{shown} wrote a line to stdout that is no row: line {number}: {text!r} ({error})",
        "stdout carries one JSON object a line; print everything else to stderr",
    )
