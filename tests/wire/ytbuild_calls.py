"""What ytbuild asks a cluster for: every command that it uses, through the functions that use it."""

from __future__ import annotations

import importlib
import random
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import ytbuild.cluster.transactions
import ytbuild.upload
from tests.backends.prod.clients import client_of
from tests.backends.prod.made import archive, connected, spec
from tests.backends.prod.place import Place
from tests.cluster.job_support import wait_until
from tests.cluster.running import Cluster
from tests.support import Pipeline
from tests.upload.place import Built
from tests.upload.place import Place as UploadPlace
from tests.wire.recorder import Recorder
from ytbuild.backends.base import LegCommand, OperationSpec, Resources
from ytbuild.backends.prod.client import ProdClient
from ytbuild.backends.prod.operation import start
from ytbuild.backends.prod.polled_handle import PolledHandle
from ytbuild.base.errors import YtbuildError
from ytbuild.base.reporter import SILENT

_FOLDER = "//tmp/wire"
_COPY = "cat"
_SUM = "cat >/dev/null; echo '{\"n\": 1}'"
_ODD_ROWS = [{"text": "caf\u00e9 \u20ac"}, {"int": 1, "max": 2**64 - 1, "share": 0.5, "$a": [None]}]

_PATIENT: dict[str, Any] = {"retry_seconds": 100, "client_config": {}}
"""A request that is slow is not one that has failed: what is sent should not depend on the machine."""

_REFUSED = ("fails", "aborted")
"""How the names of those calls end that raise an error."""

Call = Callable[[], Any]


def record(cluster: Cluster, recorder: Recorder, folder: Path) -> None:
    """Do all that ytbuild does on a cluster; `folder` is for what is local."""
    cluster.client().create("map_node", _FOLDER)
    ytbuild.cluster.transactions._PING_INTERVAL = 0.02
    through = replace(cluster, address=recorder.address)
    for calls in (_uploads, _client_calls, _operations, _queries):
        for name, call in calls(cluster, through, folder):
            recorder.call = name
            try:
                call()
            except YtbuildError:
                # What the cluster refuses is recorded, too.
                if not name.endswith(_REFUSED):
                    raise


def _uploads(cluster: Cluster, through: Cluster, folder: Path) -> Iterator[tuple[str, Call]]:
    pipeline = Pipeline.create(folder / "pipeline")
    place = UploadPlace(cluster, f"{_FOLDER}/build", Built.of(pipeline))

    def upload() -> None:
        place.upload(address=through.address, **_PATIENT)

    yield "upload", upload
    yield "upload, nothing new", upload
    with place.store(address=through.address, **_PATIENT) as store:
        yield "upload, looked at", lambda: (store.keys(), store.newest(), store.read_manifest(place.built.key))
        yield "upload, refreshed", lambda: store.refresh(place.built.key)
    pipeline.configure("upload_paths: [{source: data}]")
    for number in range(4):
        pipeline.write(f"data/{number}.bin", random.Random(number).randbytes(2_200_000))
    place = place.rebuilt()
    whole, ytbuild.upload.WHOLE_ARCHIVE = ytbuild.upload.WHOLE_ARCHIVE, 0
    yield "upload in segments", upload
    ytbuild.upload.WHOLE_ARCHIVE = whole


def _client_calls(_: Cluster, through: Cluster, folder: Path) -> Iterator[tuple[str, Call]]:
    table, other = f"{_FOLDER}/new/folder/table", f"{_FOLDER}/moved/table"
    (folder / "local").mkdir()
    (folder / "local" / "a.txt").write_bytes(b"content")
    with connected(through, **_PATIENT) as connection, client_of(connection, folder / "of-client") as client:
        local = Path(client._config.directory) / "local"
        (folder / "local").rename(local)
        yield "write_table", lambda: client.write_table(table, _ODD_ROWS, replication_factor=1)
        yield "write_table, append", lambda: client.write_table(table, _ODD_ROWS, append=True)
        yield "write_table, nothing", lambda: client.write_table(table, [], append=True)
        yield "write_table that fails", lambda: client.write_table(_FOLDER, _ODD_ROWS)
        yield "read_table", lambda: client.read_table(table)
        yield "read_table that fails", lambda: client.read_table(f"{_FOLDER}/none")
        yield "row_count", lambda: client.row_count(table)
        yield "exists", lambda: client.exists(table)
        yield "create_path", lambda: client.create_path(f"{_FOLDER}/file", "file")
        yield "move", lambda: client.move(table, other)
        yield "move, force", lambda: client.move(other, f"{_FOLDER}/file", force=True)
        yield "remove", lambda: client.remove(f"{_FOLDER}/file")
        yield "remove that fails", lambda: client.remove(_FOLDER)
        yield "upload_file", lambda: client.upload_file("local/a.txt", f"{_FOLDER}/f/a", create_parent_dir=True)
        yield "upload_directory", lambda: client.upload_directory("local", f"{_FOLDER}/directory")


