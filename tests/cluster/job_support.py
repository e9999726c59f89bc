"""What the tests of operations share: rows in and out, and commands as users would write them."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from yt.wrapper import JsonFormat, YtClient

Row = dict[str, Any]


def json_rows() -> JsonFormat:
    """JSON lines in UTF-8, as ytbuild's jobs use them."""
    from yt.wrapper import JsonFormat

    return JsonFormat(encode_utf8=False)


def write(client: YtClient, path: str, rows: list[Row]) -> str:
    """Write a table; its path."""
    client.write_table(path, rows, format=json_rows())
    return path


def read(client: YtClient, path: str) -> list[Row]:
    """All rows of a table."""
    return list(client.read_table(path, format=json_rows()))


def numbers(client: YtClient, path: str, count: int = 10) -> str:
    """A table with the numbers from 0; its path."""
    return write(client, path, [{"n": number} for number in range(count)])


def python(code: str) -> str:
    """A job that runs some lines of Python, with `rows`, the input, and `emit(row)` at hand."""
    head = "import json, os, sys\nrows = map(json.loads, sys.stdin)\nemit = lambda row: print(json.dumps(row))\n"
    return "python3 -c '" + (head + code).replace("'", "'\\''") + "'"


def wait_until(done: Callable[[], Any], seconds: float = 20) -> Any:
    """What `done` returns once that is true."""
    until = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < until, "it did not happen in time"
        time.sleep(0.02)
    return found
