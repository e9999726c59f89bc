"""Ctrl-C, SIGTERM and SIGHUP: what the run started is aborted on the cluster, exit code 130, no table has changed."""

from __future__ import annotations

import signal
from typing import Any

import pytest

from tests.cluster.running import Cluster
from tests.run.prod.place import Place, Running
from tests.run.stages import until

SLEEP = "import time\ntime.sleep(60)\n"
SIGNALS = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]


def jobs_run(place: Place, count: int) -> None:
    """Wait until so many jobs of the pipeline run."""
    until(lambda: sum(job["state"] == "running" for each in place.started() for job in each["jobs"]) == count)


def states(place: Place) -> list[str]:
    return [each["state"] for each in place.started()]


def interrupted(running: Running, number: signal.Signals = signal.SIGINT) -> str:
    """Interrupt a run; return what it said."""
    assert running.ended(number) == 130, running.said
    assert "\ninterrupted\n" in running.said and "bug in ytbuild" not in running.said, running.said
    return running.said


@pytest.mark.parametrize("number", SIGNALS)
def test_a_running_operation_is_aborted(stand_in: Place, number: signal.Signals) -> None:
    stand_in.write("stages/first/src/mapper.py", SLEEP)
    with stand_in.running() as running:
        jobs_run(stand_in, 1)
        interrupted(running, number)
    assert states(stand_in) == ["aborted"]
    assert stand_in.get("output") == [{"old": True}]


@pytest.mark.parametrize("number", SIGNALS)
def test_all_operations_of_the_code_are_aborted(stand_in: Place, number: signal.Signals) -> None:
    """Those started with sync=False, those started in threads, and the one that is waited for."""
    stand_in.operations(
        "".join(
            f"{name}: {{kind: map, input_table: //x/input, output_table: //x/{name}}}\n"
            for name in ("output", "beside", "thread")
        )
    )
    stand_in.code(
        "import threading\n"
        "run_map(self.context, blocks.beside, job='sleep 60', sync=False)\n"
        "def work():\n"
        "    try:\n"
        "        run_map(self.context, blocks.thread, job='sleep 60')\n"
        "    except OperationFailed:\n"
        "        pass  # A traceback of a thread is Python's matter, not ytbuild's.\n"
        "threading.Thread(target=work, daemon=True).start()\n"
        "run_map(self.context, blocks.output, job='sleep 60')"
    )
    with stand_in.running() as running:
        jobs_run(stand_in, 3)
        interrupted(running, number)
    assert states(stand_in) == ["aborted"] * 3
    assert (stand_in.get("output"), stand_in.get("beside"), stand_in.get("thread")) == ([{"old": True}], None, None)


def test_an_operation_that_has_ended_stays_completed(stand_in: Place) -> None:
    stand_in.write("stages/first/src/vanilla.py", SLEEP)
    stand_in.operations("map: {input_table: //x/input, output_table: //x/output}\nvanilla: {}")
    with stand_in.running() as running:
        running.says("2 rows in, 2 out")
        jobs_run(stand_in, 1)
        interrupted(running)
    assert states(stand_in) == ["completed", "aborted"]
    assert stand_in.get("output") == [{"n": 1}, {"n": 2}]


def test_an_operation_whose_start_has_not_been_answered_is_aborted(stand_in: Place) -> None:
    assert isinstance(stand_in.cluster, Cluster)
    stand_in.write("stages/first/src/mapper.py", SLEEP)
    stand_in.cluster.fault("start_operation", "reset_after")
    with stand_in.running() as running:
        until(lambda: states(stand_in))
        interrupted(running)
    assert states(stand_in) == ["aborted"]


def test_a_thread_that_is_no_daemon_does_not_hold_the_end_up(stand_in: Place) -> None:
    stand_in.operations("vanilla: {}")
    stand_in.code(
        "import concurrent.futures\n"
        "with concurrent.futures.ThreadPoolExecutor() as pool:\n"
        "    for _ in range(2):\n"
        "        pool.submit(run_vanilla, self.context, blocks.vanilla, job='sleep 60')"
    )
    with stand_in.running() as running:
        jobs_run(stand_in, 2)
        interrupted(running)
    assert states(stand_in) == ["aborted"] * 2


def test_a_query_is_aborted(stand_in: Place) -> None:
    assert isinstance(stand_in.cluster, Cluster)
    stand_in.cluster.control("queries", record=[{"contains": stand_in.folder, "rows": [], "seconds": 60}])
    stand_in.operations("yql: {query: 'SELECT * FROM `//x/input`'}")
    with stand_in.running() as running:
        until(lambda: queries(stand_in))
        interrupted(running)
    assert [each["state"] for each in queries(stand_in)] == ["aborted"]


def queries(place: Place) -> list[dict[str, Any]]:
    assert isinstance(place.cluster, Cluster)
    return [each for each in place.cluster.control("queries") if place.folder in each["query"]]


def test_waiting_for_room_ends_at_once(stand_in: Place) -> None:
    assert isinstance(stand_in.cluster, Cluster)
    stand_in.cluster.fault("start_operation", "202", nth="every")
    with stand_in.running() as running:
        running.says("the pool default has too many operations")
        interrupted(running)
    assert states(stand_in) == []


def test_an_operation_that_could_not_be_aborted_is_named(stand_in: Place) -> None:
    assert isinstance(stand_in.cluster, Cluster)
    stand_in.configure("prod: {retry_seconds: 0.3}")
    stand_in.write("stages/first/src/mapper.py", "import time\ntime.sleep(4)\n")
    with stand_in.running() as running:
        jobs_run(stand_in, 1)
        for command in ("abort_operation", "get_operation"):
            stand_in.cluster.fault(command, "503", nth="every")
        said = interrupted(running)
    (operation,) = stand_in.started()
    assert operation["id"] in said.partition("may still run")[2]
