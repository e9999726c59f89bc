"""The start of an operation on a cluster, and what keeps it from starting."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.backends.prod.place import Place
from tests.cluster.running import ROOT
from ytbuild.base.errors import ClusterError, OperationFailed, TableError

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
        with pytest.raises(OperationFailed, match=r"^stage/map \(map\) failed: Cannot take ") as caught:
            place.start("map", "cat").wait()
    assert caught.value.hint.startswith("somebody else writes it: wait until the other one ends\nsee ")


def test_an_output_that_is_a_link_is_written_where_it_leads(place: Place) -> None:
    place.client.create("table", f"{place.folder}/behind")
    place.client.link(f"{place.folder}/behind", f"{place.folder}/out")
    assert place.start("map", "cat").wait().rows_out == 10
    assert len(place.rows("behind")) == 10
    assert place.client.get(f"{place.folder}/out&/@type") == "link"


def test_of_two_runs_into_one_new_table_the_second_is_told_of_the_first(place: Place) -> None:
    first = place.start("map", "cat; sleep 100")
    with pytest.raises(OperationFailed, match="Cannot take ") as caught:
        place.start("map", "cat").wait()
    assert "wait until the other one ends" in caught.value.hint
    first.abort()
    assert not place.client.exists(f"{place.folder}/out")


def test_an_input_that_is_not_sorted_is_a_failure_that_says_what_to_do(place: Place) -> None:
    with pytest.raises(
        OperationFailed, match=r"stage/reduce \(reduce\) failed: Input table .* is not sorted"
    ) as caught:
        place.start("reduce", "cat", reduce_by=("n",)).wait()
    assert caught.value.hint.startswith("sort it before, with a sort operation or run_sort\nsee ")


@pytest.mark.parametrize("value", [b"\xff", float("nan"), float("inf")])
def test_a_row_that_json_cannot_hold_fails_the_job(place: Place, value: object) -> None:
    from yt.wrapper import YsonFormat

    place.client.write_table(f"{place.folder}/in", [{"n": value}], format=YsonFormat())
    with pytest.raises(OperationFailed, match="failed: Error writing "):
        place.start("map", "cat", max_failed_job_count=1).wait()


def test_the_page_is_the_one_that_the_cluster_names(place: Place) -> None:
    pattern = "https://ui.example/{cluster_path}operations/{operation_id}"
    _set_client_config(place, {"operation_link_template": pattern})
    try:
        # In a process of its own: what the client has read of a cluster stays with it.
        code = (
            "from types import SimpleNamespace; from tests.backends.prod.made import connected\n"
            "from ytbuild.cluster import web_interface\n"
            f"with connected(SimpleNamespace(environment={dict(place.cluster.environment)!r})) as connection:\n"
            "    print(web_interface.operation_link(connection, '1-2-3-4'))\n"
        )
        asked = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False)
        assert asked.stdout == "1-2-3-4  https://ui.example/operations/1-2-3-4\n", asked.stderr
    finally:
        place.client.remove("//sys/client_config", recursive=True)


def _set_client_config(place: Place, settings: dict[str, str]) -> None:
    """Give the cluster the document that clients read their settings in."""
    place.client.create("map_node", "//sys/client_config")
    place.client.create("document", "//sys/client_config/default", attributes={"value": settings})


def test_missing_rights_are_told(place: Place) -> None:
    place.cluster.deny(place.folder, permission="all")
    with pytest.raises(ClusterError, match=r"^stage/map \(map\): .* permission for"):
        place.start("map", "cat")


def test_a_full_queue_is_waited_for_and_told_of_once(place: Place) -> None:
    place.cluster.fault("start_operation", "202", count=2)
    assert place.start("map", "cat").wait().rows_out == 10
    text = "stage/map (map): the pool research has too many operations; trying again for up to 1 s"
    assert place.heard.warnings == [text]


def test_a_queue_that_stays_full_is_an_error(place: Place) -> None:
    place.cluster.fault("start_operation", "202", nth="every")
    began = time.monotonic()
    with pytest.raises(ClusterError, match="the pool research has too many operations, and so it was for 1 s"):
        place.start("map", "cat")
    assert 1 <= time.monotonic() - began < 4


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
