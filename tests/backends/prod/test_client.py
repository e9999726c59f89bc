"""The client of a cluster as a whole: what it starts ends with it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from tests.backends.prod.clients import client_of, configuration
from tests.backends.prod.made import connected
from tests.backends.prod.place import Place
from tests.cluster.running import Cluster
from ytbuild.backends.prod.client import ProdClient
from ytbuild.base.errors import ClusterError, QueryError
from ytbuild.cluster.connection import Connection

# The official client leaves the sockets of failed requests to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


def with_code(place: Place, folder: Path) -> ProdClient:
    return ProdClient(configuration(folder), place.connection, f"{place.folder}/code.tar.gz")


def test_an_operation_that_still_runs_is_aborted_at_the_end(place: Place, tmp_path: Path) -> None:
    with with_code(place, tmp_path / "pipeline") as client:
        operation = client.start_operation(place.spec("vanilla", "sleep 100"), place.heard)
        assert operation.state == "running"
    assert operation.state == "aborted"


def test_an_operation_that_has_ended_is_left_alone(place: Place, tmp_path: Path) -> None:
    with with_code(place, tmp_path / "pipeline") as client:
        operation = client.start_operation(place.spec("map", "cat"), place.heard)
        operation.wait()
    assert operation.state == "completed"
    assert client.row_count(f"{place.folder}/out") == 10


def test_an_abort_that_fails_is_an_error(place: Place, cluster: Cluster, tmp_path: Path) -> None:
    with (
        pytest.raises(ClusterError, match="could not be aborted and may still run"),
        with_code(place, tmp_path / "pipeline") as client,
    ):
        client.start_operation(place.spec("vanilla", "sleep 100"), place.heard)
        cluster.fault("abort_operation", "901", nth="every")


def test_an_abort_that_fails_does_not_hide_what_went_wrong(place: Place, cluster: Cluster, tmp_path: Path) -> None:
    with pytest.raises(KeyError, match="mine") as caught, with_code(place, tmp_path / "pipeline") as client:
        client.start_operation(place.spec("vanilla", "sleep 100"), place.heard)
        cluster.fault("abort_operation", "901", nth="every")
        raise KeyError("mine")
    assert "could not be aborted and may still run" in caught.value.__notes__[0]


@pytest.mark.parametrize("weight", ["129M", "much", True, "0"])
def test_a_row_weight_that_is_none_is_refused(connection: Connection, tmp_path: Path, weight: Any) -> None:
    with pytest.raises(QueryError, match="max_row_weight is"):
        client_of(connection, tmp_path / "pipeline").run_yql("SELECT 1", max_row_weight=weight)


def test_every_thread_may_use_it(cluster: Cluster, cypress: str, tmp_path: Path) -> None:
    from concurrent.futures import ThreadPoolExecutor

    with connected(cluster) as connection, ThreadPoolExecutor(8) as pool:
        client = client_of(connection, tmp_path / "pipeline")
        paths = [f"{cypress}/folder/{number}" for number in range(16)]
        list(pool.map(lambda path: client.write_table(path, [{"path": path}]), paths))
        assert list(pool.map(client.read_table, paths)) == [[{"path": path}] for path in paths]
