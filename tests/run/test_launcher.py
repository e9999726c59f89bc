"""Operations started with `sync=False`: their states, waiting, aborting, and several at once."""

from __future__ import annotations

import json
import time
from typing import Any

import pytest

from tests.run.stages import alive, code, failed, get, log, operation, pids, put, ran, until
from tests.support import Pipeline
from ytbuild.backends.base import LegCommand, OperationSpec
from ytbuild.backends.dev.client import DevClient
from ytbuild.backends.dev.operation import DevOperation
from ytbuild.base.reporter import SILENT
from ytbuild.config import pipeline as pipeline_config
from ytbuild.config.documents import Documents

BLOCKS = """\
map:
  input_table: //t/input
  output_table: //t/output
vanilla: {}
"""


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A stage with a map and a vanilla operation, and an input table."""
    pipeline.write("stages/first/src/vanilla.py", "print('ran')\n")
    operation(pipeline, BLOCKS)
    put(pipeline, "input", [{"n": 1}])
    return pipeline


def saw(pipeline: Pipeline, body: str) -> list[Any]:
    """Run a stage that appends to a list `seen`; return the list."""
    code(pipeline, f"seen = []\n{body}\nclient.write_table('//t/seen', [{{'value': value}} for value in seen])")
    ran(pipeline)
    return [row["value"] for row in get(pipeline, "seen")]


MAP = "handle = run_map(self.context, blocks.map, job={!r}, sync=False)\n"
CATCH = "try:\n    handle.wait()\nexcept OperationFailed as error:\n    seen.append(error.message)\n"


def test_an_operation_runs_while_the_stage_goes_on(prepared: Pipeline) -> None:
    go = prepared.root / "go"
    body = (
        MAP.format(f"until [ -e {go} ]; do sleep 0.02; done; cat")
        + f"seen.append(handle.state)\nopen({str(go)!r}, 'w').close()\n"
        + "seen.append(handle.wait().rows_out)\nseen.append(handle.state)"
    )
    assert saw(prepared, body) == ["running", 1, "completed"]


def test_a_vanilla_operation_has_a_handle_too(prepared: Pipeline) -> None:
    body = "handle = run_vanilla(self.context, blocks.vanilla, sync=False)\nhandle.wait()\nseen.append(handle.state)"
    assert saw(prepared, body) == ["completed"]


def test_a_failed_operation_says_so_whenever_it_is_asked(prepared: Pipeline) -> None:
    said = saw(prepared, MAP.format("exit 3") + CATCH + CATCH + "seen.append(handle.state)")
    assert said[0] == said[1] and "exited with code 3" in said[0] and said[2] == "failed"


def test_waiting_twice_gives_the_same_result_and_tells_of_it_once(prepared: Pipeline) -> None:
    code(prepared, MAP.format("cat") + "client.write_table('//t/seen', [{'same': handle.wait() == handle.wait()}])")
    assert ran(prepared).count("//t/input -> //t/output") == 1
    assert get(prepared, "seen") == [{"same": True}]


def test_a_handle_knows_what_was_started(prepared: Pipeline) -> None:
    body = MAP.format("cat") + "seen.append([handle.spec.name, handle.spec.output_table])\nhandle.wait()"
    assert saw(prepared, body) == [["map", "//t/output"]]


def test_an_aborted_operation_is_aborted_and_no_longer_waits(prepared: Pipeline) -> None:
    said = saw(prepared, MAP.format("sleep 60") + "handle.abort()\nseen.append(handle.state)\n" + CATCH)
    assert said[0] == "aborted" and "first/map (map) was aborted" in said[1]


def test_an_aborted_operation_leaves_the_table_as_it_was(prepared: Pipeline) -> None:
    put(prepared, "output", [{"old": True}])
    ready = prepared.root / "ready"
    saw(prepared, MAP.format(f"cat; touch {ready}; sleep 60") + waiting_for(ready) + "handle.abort()")
    assert get(prepared, "output") == [{"old": True}]


def waiting_for(path: object) -> str:
    return f"while not os.path.exists({str(path)!r}):\n    time.sleep(0.02)\n"


def test_an_aborted_operation_that_the_stage_knows_of_does_not_fail_the_run(prepared: Pipeline) -> None:
    assert saw(prepared, MAP.format("sleep 60") + "handle.abort()\nhandle.abort()") == []


def test_aborting_an_operation_that_has_ended_does_nothing(prepared: Pipeline) -> None:
    assert saw(prepared, MAP.format("cat") + "handle.wait()\nhandle.abort()\nseen.append(handle.state)") == [
        "completed"
    ]
    assert get(prepared, "output") == [{"n": 1}]


JOB = """\
import os, subprocess, sys, time
children = [subprocess.Popen(["bash", "-c", "sleep 61 & echo $! >> %(file)s; wait"]) for _ in range(2)]
with open("%(file)s", "a") as file:
    file.write("".join(f"{pid}\\n" for pid in [os.getpid(), *(child.pid for child in children)]))
