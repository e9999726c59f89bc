"""Content of any length on its way to a table or a file: piece by piece, each as often as it takes."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from functools import partial
from typing import Any

from ytbuild.cluster.connection import Connection

PIECE = 32 << 20
"""So many bytes go in one request, and are kept until they have arrived: it may have to be repeated."""

_BLOCK = 1 << 20


def write(
    connection: Connection,
    name: str,
    parameters: Mapping[str, Any],
    pieces: Iterable[list[bytes]],
    *,
    append: bool,
    compress: bool,
) -> None:
    """Write pieces one after the other with the command `name`; the first replaces what is there unless `append`.

    `parameters` are those of the command, `path` and the `transaction_id` that all of the content becomes visible
    with among them. `compress` packs the data for the way only.
    """
    from yt.yson import to_yson_type

    path, transaction = parameters["path"], parameters["transaction_id"]

    def send(piece: list[bytes], append: bool) -> None:
        # What a broken attempt leaves behind, locks included, goes with its own transaction.
        with connection.transactions.new(f"ytbuild: {name} {path}", transaction) as nested:
            node = to_yson_type(path, attributes={"append": True}) if append else path
            sent = {**parameters, "path": node, "transaction_id": nested}
            connection.write(name, sent, iter(piece), compress=compress)

    for piece in pieces:
        connection.repeated(partial(send, piece, append))
        append = True


def pieces_of(parts: Iterable[bytes]) -> Iterator[list[bytes]]:
    """Give parts, however small, in lists of blocks of about `PIECE` bytes together; an empty list when there are
    none."""
    blocks: list[bytes] = []
    waiting: list[bytes] = []
    length = size = 0
    is_first = True
    for part in parts:
        waiting.append(part)
        length += len(part)
        if length >= _BLOCK:
            blocks.append(b"".join(waiting))
            size += length
            waiting, length = [], 0
            if size >= PIECE:
                yield blocks
                blocks, size, is_first = [], 0, False
    if waiting:
        blocks.append(b"".join(waiting))
    if blocks or is_first:
        yield blocks
