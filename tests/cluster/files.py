"""Commands on files: write_file, read_file, concatenate, and the file cache."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tests.cluster import building, file_content, table_content
from tests.cluster.errors import ClusterError, generic
from tests.cluster.nodes import Node
from tests.cluster.paths import RichPath
from tests.cluster.requests import Command, Request
from tests.cluster.state import State


async def write_file(state: State, request: Request) -> Any:
    """`write_file`: as on the cluster, in an upload transaction of its own, that locks the file from the start."""
    path = RichPath.of(request.parameters["path"])
    append = path.flag("append")
    node = _destination(state, path, request.transaction)
    upload = state.transactions.start(request.transaction, 3600, {"title": f"Upload to {path.text}"}).id
    try:
        state.tree.lock(node, upload, "shared" if append else "exclusive")
        digest = file_content.start_digest(state, node, upload, append) if request.get("compute_md5") else None
        chunk = await file_content.store(state, request.body, digest)
        if upload not in state.transactions.open:
            raise ClusterError(11000, f"Transaction {upload} has expired or was aborted")
        state.limits.check_space(chunk.size)
        file_content.put(state, node, upload, (chunk,), append, digest)
        state.commit(upload)
    finally:
        if upload in state.transactions.open:
            state.abort(upload)
    return {}


def _destination(state: State, path: RichPath, tx: str | None) -> Node:
    place = state.tree.locate(path, tx)
    if place.target is None and path.flag("create"):
        parent, key = building.parent_for(state, place, tx, False)
        return building.new_node(state, parent, key, "file", {}, tx)
    return file_content.file_node(state, path, tx)


async def read_file(state: State, request: Request) -> AsyncIterator[bytes]:
    """`read_file`, from an offset, as much as asked for."""
    node = file_content.file_node(state, RichPath.of(request.parameters["path"]), request.transaction)
    chunks = state.tree.chunks(node, request.transaction)
    offset, length = int(request.get("offset") or 0), request.get("length")
    if offset < 0 or (length is not None and length < 0):
        raise generic("Invalid offset or length of a read")
    return _stream(chunks, offset, length)


async def _stream(chunks: tuple[Any, ...], offset: int, length: int | None) -> AsyncIterator[bytes]:
    for piece in file_content.pieces(chunks, offset, length):
        yield piece


def concatenate(state: State, request: Request) -> Any:
    """`concatenate`: joins files or tables without moving data; the destination must exist, the sources stay."""
    tx = request.transaction
    paths = [RichPath.of(each) for each in request.parameters["source_paths"]]
    target = RichPath.of(request.parameters["destination_path"])
    nodes = [state.tree.node(path, tx) for path in paths]
    if not nodes:
        raise generic('"source_paths" must be non-empty')
    destination = state.tree.node(target, tx)
    for path, node in zip([*paths, target], [*nodes, destination], strict=True):
        if node.type not in ("file", "table"):
            raise generic(f'Type of {path.text} must be either "file" or "table", not "{node.type}"')
        if node.type != nodes[0].type:
            raise generic(f'Type of {path.text} ("{node.type}") must be the same as type of {paths[0].text}')
    chunks = tuple(chunk for node in nodes for chunk in state.tree.chunks(node, tx))
    if destination.type == "file":
        file_content.put(state, destination, tx, chunks, target.flag("append"), None)
    else:
        table_content.join(state, destination, nodes, tx, target)
    return {}


def get_file_from_cache(state: State, request: Request) -> Any:
    """`get_file_from_cache`: the path of the file with this MD5, or an empty string."""
    path = _in_cache(request)
    node = state.tree.locate(path, request.transaction).target
    return path.text if node is not None and _md5(state, node, request) == request.get("md5") else ""


def put_file_to_cache(state: State, request: Request) -> Any:
    """`put_file_to_cache`: moves a file with the MD5 that it says into the cache."""
    tx, path = request.transaction, _in_cache(request)
    source = file_content.file_node(state, RichPath.of(request.parameters["path"]), tx)
    found = _md5(state, source, request)
    if found is None:
        raise generic("File has no computed MD5 hash: it must be written with compute_md5")
    if found != request.get("md5"):
        raise generic(f"MD5 hash mismatch: expected {request.get('md5')}, actual {found}")
    place = state.tree.locate(path, tx)
    if place.target is None:
        parent, key = building.parent_for(state, place, tx, True)
        building.copy_node(state.tree, source, parent, key, tx, set())
        if tx is None:
            state.tree.remove(source, tx)
    return path.text


def _in_cache(request: Request) -> RichPath:
    md5 = str(request.get("md5"))
    return RichPath.of(request.parameters["cache_path"]).child(md5[-2:]).child(md5)


def _md5(state: State, node: Node, request: Request) -> str | None:
    digest = state.tree.field(node, request.transaction, "md5")
    return None if digest is None else digest.hexdigest()


COMMANDS = [
    Command("write_file", "binary", "null", True, True, write_file),
    Command("read_file", "null", "binary", False, True, read_file),
    Command("concatenate", "null", "structured", True, False, concatenate),
    Command("get_file_from_cache", "null", "structured", False, False, get_file_from_cache),
    Command("put_file_to_cache", "null", "structured", True, False, put_file_to_cache),
]
