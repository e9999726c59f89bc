"""Files of a cluster: written within a transaction, and compared with what was sent before anybody sees them."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from ytbuild.base.errors import TableError, UploadError
from ytbuild.base.text import quote
from ytbuild.cluster import nodes, pieces
from ytbuild.cluster.connection import Connection
from ytbuild.config.cypress_path import below

SIZE = "uncompressed_data_size"
"""The attribute of a file that holds its size in bytes."""

_BLOCK = 1 << 20


@dataclass(frozen=True)
class WrittenFile:
    """A file that was written within a transaction, and the size and MD5 that it must have; no MD5 for one that the
    cluster has joined."""

    path: str
    transaction: str
    size: int
    md5: str | None


def write(
    connection: Connection, path: str, transaction: str, blocks: Iterable[bytes], *, compress: bool = False
) -> WrittenFile:
    """Write the content of a file that exists, in one attempt; `compress` packs it for the way only.

    Raises `ClusterError`. Whether it has arrived as it is, `check` tells.
    """
    digest = _Digest()
    connection.write("write_file", _parameters(path, transaction), digest.of(blocks), compress=compress)
    return digest.file(path, transaction)


def check(connection: Connection, files: Sequence[WrittenFile]) -> None:
    """Compare files with what was sent, in one request; raises `UploadError` for one that differs."""
    names = [SIZE, "md5"]
    answers = connection.batch([nodes.attributes_command(file.path, names, file.transaction) for file in files])
    for file, answer in zip(files, answers, strict=True):
        attributes = answer.get()
        size, md5 = attributes.get(SIZE), str(attributes.get("md5"))
        if size != file.size or file.md5 not in (None, md5):
            instead = f" instead of {file.md5}" if file.md5 else ""
            raise UploadError(
                f"{file.path} is not what was sent: {size} of {file.size} bytes, md5 {md5}{instead}",
                "nothing was replaced; upload again; when it stays so, something between here and the cluster"
                " changes data",
            )


def upload(connection: Connection, local: str, path: str, *, make_parents: bool) -> None:
    """Copy a local file to a path; others see what was there, or all of the file.

    Raises `TableError` when it cannot be read, or there is no folder for it, and `UploadError` when what has
    arrived is not what was sent.
    """
    if not os.path.isfile(local) or not os.access(local, os.R_OK):
        raise TableError(f"{quote(local)} is no readable file", "give the path of one")
    digest = _Digest()
    with connection.transactions.new(f"ytbuild: upload {path}") as transaction:
        nodes.make(connection, path, "file", transaction=transaction, make_parents=make_parents)
        content = pieces.pieces_of(digest.of(_blocks(local)))
        parameters = _parameters(path, transaction)
        pieces.write(connection, "write_file", parameters, content, append=False, compress=False)
        # A job starts it only when it is executable, here and in dev.
        executable = bool(os.stat(local).st_mode & 0o100)
        nodes.set_attribute(connection, path, "executable", executable, transaction)
        check(connection, [digest.file(path, transaction)])


def upload_all(connection: Connection, files: list[tuple[str, str]], folder: str, threads: int) -> list[str]:
    """Copy files, pairs of a path below `folder` and a local path; return where they are."""
    folders = {nodes.parent_of(below(folder, relative)) for relative, _ in files}
    for one in sorted({folder, *folders}):
        nodes.make(connection, one, "map_node")

    def send(file: tuple[str, str]) -> str:
        relative, local = file
        path = below(folder, relative)
        with connection.doing(f"upload_file {path}"):
            upload(connection, local, path, make_parents=False)
        return path

    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            return list(pool.map(send, files))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise


def _parameters(path: str, transaction: str) -> dict[str, Any]:
    return {"path": path, "compute_md5": True, "transaction_id": transaction}


def _blocks(local: str) -> Iterator[bytes]:
    with open(local, "rb") as file:
        while block := file.read(_BLOCK):
            yield block


class _Digest:
    """The size and MD5 of what was sent so far."""

    def __init__(self) -> None:
        self._size = 0
        # What the cluster computes too; it protects from accidents only.
        self._md5 = hashlib.md5(usedforsecurity=False)

    def of(self, blocks: Iterable[bytes]) -> Iterator[bytes]:
        """Give the blocks, and take them in."""
        for block in blocks:
            self._size += len(block)
            self._md5.update(block)
            yield block

    def file(self, path: str, transaction: str) -> WrittenFile:
        """Return the file that has all of it."""
        return WrittenFile(path, transaction, self._size, self._md5.hexdigest())
