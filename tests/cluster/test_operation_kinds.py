"""What reduce, map_reduce, sort, merge and vanilla do in the stand-in, as the official client sees it."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.job_support import json_rows, python, read, write
from tests.cluster.running import Cluster

if TYPE_CHECKING:
    from yt.wrapper import YtClient


@pytest.fixture
def client(cluster: Cluster) -> YtClient:
    return cluster.client()


def reduce(client: YtClient, source: Any, target: str, **spec: Any) -> None:
    command = python("emit({'keys': [row['k'] for row in rows if '$attributes' not in row]})")
    client.run_reduce(command, source, target, reduce_by="k", format=json_rows(), spec=spec)


def test_reduce_refuses_unsorted_input(client: YtClient, cypress: str) -> None:
    from yt.wrapper import YtError

    write(client, f"{cypress}/in", [{"k": 1, "v": 1}])
    with pytest.raises(YtError, match=f"Input table {cypress}/in is not sorted"):
        reduce(client, f"{cypress}/in", f"{cypress}/out")
    client.run_sort(f"{cypress}/in", sort_by=["v", "k"])
    with pytest.raises(YtError, match="are not compatible with the requested columns"):
        reduce(client, f"{cypress}/in", f"{cypress}/out")


def test_reduce_keeps_groups_in_one_job(client: YtClient, cypress: str) -> None:
    rows = [{"k": number // 4} for number in range(20)]
    write(client, f"<sorted_by=[k]>{cypress}/a", rows)
    write(client, f"<sorted_by=[k]>{cypress}/b", rows)
    reduce(client, [f"{cypress}/a", f"{cypress}/b"], f"{cypress}/out", job_count=3)
    found = [row["keys"] for row in read(client, f"{cypress}/out")]
    assert len(found) == 3
    assert list(chain.from_iterable(found)) == [number // 8 for number in range(40)]
    assert len({key for keys in found for key in set(keys)}) == sum(len(set(keys)) for keys in found)


def test_map_reduce_brings_keys_together_in_order(client: YtClient, cypress: str) -> None:
    write(client, f"{cypress}/in", [{"k": number % 3, "v": -number} for number in range(12)])
    mapper = python("for row in rows: emit({**row, 'm': os.environ['YT_JOB_COOKIE']})")
    reducer = python("emit({'rows': [[row['k'], row['v']] for row in rows]})")
    client.run_map_reduce(
        mapper,
        reducer,
        f"{cypress}/in",
        f"{cypress}/out",
        reduce_by="k",
        sort_by=["k", "v"],
        format=json_rows(),
        spec={"map_job_count": 3, "partition_count": 2},
    )
    jobs = [row["rows"] for row in read(client, f"{cypress}/out")]
    assert all(rows == sorted(rows) for rows in jobs)
    keys = [{key for key, _ in rows} for rows in jobs]
    assert sum(len(each) for each in keys) == 3
    assert sorted(chain.from_iterable(jobs)) == sorted([number % 3, -number] for number in range(12))


def test_map_reduce_without_mapper_and_with_direct_output(client: YtClient, cypress: str) -> None:
    write(client, f"{cypress}/in", [{"k": 2}, {"k": 1}])
    client.run_map_reduce(None, "cat", f"{cypress}/in", f"{cypress}/out", reduce_by="k", format=json_rows())
    assert read(client, f"{cypress}/out") == [{"k": 1}, {"k": 2}]
    client.run_map_reduce(
        "tee /dev/fd/4",
        "cat",
        f"{cypress}/in",
        [f"{cypress}/mapped", f"{cypress}/reduced"],
        reduce_by="k",
        format=json_rows(),
        spec={"mapper_output_table_count": 1},
    )
    assert read(client, f"{cypress}/mapped") == [{"k": 2}, {"k": 1}]
    assert read(client, f"{cypress}/reduced") == [{"k": 1}, {"k": 2}]


def test_sort_orders_values_as_the_cluster_does(client: YtClient, cypress: str) -> None:
    values = ["b", True, 1.5, 2**63, -1, None, "a", False, 3, "Ä"]
    write(client, f"{cypress}/in", [{"v": value} for value in values])
    client.run_sort(f"{cypress}/in", sort_by="v")
    assert [row["v"] for row in read(client, f"{cypress}/in")] == [
        None,
        -1,
        3,
        2**63,
        1.5,
        False,
        True,
        "a",
        "b",
        "Ä",
    ]
    assert client.get(f"{cypress}/in/@sorted_by") == ["v"]


def test_sort_takes_over_the_schema(client: YtClient, cypress: str) -> None:
    schema = [{"name": "a", "type": "int64"}, {"name": "b", "type": "string"}]
    client.create("table", f"{cypress}/in", attributes={"schema": schema})
    write(client, f"{cypress}/in", [{"a": 2, "b": "x"}, {"a": 1, "b": "y"}])
    client.run_sort(f"{cypress}/in", f"{cypress}/out", sort_by=[{"name": "b", "sort_order": "descending"}])
    columns = [(each["name"], each.get("sort_order")) for each in client.get(f"{cypress}/out/@schema")]
    assert columns == [("b", "descending"), ("a", None)]
    client.run_sort(f"{cypress}/in", sort_by="a")
    assert [row["a"] for row in read(client, f"{cypress}/in")] == [1, 2]


def test_merge(client: YtClient, cypress: str) -> None:
    for name, values in (("a", [1, 3]), ("b", [2, 4])):
        write(client, f"<sorted_by=[k]>{cypress}/{name}", [{"k": value} for value in values])
    sources = [f"{cypress}/a", f"{cypress}/b"]
    client.run_merge(sources, f"{cypress}/sorted", mode="sorted", spec={"merge_by": ["k"]})
    client.run_merge(sources, f"{cypress}/ordered", mode="ordered")
    assert [row["k"] for row in read(client, f"{cypress}/sorted")] == [1, 2, 3, 4]
    assert [row["k"] for row in read(client, f"{cypress}/ordered")] == [1, 3, 2, 4]
    assert client.get(f"{cypress}/sorted/@sorted") and not client.get(f"{cypress}/ordered/@sorted")


def test_vanilla_tasks(client: YtClient, cypress: str) -> None:
    from yt.wrapper import VanillaSpecBuilder

    client.create("table", f"{cypress}/out")
    spec = {
        "tasks": {
            "quiet": {"command": 'test -z "$(cat)" && echo nowhere', "job_count": 2},
            "loud": {
                "command": 'echo "{\\"cookie\\": $YT_JOB_COOKIE, \\"index\\": $YT_TASK_JOB_INDEX}"',
                "job_count": 3,
                "output_table_paths": [f"{cypress}/out"],
                "format": "json",
            },
        }
    }
    operation = client.run_operation(VanillaSpecBuilder().spec(spec))
    rows = read(client, f"{cypress}/out")
    assert rows == [{"cookie": cookie, "index": cookie} for cookie in range(3)]
    tasks = [job["task_name"] for job in client.list_jobs(operation.id)["jobs"]]
    assert sorted(tasks) == ["loud"] * 3 + ["quiet"] * 2
