"""The official client's high-level calls for what ytbuild does on a cluster, with its defaults and with options."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from tests.cluster.running import Cluster
from tests.wire.recorder import Recorder

_FOLDER = "//tmp/official"

Call = Callable[[], Any]


def record(cluster: Cluster, recorder: Recorder, folder: Path) -> None:
    """Make all calls; `folder` is for what is local."""
    from yt.wrapper.errors import YtError

    cluster.client().create("map_node", _FOLDER)
    client = _client(cluster, recorder)
    for calls in (_nodes, _content, _transactions, _operations, _queries):
        for name, call in calls(client, cluster, folder):
            recorder.call = name
            try:
                call()
            except YtError as error:
                assert "fails" in name or "aborted" in name, f"{name}: {error}"


def _client(cluster: Cluster, recorder: Recorder) -> Any:
    """Return a client with its own defaults, but that it waits for nothing long; that does not show in requests."""
    address, cluster.address = cluster.address, recorder.address
    try:
        return cluster.plain_client(operation_tracker={"poll_period": 50}, transaction_sleep_period=5)
    finally:
        cluster.address = address


def _nodes(client: Any, _: Cluster, __: Path) -> Iterator[tuple[str, Call]]:
    folder, table = f"{_FOLDER}/folder", f"{_FOLDER}/table"
    attributes = {"expiration_timeout": 86_400_000, "note": "text", "replication_factor": 3}
    yield "create", lambda: client.create("map_node", folder)
    yield "create, options", lambda: client.create("file", f"{folder}/f", attributes=attributes, force=True)
    yield "create, recursive", lambda: client.create("table", table, recursive=True, ignore_existing=True)
    yield "exists", lambda: client.exists(table)
    yield "get", lambda: client.get(f"{table}/@row_count")
    yield "get attributes", lambda: client.get(f"{table}/@", attributes=["type", "row_count"])
    yield "list", lambda: client.list(folder)
    yield "set", lambda: client.set(f"{table}/@expiration_timeout", 86_400_000)
    yield "set a text", lambda: client.set_attribute(table, "note", "text")
    yield "link", lambda: client.link(table, f"{folder}/link", force=True)
    yield "copy", lambda: client.copy(table, f"{folder}/copy")
    yield "move", lambda: client.move(f"{folder}/copy", f"{folder}/moved", recursive=True, force=True)
    yield "remove", lambda: client.remove(f"{folder}/moved", recursive=True, force=True)
    yield "batch", lambda: _batch(client, folder)


def _batch(client: Any, folder: str) -> None:
    batch = client.create_batch_client()
    batch.get(f"{folder}/@", attributes=["type"])
    batch.get(f"{folder}/@type")
    batch.exists(folder)
    batch.list(folder)
    batch.create("map_node", f"{folder}/of-batch", recursive=True, ignore_existing=True)
    batch.create("file", f"{folder}/file-of-batch", attributes={"note": 1}, force=True)
    batch.set(f"{folder}/@note", 1)
    batch.commit_batch()


def _content(client: Any, _: Cluster, folder: Path) -> Iterator[tuple[str, Call]]:
    from yt.wrapper import JsonFormat, TablePath, YsonFormat

    rows, table, file = [{"a": 1, "b": "caf\u00e9"}], f"{_FOLDER}/rows", f"{_FOLDER}/file"
    utf8 = JsonFormat(encode_utf8=False)
    weight = {"max_row_weight": 128 << 20}
    yield "write_table", lambda: client.write_table(table, rows, format=utf8, table_writer=weight)
    appended = TablePath(table, append=True, client=client)
    yield "write_table, append", lambda: client.write_table(appended, rows, format=utf8)
    yield "write_table yson", lambda: client.write_table(table, rows, format=YsonFormat())
    yield "read_table", lambda: list(client.read_table(table, format=utf8))
    first = TablePath(table, start_index=0, end_index=1, client=client)
    yield "read_table, ranges", lambda: list(client.read_table(first, format=YsonFormat()))
    yield "write_file", lambda: client.write_file(file, io.BytesIO(b"content"), compute_md5=True)
    yield "read_file", lambda: client.read_file(file).read()
    yield "concatenate", lambda: client.concatenate([file, file], f"{_FOLDER}/joined")
    local = folder / "cached"
    local.write_bytes(b"content")
    yield "smart_upload_file", lambda: client.smart_upload_file(str(local))


def _transactions(client: Any, _: Cluster, __: Path) -> Iterator[tuple[str, Call]]:
    def transaction() -> None:
        id = client.start_transaction(timeout=30_000, attributes={"title": "text"})
        inner = client.start_transaction(parent_transaction=id)
        client.ping_transaction(id)
        client.abort_transaction(inner)
        client.commit_transaction(id)

    def within() -> None:
        with client.Transaction():
            client.lock(f"{_FOLDER}/rows", mode="snapshot")

    def batch() -> None:
        for act in ("ping_transaction", "abort_transaction", "commit_transaction"):
            id = client.start_transaction()
            parts = client.create_batch_client()
            getattr(parts, act)(id)
            parts.start_transaction(attributes={"title": "text"}, timeout=30_000)
            parts.commit_batch()

    yield "start_transaction", transaction
    yield "with Transaction", within
    yield "transactions in a batch", batch


def _operations(client: Any, _: Cluster, __: Path) -> Iterator[tuple[str, Call]]:
    from yt.wrapper import JsonFormat

    def run(kind: str, *commands: Any, source: str = f"{_FOLDER}/rows", **more: Any) -> Call:
        utf8 = {"format": JsonFormat(encode_utf8=False)}
        return lambda: getattr(client, f"run_{kind}")(*commands, source, f"{_FOLDER}/out", **utf8, **more)

    spec = {"title": "text", "pool": "research", "max_failed_job_count": 1, "time_limit": 60_000}
    yield "run_map", run("map", "cat", spec=spec, job_count=2, local_files=[])
    yield "run_map that fails", run("map", "exit 1", spec=spec)
    yield "run_sort", lambda: client.run_sort(f"{_FOLDER}/rows", sort_by=["a"])
    yield "run_reduce", run("reduce", "cat", reduce_by=["a"])
    yield "run_map_reduce", run("map_reduce", "cat", "cat", reduce_by=["a"], sort_by=["a"])
    yield "run_operation vanilla", lambda: client.run_operation(_vanilla("true"))
    yield "an operation that is aborted", lambda: client.run_operation(_vanilla("sleep 60"), sync=False).abort()


def _vanilla(command: str) -> Any:
    from yt.wrapper import VanillaSpecBuilder

    return VanillaSpecBuilder().begin_task("task").command(command).job_count(1).end_task()


def _queries(client: Any, cluster: Cluster, _: Path) -> Iterator[tuple[str, Call]]:
    answers = [{"contains": "SELECT 1", "rows": [{"n": 1}]}, {"contains": "SELECT slowly", "seconds": 60}]
    cluster.control("queries", record=answers)

    def query() -> None:
        id = client.start_query("yql", "SELECT 1", settings={"pool": "research"})
        while client.get_query(id, attributes=["state"])["state"] != "completed":
            time.sleep(0.05)
        client.get_query_result(id, 0)
        list(client.read_query_result(id, 0))

    yield "start_query", query
    yield "abort_query", lambda: client.abort_query(client.start_query("yql", "SELECT slowly"))
