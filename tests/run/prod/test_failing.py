"""A run that fails on a cluster: what it says, what it keeps, and what it leaves alone."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.running import Cluster
from tests.run.prod.place import Place
from tests.run.stages import until

SAYS_MUCH = """\
import sys
print('{}')
for number in range(3000):
    print('line', number, file=sys.stderr)
sys.exit('the last word')
"""


def log_of(place: Place, said: str) -> Path:
    """The log that a run named, which must exist."""
    path = said.partition("its whole log is ")[2].split("\n")[0]
    assert path.startswith(str(place.pipeline.root / ".build/log")), said
    return Path(path)


@pytest.fixture(scope="module")
def failed(module_place: Place) -> tuple[Place, str]:
    """A pipeline whose first stage fails, and what it said."""
    module_place.configure(stages="[first, second]")
    module_place.write("stages/first/src/mapper.py", SAYS_MUCH)
    module_place.operations("vanilla: {}", stage="second")
    module_place.write("stages/second/src/vanilla.py", "print('ran')\n")
    return module_place, module_place.failed()


def test_it_says_what_failed_and_why(failed: tuple[Place, str]) -> None:
    assert "error: first/map (map) failed: " in failed[1]
    assert "exit" in failed[1].partition("failed: ")[2].split(";")[0]


def test_it_shows_the_end_of_the_jobs_stderr_and_no_more(failed: tuple[Place, str]) -> None:
    assert "  line 2999\n  the last word\n" in failed[1]
    assert "line 2900\n" not in failed[1]


def test_it_names_the_operation_and_its_page(failed: tuple[Place, str]) -> None:
    id = failed[1].partition("  map: ")[2].split()[0]
    assert f"{id}  http" in failed[1].partition("hint: ")[2]


def test_the_log_has_all_that_the_job_said(failed: tuple[Place, str]) -> None:
    text = log_of(*failed).read_text()
    assert "line 0\n" in text and "line 2999\n" in text and "inner_errors" in text


def test_the_output_is_as_it_was(failed: tuple[Place, str]) -> None:
    assert failed[0].get("output") == [{"old": True}]


def test_later_stages_do_not_run(failed: tuple[Place, str]) -> None:
    assert "stage second" not in failed[1]


def test_each_failed_job_is_heard(place: Place) -> None:
    place.operations("vanilla: {resources: {job_count: 2}, max_failed_job_count: 2}")
    place.write("stages/first/src/vanilla.py", "import os, sys\nsys.exit('I am ' + os.environ['YT_JOB_COOKIE'])\n")
    assert place.failed().count("I am ") == 2


def test_an_operation_that_nobody_waits_for_fails_the_run(place: Place) -> None:
    place.operations("vanilla: {}")
    place.code("run_vanilla(self.context, blocks.vanilla, job='echo lost >&2; exit 3', sync=False)")
    assert "lost" in place.failed()


def test_code_that_fails_aborts_what_it_started(stand_in: Place) -> None:
    stand_in.operations("vanilla: {}")
    stand_in.code(
        "run_vanilla(self.context, blocks.vanilla, job='sleep 60', sync=False)\nraise RuntimeError('no more')"
    )
    assert "RuntimeError: no more" in stand_in.failed()
    assert [each["state"] for each in stand_in.started()] == ["aborted"]


def test_an_operation_that_somebody_aborts_fails_the_run(stand_in: Place) -> None:
    stand_in.write("stages/first/src/mapper.py", "import time\ntime.sleep(60)\n")
    with stand_in.running() as running:
        until(lambda: [job for each in stand_in.started() for job in each["jobs"]])
        stand_in.cluster.client().abort_operation(stand_in.started()[0]["id"])
        assert running.ended() == 1
    assert "first/map (map) was aborted on the cluster" in running.said


def test_a_cluster_that_goes_away_is_told_of_and_the_operation_named(stand_in: Place) -> None:
    assert isinstance(stand_in.cluster, Cluster)
    stand_in.configure("prod: {retry_seconds: 0.3, poll_seconds: 0.3}")
    stand_in.write("stages/first/src/mapper.py", "import time\ntime.sleep(5)\n")
    with stand_in.running() as running:
        until(lambda: [job for each in stand_in.started() for job in each["jobs"]])
        for command in ("get_operation", "abort_operation"):
            stand_in.cluster.fault(command, "503", nth="every")
        assert running.ended() == 1
    id = stand_in.started()[0]["id"]
    assert "is not available" in running.said, running.said
    assert "could not be aborted and may still run" in running.said, running.said
    assert f"{id}  http" in running.said.partition("hint: ")[2], running.said


def test_a_proxy_that_fails_for_a_moment_fails_nothing(stand_in: Place) -> None:
    assert isinstance(stand_in.cluster, Cluster)
    for command, kind in (("start_operation", "reset_after"), ("get_operation", "503"), ("execute_batch", "503")):
        stand_in.cluster.fault(command, kind)
    stand_in.ran()
    assert stand_in.get("output") == [{"n": 1}, {"n": 2}]
    assert len(stand_in.started()) == 1
