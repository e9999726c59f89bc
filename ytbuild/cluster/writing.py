"""Content on its way to a table or a file: piece by piece, each as often as it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from ytbuild.cluster.connection import Connection
from ytbuild.cluster.retry import repeated

PIECE = 32 << 20
"""So many bytes go in one request, and are kept until they have arrived: it may have to be repeated."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class Destination:
    """What a command writes to: a node, with the transaction that the whole content becomes visible with.

    `compress` packs the data for the way only.
    """

    connection: Connection
    command: str
    path: str
    transaction: str
    parameters: Mapping[str, Any]
    compress: bool

    def send(self, pieces: Iterable[list[bytes]], append: bool) -> None:
        """Write the pieces one after the other; the first replaces what is there unless `append`."""
        for piece in pieces:
            self._send(piece, append)
            append = True

    def _send(self, piece: list[bytes], append: bool) -> None:
        def attempt() -> None:
            # What a broken attempt leaves behind, locks included, goes with its own transaction.
            with self.connection.transaction(f"ytbuild: {self.command} {self.path}", self.transaction) as nested:
                self._write(piece, append, nested)

        repeated(attempt, self.connection.config.retry_seconds)

    def _write(self, piece: list[bytes], append: bool, transaction: str) -> None:
        from yt.yson import to_yson_type

        path = to_yson_type(self.path, attributes={"append": True}) if append else self.path
        parameters = {**self.parameters, "path": path, "transaction_id": transaction}
        self.connection.write(self.command, parameters, iter(piece), compress=self.compress)


def pieces_of(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Give parts, however small, in lists of blocks of about `PIECE` bytes together."""
    blocks: list[bytes] = []
    waiting: list[bytes] = []
    length = size = 0
    for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= _BLOCK:
            blocks.append(b"".join(waiting))
            size += length
            waiting, length = [], 0
            if size >= PIECE:
                yield blocks
                blocks, size = [], 0
    if waiting:
        blocks.append(b"".join(waiting))
    if blocks:
        yield blocks
