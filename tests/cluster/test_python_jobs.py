"""Python functions and TypedJobs as jobs of the stand-in, from a script as users write it.

The client pickles them, packs all modules that the script has imported, and asks for the skiff and YSON formats:
both need the C++ bindings of `ytsaurus-yson` in the script's interpreter; the job gets them with the modules.
"""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.cluster.job_support import read, write
from tests.cluster.running import Cluster

if TYPE_CHECKING:
    from yt.wrapper import YtClient

HEAD = """
import sys, typing
import yt.wrapper as yt

client = yt.YtClient(
    config={
        "proxy": {"url": sys.argv[1]},
        "operation_tracker": {"poll_period": 100},
        "pickling": {"modules_archive_compression_level": 1},
    }
)
folder = sys.argv[2]

@yt.yt_dataclass
class Word:
    text: str
    weight: typing.Optional[float]

@yt.yt_dataclass
class Count:
    text: str
    count: int

class Mapper(yt.TypedJob):
    def __call__(self, row: Word) -> typing.Iterable[Count]:
        yield Count(text=row.text, count=2 if row.weight is None else 1)

class Reducer(yt.TypedJob):
    def prepare_operation(self, context, preparer):
        preparer.input(0, type=Count).output(0, type=Count)

    def __call__(self, rows: yt.schema.RowIterator[Count]) -> typing.Iterable[Count]:
        found = list(rows)
        yield Count(text=found[0].text, count=sum(row.count for row in found))

def split(row):
    yield yt.create_table_switch(0)
    yield {"text": row["text"]}
    yield yt.create_table_switch(1)
    yield {"other": row["text"]}

if __name__ == "__main__":
"""


@pytest.fixture
def client(cluster: Cluster) -> YtClient:
    return cluster.client()


@pytest.fixture
def words(client: YtClient, cypress: str) -> str:
    """A table with a strict schema."""
    schema = [{"name": "text", "type": "utf8", "required": True}, {"name": "weight", "type": "double"}]
    client.create("table", f"{cypress}/in", attributes={"schema": schema})
    return write(
        client, f"{cypress}/in", [{"text": "ä", "weight": 1.5}, {"text": "b"}, {"text": "ä", "weight": None}]
    )


def run_script(cluster: Cluster, cypress: str, folder: Path, line: str) -> None:
    """Run the script with this as its main part."""
    script = folder / "script.py"
    script.write_text(f"{HEAD}    {line}\n", encoding="utf-8")
    clean = {"PATH": os.environ["PATH"], "HOME": str(folder), "YT_TOKEN": "test-token"}
    command = [sys.executable, str(script), cluster.address, cypress]
    done = subprocess.run(command, env=clean, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


@pytest.mark.usefixtures("words")
def test_typed_map(cluster: Cluster, client: YtClient, cypress: str, tmp_path: Path) -> None:
    line = "client.run_map(Mapper(), folder + '/in', folder + '/out', spec={'job_count': 2})"
    run_script(cluster, cypress, tmp_path, line)
    assert [row["count"] for row in read(client, f"{cypress}/out")] == [1, 2, 2]
    assert [each["name"] for each in client.get(f"{cypress}/out/@schema")] == ["text", "count"]


@pytest.mark.usefixtures("words")
def test_typed_map_reduce(cluster: Cluster, client: YtClient, cypress: str, tmp_path: Path) -> None:
    line = "client.run_map_reduce(Mapper(), Reducer(), folder + '/in', folder + '/out', reduce_by='text')"
    run_script(cluster, cypress, tmp_path, line)
    assert read(client, f"{cypress}/out") == [{"text": "b", "count": 2}, {"text": "ä", "count": 3}]


def test_typed_reduce(cluster: Cluster, client: YtClient, cypress: str, tmp_path: Path) -> None:
    schema = [
        {"name": "text", "type": "utf8", "required": True, "sort_order": "ascending"},
        {"name": "count", "type": "int64", "required": True},
    ]
    client.create("table", f"{cypress}/in", attributes={"schema": schema})
    write(client, f"{cypress}/in", [{"text": text, "count": 5} for text in "aabc"])
    run_script(
        cluster, cypress, tmp_path, "client.run_reduce(Reducer(), folder + '/in', folder + '/out', reduce_by='text')"
    )
    assert read(client, f"{cypress}/out") == [
        {"text": "a", "count": 10},
        {"text": "b", "count": 5},
        {"text": "c", "count": 5},
    ]


@pytest.mark.usefixtures("words")
def test_python_function_with_two_outputs(cluster: Cluster, client: YtClient, cypress: str, tmp_path: Path) -> None:
    line = "client.run_map(split, folder + '/in', [folder + '/a', folder + '/b'])"
    run_script(cluster, cypress, tmp_path, line)
    assert read(client, f"{cypress}/a") == [{"text": "ä"}, {"text": "b"}, {"text": "ä"}]
    assert read(client, f"{cypress}/b") == [{"other": "ä"}, {"other": "b"}, {"other": "ä"}]
