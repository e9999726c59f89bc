"""Files of a cluster: what is uploaded replaces what is there in one step."""

from __future__ import annotations

import hashlib
import itertools
import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

from ytbuild.base.errors import TableError, UploadError
from ytbuild.base.text import quote
from ytbuild.cluster import nodes
from ytbuild.cluster.connection import Connection
from ytbuild.cluster.writing import Destination, pieces_of
from ytbuild.config.cypress_path import below

_BLOCK = 1 << 20


def upload(connection: Connection, local: str, path: str, *, make_parents: bool) -> None:
    """Copy a local file to a path; others see what was there, or all of the file.

    Raises `TableError` when it cannot be read, or there is no folder for it, and `UploadError` when what has
    arrived is not what was sent.
    """
    if not os.path.isfile(local) or not os.access(local, os.R_OK):
        raise TableError(f"{quote(local)} is no readable file", "give the path of one")
    sent = _Sent(local)
    with connection.transaction(f"ytbuild: upload {path}") as transaction:
        nodes.make(connection, path, "file", transaction=transaction, make_parents=make_parents)
        destination = Destination(connection, "write_file", path, transaction, {"compute_md5": True}, compress=False)
        pieces = pieces_of(sent.blocks())
        destination.send(itertools.chain([next(pieces, [])], pieces), append=False)
        # A job starts it only when it is executable, here and in dev.
        executable = bool(os.stat(local).st_mode & 0o100)
        nodes.set_attribute(connection, path, "executable", executable, transaction)
        _check(connection, sent, path, transaction)


def upload_all(connection: Connection, files: list[tuple[str, str]], folder: str, threads: int) -> list[str]:
    """Copy files, pairs of a path below `folder` and a local path; return where they are."""
    folders = {nodes.parent_of(below(folder, relative)) for relative, _ in files}
    for one in sorted({folder, *folders}):
        nodes.make(connection, one, "map_node")
    uploaded = [below(folder, relative) for relative, _ in files]

    def send(pair: tuple[str, str]) -> None:
        path, local = pair
        with connection.doing(f"upload_file {path}"):
            upload(connection, local, path, make_parents=False)

    pairs = zip(uploaded, [local for _, local in files], strict=True)
    with ThreadPoolExecutor(max_workers=threads) as pool:
        try:
            list(pool.map(send, pairs))
        except BaseException:
            pool.shutdown(wait=True, cancel_futures=True)
            raise
    return uploaded


class _Sent:
    """A local file while it is read: its size and MD5 so far."""

    def __init__(self, local: str) -> None:
        self.local = local
        self.size = 0
        # What the cluster computes too; it protects from accidents only.
        self._digest = hashlib.md5(usedforsecurity=False)

    @property
    def md5(self) -> str:
        return self._digest.hexdigest()

    def blocks(self) -> Iterator[bytes]:
        """Give the file's content."""
        with open(self.local, "rb") as file:
            while block := file.read(_BLOCK):
                self.size += len(block)
                self._digest.update(block)
                yield block


def _check(connection: Connection, sent: _Sent, path: str, transaction: str) -> None:
    found = nodes.attributes(connection, path, ["md5", "uncompressed_data_size"], transaction)
    size, md5 = found.get("uncompressed_data_size"), found.get("md5")
    if size != sent.size or md5 not in (None, sent.md5):
        raise UploadError(
            f"upload_file {path}: {sent.size:,} bytes with MD5 {sent.md5} were sent, and {size:,} with {md5} arrived",
            "nothing was replaced; upload it again",
        )
