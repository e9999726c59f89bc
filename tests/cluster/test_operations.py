"""Operations of the stand-in, as the official client sees them."""

from __future__ import annotations

from itertools import chain
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.job_support import json_rows, numbers, python, read, wait_until, write
from tests.cluster.running import Cluster

if TYPE_CHECKING:
    from yt.wrapper import YtClient
    from yt.wrapper.operation_commands import Operation


@pytest.fixture
def client(cluster: Cluster) -> YtClient:
    return cluster.client()


def start_map(client: YtClient, command: str, source: str, target: Any, **spec: Any) -> Operation:
    return client.run_map(command, source, target, format=json_rows(), sync=False, spec=spec)


def run_map(client: YtClient, command: str, source: Any, target: Any, **spec: Any) -> None:
    client.run_map(command, source, target, format=json_rows(), spec=spec)


def codes(error: Any) -> set[int]:
    """All codes in an error's tree."""
    found = {error["code"]} if "code" in error else set()
    return found.union(*(codes(inner) for inner in error.get("inner_errors", [])))


def test_map_keeps_rows_and_their_order(client: YtClient, cypress: str) -> None:
    rows = [{"n": number, "text": "жук"} for number in range(20)]
    write(client, f"{cypress}/in", rows)
    run_map(client, "cat", f"{cypress}/in", f"{cypress}/out", job_count=3)
    assert read(client, f"{cypress}/out") == rows


def test_job_count_starts_that_many_jobs_on_disjoint_rows(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 10)
    command = python("emit({'index': int(os.environ['YT_JOB_COOKIE']), 'rows': [row['n'] for row in rows]})")
    run_map(client, command, f"{cypress}/in", f"{cypress}/out", job_count=4)
    found = read(client, f"{cypress}/out")
    assert [row["index"] for row in found] == [0, 1, 2, 3]
    assert list(chain.from_iterable(row["rows"] for row in found)) == list(range(10))


def test_data_size_per_job_splits(client: YtClient, cypress: str) -> None:
    write(client, f"{cypress}/in", [{"text": "x" * 1000} for _ in range(10)])
    run_map(client, "cat >/dev/null; echo '{\"job\": 1}'", f"{cypress}/in", f"{cypress}/out", data_size_per_job=2500)
    assert len(read(client, f"{cypress}/out")) == 4


def test_no_rows_no_jobs(client: YtClient, cypress: str) -> None:
    client.create("table", f"{cypress}/in")
    numbers(client, f"{cypress}/out", 3)
    operation = start_map(client, "exit 1", f"{cypress}/in", f"{cypress}/out")
    operation.wait()
    assert read(client, f"{cypress}/out") == []
    assert client.list_jobs(operation.id)["jobs"] == []


def test_ranges_and_columns_of_the_input(client: YtClient, cypress: str) -> None:
    write(client, f"{cypress}/in", [{"n": number, "m": number} for number in range(10)])
    run_map(client, "cat", f"{cypress}/in{{n}}[#2:#5]", f"{cypress}/out")
    assert read(client, f"{cypress}/out") == [{"n": 2}, {"n": 3}, {"n": 4}]


def test_several_outputs_are_on_every_third_descriptor(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 1)
    command = "cat; echo '{\"second\": 2}' >&4; echo '{\"third\": 3}' >&7"
    run_map(client, command, f"{cypress}/in", [f"{cypress}/{name}" for name in ("a", "b", "c")])
    assert [read(client, f"{cypress}/{name}") for name in ("a", "b", "c")] == [
        [{"n": 0}],
        [{"second": 2}],
        [{"third": 3}],
    ]


def test_append_and_create(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 1)
    run_map(client, "cat", f"{cypress}/in", f"<append=%true;create=%true>{cypress}/out")
    run_map(client, "cat", f"{cypress}/in", f"<append=%true>{cypress}/out")
    assert read(client, f"{cypress}/out") == [{"n": 0}, {"n": 0}]


def test_failed_operation_leaves_its_output_alone(client: YtClient, cypress: str) -> None:
    from yt.wrapper import YtOperationFailedError

    numbers(client, f"{cypress}/in", 2)
    numbers(client, f"{cypress}/out", 5)
    with pytest.raises(YtOperationFailedError) as raised:
        run_map(client, "cat; echo boom >&2; exit 3", f"{cypress}/in", f"{cypress}/out", max_failed_job_count=1)
    error = raised.value
    assert {215, 1205, 10000} <= codes(error.inner_errors[0])
    assert "Process exited with code 3" in str(error)
    assert error.attributes["stderrs"][0]["stderr"] == "boom\n"
    assert len(read(client, f"{cypress}/out")) == 5


def test_output_is_seen_only_when_the_operation_completed(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 3)
    numbers(client, f"{cypress}/out", 1)
    operation = start_map(client, "cat; sleep 0.5", f"{cypress}/in", f"{cypress}/out")
    wait_until(lambda: operation.get_progress().get("running"))
    assert len(read(client, f"{cypress}/out")) == 1
    operation.wait()
    assert len(read(client, f"{cypress}/out")) == 3


def test_operation_in_a_transaction_ends_with_it(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 3)
    client.create("table", f"{cypress}/out")
    with pytest.raises(ZeroDivisionError), client.Transaction():
        run_map(client, "cat", f"{cypress}/in", f"{cypress}/out")
        assert len(read(client, f"{cypress}/out")) == 3
        running = start_map(client, "sleep 100", f"{cypress}/in", f"<create=%true>{cypress}/other")
        raise ZeroDivisionError
    assert read(client, f"{cypress}/out") == []
    assert wait_until(lambda: running.get_state().is_finished() and running.get_state()) == "aborted"


