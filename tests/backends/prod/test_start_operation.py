"""The start of an operation on a cluster, and what keeps it from starting."""

from __future__ import annotations

import time

import pytest

from tests.backends.prod.place import Place
from ytbuild.base.errors import ClusterError, TableError

# The client leaves the connections of requests that failed to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def test_a_missing_input_is_named_and_no_output_is_left(place: Place) -> None:
    with pytest.raises(TableError) as caught:
        place.start("map", "cat", input_table=f"{place.folder}/missing")
    assert caught.value.message == f"stage/map (map): there is no table {place.folder}/missing"
    assert caught.value.exit_code == 1
    assert not place.client.exists(f"{place.folder}/out")


def test_a_start_that_fails_leaves_no_output_behind(place: Place) -> None:
    place.cluster.fault("start_operation", "901")
    with pytest.raises(ClusterError, match="no write permission"):
        place.start("map", "cat")
    assert not place.client.exists(f"{place.folder}/out")


def test_a_missing_file_is_named_before_anything_is_started(place: Place) -> None:
    with pytest.raises(TableError, match=r"stage/map \(map\): there is no file .*/missing"):
        place.start("map", "cat", files=((f"{place.folder}/missing", "x"),))
    assert not place.client.exists(f"{place.folder}/out")


def test_a_locked_output_is_told(place: Place) -> None:
    place.start("map", "cat").wait()
    with place.client.Transaction():
        place.client.lock(f"{place.folder}/out")
        with pytest.raises(ClusterError, match=r"^stage/map \(map\): somebody else has it locked"):
            place.start("map", "cat")


def test_missing_rights_are_told(place: Place) -> None:
    place.cluster.deny(place.folder, permission="all")
    with pytest.raises(ClusterError, match=r"^stage/map \(map\): .* permission for"):
        place.start("map", "cat")


def test_a_full_queue_is_waited_for_and_told_of_once(place: Place) -> None:
    place.cluster.fault("start_operation", "202", count=2)
    assert place.start("map", "cat").wait().rows_out == 10
    text = "stage/map (map): the pool research has too many operations; trying again for up to 3 s"
    assert place.heard.warnings == [text]


def test_a_queue_that_stays_full_is_an_error(place: Place) -> None:
    place.cluster.fault("start_operation", "202", nth="every")
    began = time.monotonic()
    with pytest.raises(ClusterError, match="the pool research has too many operations, and so it was for 3 s"):
        place.start("map", "cat")
    assert 3 <= time.monotonic() - began < 6


def test_a_start_whose_answer_is_lost_starts_one_operation(place: Place) -> None:
    before = len(place.cluster.control("operations"))
    place.cluster.fault("start_operation", "reset_after")
    place.start("map", "cat").wait()
    assert len(place.cluster.control("operations")) == before + 1


def test_the_link_names_the_operation_and_its_page(place: Place) -> None:
    operation = place.start("vanilla", "true")
    id, _, address = operation.link.partition("  ")
    assert id == operation.id
    assert address.startswith(f"http://{place.cluster.address}/") and operation.id in address
    operation.wait()


def test_a_start_costs_few_requests(place: Place) -> None:
    place.start("map", "cat").wait()
    place.cluster.reset()
    operation = place.start("map", "cat")
    assert place.cluster.counters()["total"] == 2
    operation.wait()