time.sleep(60)
"""


def test_abort_ends_the_jobs_processes_and_those_that_they_started(prepared: Pipeline) -> None:
    file = prepared.root / "pids"
    prepared.write("stages/first/src/vanilla.py", JOB % {"file": file})
    body = (
        "handle = run_vanilla(self.context, blocks.vanilla, sync=False)\n"
        f"while not os.path.exists({str(file)!r}) or open({str(file)!r}).read().count(chr(10)) < 5:\n"
        f"    time.sleep(0.02)\n"
        f"handle.abort()\n"
        f"left = open({str(file)!r}).read().split()\n"
        "end = time.monotonic() + 2\n"
        "while left and time.monotonic() < end:\n"
        # A process that is dead, and that nobody has waited for, has no `exe`.
        "    left = [pid for pid in left if os.path.exists(f'/proc/{pid}/exe')]\n"
        "seen.append(left)"
    )
    assert saw(prepared, body) == [[]]
    assert len(pids(file)) == 5


def test_jobs_that_take_no_notice_of_sigterm_are_ended_together(prepared: Pipeline) -> None:
    file = prepared.root / "pids"
    operation(prepared, "vanilla: {resources: {job_count: 2}}")
    job = f"trap '' TERM; echo $$ >> {file}; while true; do sleep 0.1; done"
    body = (
        f"handle = run_vanilla(self.context, blocks.vanilla, job={job!r}, sync=False)\n"
        f"while not os.path.exists({str(file)!r}) or open({str(file)!r}).read().count(chr(10)) < 2:\n"
        "    time.sleep(0.02)\nbegin = time.monotonic()\nhandle.abort()\nseen.append(time.monotonic() - begin)"
    )
    took = saw(prepared, body)[0]
    assert not any(map(alive, pids(file)))
    assert took < 5, "each was given its own time to end, one after the other"


def test_a_failure_that_nobody_waited_for_fails_the_run(prepared: Pipeline) -> None:
    code(prepared, "run_map(self.context, blocks.map, job='sleep 0.1; exit 3', sync=False)")
    said = failed(prepared)
    assert "first/map (map)" in said and "exited with code 3" in said


def test_looking_at_the_state_of_a_failed_operation_is_not_waiting_for_it(prepared: Pipeline) -> None:
    code(prepared, MAP.format("exit 3") + "while handle.state == 'running':\n    time.sleep(0.01)")
    assert "exited with code 3" in failed(prepared)


def test_the_run_waits_for_an_operation_that_nobody_waited_for(prepared: Pipeline) -> None:
    code(prepared, "run_map(self.context, blocks.map, job='sleep 0.3; cat', sync=False)")
    assert "//t/input -> //t/output" in ran(prepared)
    assert get(prepared, "output") == [{"n": 1}]


def test_a_stage_that_fails_ends_the_operations_that_it_started(prepared: Pipeline) -> None:
    file = prepared.root / "pids"
    code(prepared, MAP.format(f"echo $$ > {file}; sleep 60") + waiting_for(file) + "raise RuntimeError('no more')")
    assert "RuntimeError: no more" in failed(prepared)
    until(lambda: not alive(pids(file)[0]), 3)


def test_a_wrong_block_is_refused_at_once(prepared: Pipeline) -> None:
    body = "try:\n    run_map(self.context, {}, sync=False)\n"
    body += "except YtbuildError as error:\n    seen.append(error.message)"
    assert "input_table is missing" in saw(prepared, body)[0]


def test_two_operations_run_at_the_same_time(prepared: Pipeline) -> None:
    def meets(own: str, other: str) -> str:
        here = prepared.root
        return (
            f"touch {here}/{own}; for i in $(seq 500); do [ -e {here}/{other} ] && exit 0; sleep 0.02; done; exit 9"
        )

    body = "".join(
        f"{name} = run_vanilla(self.context, blocks.vanilla, job={meets(name, other)!r}, sync=False)\n"
        for name, other in [("one", "two"), ("two", "one")]
    )
    assert saw(prepared, body + "one.wait()\ntwo.wait()\nseen.append(two.state)") == ["completed"]


def test_one_operation_started_several_times_at_once_mixes_neither_rows_nor_logs(prepared: Pipeline) -> None:
    prepared.write(".dev/input.jsonl", "{}\n" * 2000)
    body = (
        "handles = []\n"
        "for name in ('a', 'b', 'c'):\n"
        "    block = {'input_table': '//t/input', 'output_table': '//t/' + name, 'resources': {'job_count': 2}}\n"
        "    job = f'echo {name} >&2; sleep 0.2; "
        'while read row; do echo {{\\\\"by\\\\": \\\\"{name}\\\\"}}; done\'\n'
        "    handles.append(run_map(self.context, block, job=job, sync=False))\n"
        "for handle in handles:\n    handle.wait()"
    )
    saw(prepared, body)
    assert [get(prepared, name) for name in "abc"] == [[{"by": name}] * 2000 for name in "abc"]
    logs = sorted(path.read_text() for path in (prepared.root / ".dev").glob("first.map*.log"))
    assert logs == ["a\n", "a\n", "b\n", "b\n", "c\n", "c\n"]


def test_a_second_failure_at_once_keeps_its_own_sandbox_and_log(prepared: Pipeline) -> None:
    job = "run_vanilla(self.context, blocks.vanilla, job='echo {0} >&2; sleep 0.2; exit 1', sync=False)\n"
    body = "".join(f"{name} = {job.format(name)}" for name in ("one", "two"))
    said = saw(prepared, body + "".join(CATCH.replace("handle", name) for name in ("one", "two")))
    assert "one" in said[0] and "two" not in said[0]
    assert "two" in said[1] and "one" not in said[1]
    assert len(list(prepared.root.glob(".dev/operations/*/sandbox.*/source.tar.gz"))) == 2


def test_an_operation_can_start_as_soon_as_the_one_before_has_completed(
    prepared: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    clean = DevOperation._clean
    monkeypatch.setattr(DevOperation, "_clean", lambda operation: (time.sleep(0.2), clean(operation)))
    prepared.build()
    config = pipeline_config.load(str(prepared.root), None, (), Documents(str(prepared.root / ".build")))
    with DevClient(config, "/dev/null") as client:
        tables = {"input_table": "//t/input", "output_table": "//t/output"}
        first, second = (
            OperationSpec("first", "map", "map", (LegCommand("map", command, 1),), **tables)
            for command in ("cat", "sleep 0.5; cat")
        )
        before = client.start_operation(first, SILENT)
        until(lambda: before.state == "completed")
        assert client.start_operation(second, SILENT).wait().rows_out == 1


def test_logs_of_operations_one_after_the_other_have_one_name(prepared: Pipeline) -> None:
    saw(prepared, "for word in ('old', 'new'):\n    run_vanilla(self.context, blocks.vanilla, job='echo ' + word)")
    assert log(prepared, "first.vanilla") == "new\n"


def test_progress_can_be_asked_for_at_any_time(prepared: Pipeline) -> None:
    body = (
        MAP.format("cat")
        + "now = handle.progress()\nhandle.wait()\nlast = handle.progress()\n"
        + "seen.append([last.leg, last.rows_in, last.rows_out, last.jobs_done, last.jobs])"
    )
    assert saw(prepared, body) == json.loads('[["map", 1, 1, 1, 1]]')


def test_what_a_job_leaves_running_in_a_session_of_its_own_is_ended_with_the_operation(prepared: Pipeline) -> None:
    file = prepared.root / "pids"
    job = f"setsid bash -c 'echo $$ > {file}; sleep 60' >/dev/null 2>&1 & while [ ! -s {file} ]; do sleep 0.02; done"
    operation(prepared, "vanilla: {}")
    code(prepared, f"run_vanilla(self.context, blocks.vanilla, job={job!r})")
    ran(prepared)
    until(lambda: not any(map(alive, pids(file))), 3)
