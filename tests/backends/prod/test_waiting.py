"""Operations on a cluster while they run: asked, waited for and aborted from any thread."""

from __future__ import annotations

import threading

import pytest

from tests.backends.prod.place import Place
from tests.cluster.job_support import wait_until
from ytbuild.base.errors import ClusterError, OperationFailed

# The client leaves the connections of requests that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

ENDLESS = "sleep 60"


def test_the_state_is_known_without_waiting(place: Place) -> None:
    operation = place.start("vanilla", "sleep 0.3")
    assert operation.state == "running"
    wait_until(lambda: operation.state == "completed")


def test_progress_counts_jobs(place: Place) -> None:
    operation = place.start("vanilla", ENDLESS)
    wait_until(lambda: operation.state == "running" and operation.progress().jobs_running == 1)
    progress = operation.progress()
    assert (progress.leg, progress.jobs, progress.jobs_done, progress.share) == ("vanilla", 1, 0, None)
    operation.abort()


def test_a_failure_is_raised_in_every_thread_that_waits(place: Place) -> None:
    operation = place.start("vanilla", "sleep 0.3; exit 1")
    caught: list[Exception] = []

    def wait() -> None:
        try:
            operation.wait()
        except OperationFailed as error:
            caught.append(error)

    threads = [threading.Thread(target=wait) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(caught) == 3


def test_an_aborted_operation_ends_for_those_who_wait(place: Place) -> None:
    operation = place.start("vanilla", ENDLESS)
    timer = threading.Timer(0.3, operation.abort)
    timer.start()
    with pytest.raises(OperationFailed, match=r"^stage/vanilla \(vanilla\) was aborted$"):
        operation.wait()
    timer.join()
    assert operation.state == "aborted"


def test_aborting_what_has_ended_does_nothing(place: Place) -> None:
    operation = place.start("vanilla", "true")
    wait_until(lambda: place.client.get_operation(operation.id)["state"] == "completed")
    operation.abort()
    operation.abort()
    assert operation.wait().seconds > 0


def test_an_abort_that_the_cluster_does_not_take_is_an_error_with_the_link(place: Place) -> None:
    operation = place.start("vanilla", ENDLESS)
    place.cluster.fault("abort_operation", "901", nth="every")
    with pytest.raises(ClusterError, match="could not be aborted and may still run") as caught:
        operation.abort()
    assert operation.link in caught.value.hint
    place.cluster.clear_faults()
    operation.abort()


def test_an_abort_on_the_cluster_is_told(place: Place) -> None:
    operation = place.start("vanilla", ENDLESS)
    parameters = {"operation_id": operation.id, "abort_message": "maintenance"}
    place.connection.command("abort_operation", parameters)
    with pytest.raises(OperationFailed, match="was aborted on the cluster: maintenance"):
        operation.wait()


@pytest.mark.parametrize("kind", ["503", "reset_before", "904"])
def test_a_short_failure_of_the_cluster_is_waited_out(place: Place, kind: str) -> None:
    operation = place.start("vanilla", "sleep 0.5")
    place.cluster.fault("get_operation", kind, count=2)
    assert operation.wait().seconds > 0


def test_an_operation_that_the_cluster_forgot_is_told(place: Place) -> None:
    operation = place.start("vanilla", "true")
    place.cluster.fault("get_operation", "1915", nth="every")
    with pytest.raises(ClusterError, match="No such operation") as caught:
        operation.wait()
    assert "could not be followed" not in caught.value.message


def test_a_long_failure_of_the_cluster_leaves_the_operation_running(place: Place) -> None:
    operation = place.start("vanilla", ENDLESS)
    place.cluster.fault("get_operation", "503", nth="every")
    with pytest.raises(ClusterError, match="could not be followed any further") as caught:
        operation.wait()
    assert operation.link in caught.value.hint
    place.cluster.clear_faults()
    assert operation.state == "running"
    operation.abort()