def _operations(cluster: Cluster, through: Cluster, folder: Path) -> Iterator[tuple[str, Call]]:
    with connected(through, **_PATIENT, pickling={"disable_module_upload": True}) as connection:
        place = Place(connection, cluster, _FOLDER, folder / "log")
        tables = {"input_table": f"{_FOLDER}/in", "reduce_by": ("n",)}
        link = f"{_FOLDER}/link"
        cluster.client().link(f"{_FOLDER}/in", link)

        def run(kind: str, *commands: Any, **changes: Any) -> Call:
            return lambda: place.start(kind, *commands, **changes).wait()

        yield "map", run("map", _COPY)
        yield "map, options", lambda: place.started(_with_options(place.spec("map", _COPY))).wait()
        yield "map from a link", run("map", _COPY, input_table=link)
        yield "map that fails", run("map", "echo why >&2; exit 1", max_failed_job_count=1)
        yield "map_reduce", run("map_reduce", _COPY, _COPY, **tables)
        yield "map_reduce, descending", run("map_reduce", _COPY, _COPY, **tables, sort_by=("n",), descending=("n",))
        yield "sort", run("sort", **{**tables, "reduce_by": (), "sort_by": ("n",)})
        yield "sort, descending", run("sort", input_table=f"{_FOLDER}/in", sort_by=("n",), descending=("n",))
        yield "sort again", run("sort", input_table=f"{_FOLDER}/in", sort_by=("n",))
        yield "reduce", run("reduce", _SUM, **tables)
        yield "vanilla", run("vanilla", "true")
        yield "an operation that is aborted", lambda: _abort(place.start("vanilla", "sleep 60"))
        yield "a TypedJob", lambda: _typed(place, folder)
        client: ProdClient = client_of(connection, folder / "of-operations")
        yield "an operation without a handle", lambda: _without_handle(client, place)


def _with_options(operation: OperationSpec) -> OperationSpec:
    resources = Resources(
        pool="research", pool_tree="default", user_slots=2, memory_limit=1 << 30, cpu_limit=1.5, docker_image=None
    )
    (leg,) = operation.legs
    return replace(
        operation,
        legs=(LegCommand(leg.leg, leg.command, 2),),
        resources=resources,
        append=True,
        time_limit=60.0,
        job_time_limit=30.0,
        max_failed_job_count=2,
        max_row_weight=64 << 20,
        description={"of": "the test"},
        environment={"KEY": "value", "NAME": "text"},
        secret_names=("KEY",),
        files=((f"{_FOLDER}/code.tar.gz", "beside.tar.gz"),),
        passed_on={"spec": {"mapper": {"max_stderr_size": 1000}}},
    )


def _abort(started: PolledHandle) -> None:
    started.abort()
    started.wait()


def _typed(place: Place, folder: Path) -> None:
    name, text = "job_of_wire", "class Nothing:\n    def __call__(self):\n        pass\n"
    place.client.write_file(f"{_FOLDER}/code.tar.gz", archive({f"stages/stage/src/{name}.py": text}))
    (folder / f"{name}.py").write_text(text)
    sys.path.insert(0, str(folder))
    try:
        place.start("vanilla", importlib.import_module(name).Nothing()).wait()
    finally:
        del sys.path[0]


def _without_handle(client: ProdClient, place: Place) -> None:
    """Leave a client whose operation nobody has a handle of, as after an interrupt."""
    with client:
        place.start("vanilla", "sleep 60")


def _queries(cluster: Cluster, through: Cluster, folder: Path) -> Iterator[tuple[str, Call]]:
    answers = [
        {"contains": "SELECT rows", "rows": [{"n": 1}]},
        {"contains": "SELECT error", "error": "no such table"},
        {"contains": "SELECT slowly", "seconds": 60},
    ]
    cluster.control("queries", record=answers)
    with connected(through, **_PATIENT) as connection, client_of(connection, folder / "of-queries") as client:
        yield "run_yql", lambda: client.run_yql("SELECT rows", "research", "64M")
        yield "run_yql that fails", lambda: client.run_yql("SELECT error")
        slow = replace(spec("yql"), query="SELECT slowly")

        def started() -> PolledHandle:
            handle = start(connection, slow, None, SILENT, str(folder / "log"))
            wait_until(lambda: handle.state == "running")
            return handle

        yield "a query that is aborted", lambda: _abort(started())
        # Those of the transactions of this call and of the others before.
        with connection.transactions.new("pinged"):
            yield "pings", lambda: time.sleep(0.2)
