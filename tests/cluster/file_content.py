"""The content of file nodes: files in the scratch folder, shared by all versions and copies that have it."""

from __future__ import annotations

import asyncio
import hashlib
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

from tests.cluster.errors import generic
from tests.cluster.nodes import FileChunk, Node, new_id
from tests.cluster.paths import RichPath

if TYPE_CHECKING:
    from tests.cluster.state import State

READ_SIZE = 1 << 20
WRITE_SIZE = 1 << 20


def file_node(state: State, path: RichPath, tx: str | None) -> Node:
    """The file at a path; anything else there is an error."""
    node = state.tree.node(path, tx)
    if node.type != "file":
        raise generic(f'Invalid type of {path.text}: expected "file", actual "{node.type}"')
    return node


def chunk_path(state: State) -> Path:
    """A new place for content in the scratch folder."""
    folder = state.folder / "chunks"
    folder.mkdir(exist_ok=True)
    return folder / new_id(100)


async def store(state: State, body: AsyncIterator[bytes], digest: Any) -> FileChunk:
    """Stream a body to disk; a body that breaks off leaves nothing."""
    path, size = chunk_path(state), 0
    try:
        with path.open("wb", buffering=0) as out:
            waiting: list[bytes] = []
            async for piece in body:
                size += len(piece)
                waiting.append(piece)
                # Beside the loop: a real cluster's nodes hash different files at the same time.
                if sum(map(len, waiting)) >= WRITE_SIZE:
                    await asyncio.to_thread(_take, waiting, out, digest)
                    waiting = []
            _take(waiting, out, digest)
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    return FileChunk(path, size)


def _take(pieces: list[bytes], out: IO[bytes], digest: Any) -> None:
    for piece in pieces:
        out.write(piece)
        if digest is not None:
            digest.update(piece)


def start_digest(state: State, node: Node, tx: str | None, append: bool) -> Any:
    """An MD5 to go on with; None when the content before has none (then an append cannot go on)."""
    if not append or not state.tree.chunks(node, tx):
        return hashlib.md5()
    before = state.tree.field(node, tx, "md5")
    if before is None:
        raise generic("Non-empty file has no computed MD5 hash thus cannot append data and update the hash")
    return before.copy()


def put(state: State, node: Node, tx: str | None, chunks: tuple[FileChunk, ...], append: bool, digest: Any) -> None:
    """Make chunks the content of a file, or add them to it."""
    state.tree.lock(node, tx, "shared" if append else "exclusive")
    version = state.tree.version(node, tx)
    chunks = tuple(chunk for chunk in chunks if chunk.size)
    if append:
        version.appended += chunks
    else:
        version.fields["chunks"], version.appended = chunks, ()
    version.fields["md5"] = digest
    version.touch(state.clock.now(), content=True)
    if tx is None:
        version.settle()


def pieces(chunks: tuple[Any, ...], offset: int, length: int | None) -> Iterator[bytes]:
    """The bytes from `offset`, at most `length` of them."""
    left = sum(chunk.size for chunk in chunks) if length is None else length
    for chunk in chunks:
        if offset >= chunk.size:
            offset -= chunk.size
            continue
        with chunk.path.open("rb") as content:
            content.seek(offset)
            while left > 0 and (piece := content.read(min(READ_SIZE, left))):
                left -= len(piece)
                yield piece
        offset = 0


def location(state: State, path: RichPath, tx: str | None) -> Path:
    """The content on disk in one piece. What is in several chunks is joined once, and kept as long as the first."""
    chunks: tuple[Any, ...] = state.tree.chunks(file_node(state, path, tx), tx)
    if len(chunks) == 1:
        return Path(chunks[0].path)
    if not chunks:
        empty = chunk_path(state).with_name("empty")
        empty.touch()
        return empty
    names = tuple(chunk.path.name for chunk in chunks)
    if names not in chunks[0].joined:
        place = chunk_path(state)
        with place.open("wb") as out:
            for chunk in chunks:
                with chunk.path.open("rb") as content:
                    shutil.copyfileobj(content, out, READ_SIZE)
        chunks[0].joined[names] = FileChunk(place, place.stat().st_size)
    return Path(chunks[0].joined[names].path)
