"""Jobs of the stand-in: what they find, what they may write, how they fail."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import pytest

from tests.cluster.job_support import json_rows, numbers, python, read, write
from tests.cluster.running import Cluster

if TYPE_CHECKING:
    from yt.wrapper import YtClient
    from yt.wrapper.operation_commands import Operation


@pytest.fixture
def client(cluster: Cluster) -> YtClient:
    return cluster.client()


@pytest.fixture
def source(client: YtClient, cypress: str) -> str:
    """A table with one row."""
    return numbers(client, f"{cypress}/in", 1)


def run(client: YtClient, command: str, source: Any, target: Any, files: Any = (), **spec: Any) -> Operation:
    """A map that must succeed."""
    started = client.run_map(command, source, target, yt_files=list(files), format=json_rows(), sync=False, spec=spec)
    started.wait()
    return started


def failure(client: YtClient, command: str, source: Any, target: Any, **spec: Any) -> Any:
    """The error of a map that must fail."""
    from yt.wrapper import YtOperationFailedError

    with pytest.raises(YtOperationFailedError) as raised:
        run(client, command, source, target, **{"max_failed_job_count": 1, **spec})
    return raised.value


def test_environment_is_the_cluster_s_own(client: YtClient, source: str, cypress: str) -> None:
    command = python("emit(dict(os.environ))")
    operation = run(client, command, source, f"{cypress}/out", mapper={"environment": {"MINE": "я"}})
    (found,) = read(client, f"{cypress}/out")
    (job,) = client.list_jobs(operation.id)["jobs"]
    assert (found["YT_OPERATION_ID"], found["YT_JOB_ID"], found["MINE"]) == (operation.id, job["id"], "я")
    assert (found["YT_JOB_INDEX"], found["YT_TASK_JOB_INDEX"], found["YT_JOB_COOKIE"]) == ("0", "0", "0")
    assert (found["YT_START_ROW_INDEX"], found["YT_FIRST_OUTPUT_TABLE_FD"]) == ("0", "1")
    assert job["address"].startswith(found["YT_NODE_HOST"])
    assert found["HOME"] == found["PWD"] and not os.path.exists(found["HOME"])
    assert not {"USER", "VIRTUAL_ENV", "PYTHONPATH", "PYTEST_CURRENT_TEST"} & found.keys()


def test_files_are_read_only_links(client: YtClient, source: str, cypress: str) -> None:
    client.write_file(f"{cypress}/tool", b'#!/bin/bash\necho \'{"said": "hello"}\'\n')
    client.write_file(f"{cypress}/data", b"content")
    files = [f'<file_name="bin/run";executable=%true>{cypress}/tool', f"{cypress}/data"]
    command = 'test -L data && test ! -x data && test "$(cat data)" = content && ./bin/run; cat >/dev/null'
    run(client, command, source, f"{cypress}/out", files)
    assert read(client, f"{cypress}/out") == [{"said": "hello"}]
    error = failure(client, "cat; echo more >> data", source, f"{cypress}/out", files=files)
    assert "read-only" in str(error) or "Permission denied" in str(error.attributes["stderrs"])
    run(client, "echo more >> data; cat", source, f"{cypress}/out", files, mapper={"copy_files": True})
    assert client.read_file(f"{cypress}/data").read() == b"content"


def test_files_are_those_of_the_start(client: YtClient, source: str, cypress: str) -> None:
    client.write_file(f"{cypress}/data", b'{"version": 1}')
    started = client.run_map(
        "sleep 0.4; cat data", source, f"{cypress}/out", yt_files=[f"{cypress}/data"], format=json_rows(), sync=False
    )
    client.remove(f"{cypress}/data")
    started.wait()
    assert read(client, f"{cypress}/out") == [{"version": 1}]


def test_two_files_of_one_name_and_names_outside_are_refused(client: YtClient, source: str, cypress: str) -> None:
    from yt.wrapper import YtError

    client.write_file(f"{cypress}/data", b"content")
    with pytest.raises(YtError, match="Duplicate user file name"):
        run(client, "cat", source, f"{cypress}/out", [f"{cypress}/data", f"{cypress}/data"])
    with pytest.raises(YtError, match="must be a relative path"):
        run(client, "cat", source, f"{cypress}/out", [f'<file_name="../data">{cypress}/data'])


def test_failed_job_runs_again_with_the_same_input(client: YtClient, cypress: str, tmp_path: Any) -> None:
    numbers(client, f"{cypress}/in", 6)
    fail_twice = (
        f"n=$(ls {tmp_path} | wc -l); if [ $YT_JOB_COOKIE = 1 ] && [ $n -lt 2 ]; then touch {tmp_path}/$n; "
        "echo try $n >&2; exit 1; fi; cat"
    )
    operation = run(client, fail_twice, f"{cypress}/in", f"{cypress}/out", job_count=3)
    assert [row["n"] for row in read(client, f"{cypress}/out")] == list(range(6))
    failed = client.list_jobs(operation.id, job_state="failed")["jobs"]
    assert len(failed) == 2 and {job["job_cookie"] for job in failed} == {1}
    assert sorted(client.get_job_stderr(operation.id, job["id"]).read() for job in failed) == [b"try 0\n", b"try 1\n"]
    assert client.list_jobs(operation.id)["state_counts"] == {"failed": 2, "completed": 3}


def test_ten_failures_by_default(client: YtClient, source: str, cypress: str) -> None:
    error = failure(client, "exit 1", source, f"{cypress}/out", max_failed_job_count=None)
    assert len(client.list_jobs(error.attributes["id"], job_state="failed")["jobs"]) == 10


def test_fail_on_job_restart(client: YtClient, source: str, cypress: str) -> None:
    error = failure(client, "exit 1", source, f"{cypress}/out", fail_on_job_restart=True, max_failed_job_count=5)
    assert "fail_on_job_restart" in str(error)


def test_signal_and_time_limit(client: YtClient, source: str, cypress: str) -> None:
    assert "terminated by signal 9" in str(failure(client, "kill -9 $$", source, f"{cypress}/out"))
    limited = {"mapper": {"job_time_limit": 1000}}
    assert "Job time limit exceeded" in str(failure(client, "sleep 100", source, f"{cypress}/out", **limited))


def test_stderr_keeps_head_and_tail(client: YtClient, source: str, cypress: str) -> None:
    command = "cat; echo first >&2; seq 1 100000 >&2; echo last >&2"
    operation = run(client, command, source, f"{cypress}/out", mapper={"max_stderr_size": 1000})
    (job,) = client.list_jobs(operation.id, with_stderr=True)["jobs"]
    text = client.get_job_stderr(operation.id, job["id"]).read()
    assert text.startswith(b"first\n1\n") and text.endswith(b"100000\nlast\n") and b"...skipped..." in text
    assert len(text) == job["stderr_size"] < 1100


def test_stderr_of_few_jobs_is_kept(client: YtClient, cypress: str) -> None:
    numbers(client, f"{cypress}/in", 5)
    operation = run(client, "cat; echo x >&2", f"{cypress}/in", f"{cypress}/out", job_count=5, max_stderr_count=2)
    assert len(client.list_jobs(operation.id, with_stderr=True)["jobs"]) == 2
    assert len(operation.get_jobs_with_error_or_stderr()) == 2


def test_stderr_table_is_written_even_on_failure(client: YtClient, source: str, cypress: str) -> None:
    client.create("table", f"{cypress}/stderr")
    failure(client, "echo oh >&2; exit 1", source, f"{cypress}/out", stderr_table_path=f"{cypress}/stderr")
    assert [row["data"] for row in read(client, f"{cypress}/stderr")] == ["oh\n"]


def test_get_job_and_its_input(client: YtClient, source: str, cypress: str) -> None:
    from yt.wrapper import YtError

    operation = run(client, "cat", source, f"{cypress}/out")
    (job,) = client.list_jobs(operation.id)["jobs"]
    assert client.get_job(operation.id, job["id"])["state"] == "completed"
    assert client.get_job_input(job["id"]).read() == b'{"n":0}\n'
    with pytest.raises(YtError) as raised:
        client.get_job(operation.id, "1-2-3-4")
    assert raised.value.contains_code(203)


def test_json_rows_in_both_encodings(client: YtClient, cypress: str) -> None:
    from yt.wrapper import JsonFormat

    write(client, f"{cypress}/in", [{"text": "é"}])
    for form, expected in ((JsonFormat(), "\u00c3\u00a9"), (json_rows(), "é")):
        command = python(f"row = next(rows)\nassert row['text'] == {expected!r}, row\nemit(row)")
        client.run_map(command, f"{cypress}/in", f"{cypress}/out", format=form, spec={"max_failed_job_count": 1})
        assert read(client, f"{cypress}/out") == [{"text": "é"}]


def test_table_index_comes_with_several_tables(client: YtClient, cypress: str) -> None:
    for name in ("a", "b"):
        numbers(client, f"{cypress}/{name}", 2)
    command = python("emit({'seen': [str(row.get('$attributes') or row) for row in rows]})")
    run(client, command, [f"{cypress}/a", f"{cypress}/b"], f"{cypress}/out")
    rows = ["{'n': 0}", "{'n': 1}"]
    (found,) = read(client, f"{cypress}/out")
    assert found["seen"] == ["{'table_index': 0}", *rows, "{'table_index': 1}", *rows]
    mapper = {"mapper": {"enable_input_table_index": False}}
    run(client, "cat", [f"{cypress}/a", f"{cypress}/b"], f"{cypress}/out", **mapper)
    assert len(read(client, f"{cypress}/out")) == 4


def test_row_index_and_key_switch(client: YtClient, cypress: str) -> None:
    write(client, f"<sorted_by=[k]>{cypress}/in", [{"k": 1}, {"k": 1}, {"k": 2}])
    command = python("emit({'seen': [str(row.get('$attributes') or row) for row in rows]})")
    attributes = {"enable_row_index": True, "enable_key_switch": True}
    client.run_reduce(
        command,
        f"{cypress}/in[#1:]",
        f"{cypress}/out",
        reduce_by="k",
        format=json_rows(),
        spec={"job_io": {"control_attributes": attributes}},
    )
    assert read(client, f"{cypress}/out")[0]["seen"] == [
        "{'row_index': 1}",
        "{'k': 1}",
        "{'key_switch': True}",
        "{'k': 2}",
    ]


@pytest.mark.parametrize("switch", ['{"$value":null,"$attributes":{"table_index":1}}', "<table_index=1>#;"])
def test_control_rows_switch_the_output(client: YtClient, source: str, cypress: str, switch: str) -> None:
    form = "<format=text>yson" if switch.startswith("<") else json_rows()
    outputs = [f"{cypress}/a", f"{cypress}/b"]
    client.run_map(f"tee rows; echo '{switch}'; cat rows; cat rows", source, outputs, format=form)
    assert [read(client, path) for path in outputs] == [[{"n": 0}], [{"n": 0}, {"n": 0}]]


def test_yson_rows(client: YtClient, source: str, cypress: str) -> None:
    client.run_map(
        "cat; echo '{text=\"\\xc3\\xa9\";big=18446744073709551615u};'",
        source,
        f"{cypress}/out",
        format="<format=text>yson",
    )
    rows = list(client.read_table(f"{cypress}/out", format="json"))
    assert rows == [{"n": 0}, {"text": "é", "big": 2**64 - 1}]


@pytest.mark.parametrize("line", ["{", "5", '{"a": NaN}', '{"a": 1} x'])
def test_output_that_is_no_json_object_fails_the_job(client: YtClient, source: str, cypress: str, line: str) -> None:
    error = failure(client, f"cat; echo '{line}'", source, f"{cypress}/out")
    assert "Error parsing output table 0" in str(error)
    assert read(client, f"{cypress}/out") == []


def test_rows_may_not_be_too_heavy(client: YtClient, source: str, cypress: str) -> None:
    command = python("emit({'text': 'x' * 2000})")
    limit = {"job_io": {"table_writer": {"max_row_weight": 1024}}}
    assert "Row weight is too large" in str(failure(client, command, source, f"{cypress}/out", **limit))
    run(client, command, source, f"{cypress}/out")


def test_sorted_output_must_be_sorted(client: YtClient, source: str, cypress: str) -> None:
    target = f"<sorted_by=[n];create=%true>{cypress}/out"
    error = failure(client, 'echo \'{"n": 2}{"n": 1}\'', source, target)
    assert "Sort order violation" in str(error)
    run(client, 'echo \'{"n": 1}{"n": 2}\'', source, target)
    assert client.get(f"{cypress}/out/@sorted_by") == ["n"]


def test_output_must_fit_the_schema(client: YtClient, source: str, cypress: str) -> None:
    client.create("table", f"{cypress}/out", attributes={"schema": [{"name": "n", "type": "string"}]})
    error = failure(client, "cat", source, f"{cypress}/out")
    assert error.inner_errors and "User job failed" in str(error) and '"n"' in str(error)


def test_stdout_to_stderr_moves_the_tables(client: YtClient, source: str, cypress: str) -> None:
    redirected = {"mapper": {"redirect_stdout_to_stderr": True}}
    command = "cat >&$YT_FIRST_OUTPUT_TABLE_FD; echo '{\"second\": 1}' >&7; echo chatter; echo statistics >&5"
    operation = run(client, command, source, [f"{cypress}/a", f"{cypress}/b"], **redirected)
    assert (read(client, f"{cypress}/a"), read(client, f"{cypress}/b")) == ([{"n": 0}], [{"second": 1}])
    (job,) = client.list_jobs(operation.id)["jobs"]
    assert client.get_job_stderr(operation.id, job["id"]).read() == b"chatter\n"


def test_large_streams_and_jobs_that_do_not_read(client: YtClient, cypress: str) -> None:
    write(client, f"{cypress}/in", [{"text": "x" * 1000} for _ in range(3000)])
    run(client, "cat", f"{cypress}/in", f"{cypress}/out", job_count=2)
    assert len(read(client, f"{cypress}/out")) == 3000
    run(client, "echo '{\"done\": 1}'", f"{cypress}/in", f"{cypress}/out")
    assert read(client, f"{cypress}/out") == [{"done": 1}]