def test_secure_vault_reaches_jobs_and_nobody_else(cluster: Cluster, client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 1)
    names = ["YT_SECURE_VAULT", "YT_SECURE_VAULT_WORD", "YT_SECURE_VAULT_NUMBER"]
    command = python(f"emit({{name: os.environ[name] for name in {names}}})")
    vault = {"WORD": "hush", "NUMBER": 5, "docker_auth": {"password": "p"}}
    operation = start_map(client, command, f"{cypress}/in", f"{cypress}/out", secure_vault=vault)
    operation.wait()
    (row,) = read(client, f"{cypress}/out")
    assert (row["YT_SECURE_VAULT_WORD"], row["YT_SECURE_VAULT_NUMBER"]) == ("hush", "5")
    assert '"WORD"="hush"' in row["YT_SECURE_VAULT"] and "docker_auth" in row["YT_SECURE_VAULT"]
    assert "hush" not in str(client.get_operation(operation.id))
    assert "hush" not in str(client.list_operations())
    (started,) = [each for each in cluster.control("operations") if each["id"] == operation.id]
    assert started["parameters"]["spec"]["secure_vault"]["WORD"] == "hush"


def test_abort_kills_all_that_the_job_started(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 1)
    command = "sleep 1234 & setsid sleep 1235 & sleep 1236"
    operation = start_map(client, command, f"{cypress}/in", f"{cypress}/out")
    mark = f"YT_OPERATION_ID={operation.id}"
    wait_until(lambda: len(processes(mark)) >= 3)
    client.abort_operation(operation.id, reason="enough of it")
    assert operation.get_state() == "aborted"
    error = operation.get_error()
    assert "aborted by user request" in str(error) and "enough of it" in str(error)
    wait_until(lambda: not processes(mark))
    assert client.list_jobs(operation.id)["jobs"][0]["state"] == "aborted"
    client.abort_operation(operation.id)  # the client looks at the state first


def processes(mark: str) -> list[str]:
    """The processes with this variable in their environment."""
    from pathlib import Path

    found = []
    for environment in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark.encode() in environment.read_bytes().split(b"\0"):
                found.append(environment.parent.name)
        except OSError:
            continue
    return found


def test_no_job_outlives_the_stand_in(tmp_path: Any) -> None:
    with Cluster.start(tmp_path) as cluster:
        client = cluster.client()
        numbers(client, "//tmp/in", 1)
        operation = start_map(client, "setsid sleep 1237 & sleep 1238", "//tmp/in", "//tmp/out")
        mark = f"YT_OPERATION_ID={operation.id}"
        wait_until(lambda: len(processes(mark)) >= 2)
    wait_until(lambda: not processes(mark))


def test_time_limit_fails_the_operation(client: YtClient, cypress: str) -> None:
    from yt.wrapper import YtOperationFailedError

    numbers(client, f"{cypress}/in", 1)
    with pytest.raises(YtOperationFailedError, match="running for too long"):
        run_map(client, "sleep 100", f"{cypress}/in", f"{cypress}/out", time_limit=300)


def test_suspend_resume_and_complete(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 8)
    source, target = f"{cypress}/in", f"{cypress}/out"
    command = python(
        "for row in rows:\n  emit(row)\nif row['n'] > 3: sys.stdout.flush(); import time; time.sleep(100)"
    )
    operation = start_map(client, command, source, target, job_count=8)
    wait_until(lambda: operation.get_progress().get("completed") == 4)
    operation.suspend()
    assert client.get_operation(operation.id, attributes=["suspended"])["suspended"]
    operation.resume()
    operation.complete()
    assert operation.get_state() == "completed"
    assert read(client, target) == [{"n": number} for number in range(4)]


def test_alias_and_listing(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 1)
    alias = f"*{cypress[-6:]}"
    operation = start_map(client, "sleep 0.2; cat", f"{cypress}/in", f"{cypress}/out", alias=alias, title="listed")
    assert client.get_operation(operation_alias=alias, attributes=["id"])["id"] == operation.id
    assert client.list_operations(state="running", filter="listed")["operations"][0]["id"] == operation.id
    operation.wait()
    assert client.list_operations(type="reduce", filter=alias)["operations"] == []


def test_unknown_operation(client: YtClient) -> None:
    from yt.wrapper import YtError

    with pytest.raises(YtError, match="No such operation") as raised:
        client.get_operation("1-2-3-4")
    assert raised.value.contains_code(1915)


def test_too_many_operations_by_fault(cluster: Cluster, cypress: str) -> None:
    client = cluster.client(start_operation_retries={"enable": False})
    numbers(client, f"{cypress}/in", 1)
    cluster.fault("start_operation", "202")
    from yt.wrapper import YtError

    with pytest.raises(YtError) as raised:
        run_map(client, "cat", f"{cypress}/in", f"{cypress}/out")
    assert raised.value.contains_code(202)


def test_lost_answer_to_start_operation_starts_one_operation(
    cluster: Cluster, client: YtClient, cypress: str
) -> None:
    numbers(client, f"{cypress}/in", 1)
    client.config["proxy"]["retries"]["backoff"] = {"policy": "constant_time", "constant_time": 50}
    before = len(cluster.control("operations"))
    cluster.fault("start_operation", "reset_after")
    run_map(client, "cat", f"{cypress}/in", f"{cypress}/out")
    assert len(cluster.control("operations")) == before + 1


def test_progress_counts_jobs(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 6)
    operation = start_map(client, "cat; sleep 0.3", f"{cypress}/in", f"{cypress}/out", job_count=6)
    progress = wait_until(lambda: (found := operation.get_progress()).get("running") and found)
    assert (progress["total"], progress["failed"], progress["lost"]) == (6, 0, 0)
    assert progress["running"] + progress["pending"] + progress["completed"] == 6
    operation.wait()
    assert operation.get_progress()["completed"] == 6
