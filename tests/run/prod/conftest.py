"""A pipeline with one map, and its folder on a cluster."""

from __future__ import annotations

import pytest

from tests.cluster.running import Cluster, RealCluster
from tests.run.prod.place import ROWS, Place
from tests.support import Pipeline

MAP = "map:\n  input_table: //x/input\n  output_table: //x/output"


def prepared(cluster: Cluster | RealCluster, folder: str, pipeline: Pipeline) -> Place:
    """Fill a pipeline and its folder: a map of `input` to `output`, both with rows."""
    place = Place(cluster, folder, pipeline)
    place.configure()
    place.operations(MAP)
    cluster.keeper.create("map_node", folder, recursive=True, ignore_existing=True)
    place.put("input", ROWS)
    place.put("output", [{"old": True}])
    return place


@pytest.fixture
def place(any_cluster: Cluster | RealCluster, cypress: str, pipeline: Pipeline) -> Place:
    """A pipeline with one map, and its folder on either kind of cluster."""
    return prepared(any_cluster, cypress, pipeline)


@pytest.fixture
def stand_in(cluster: Cluster, cypress: str, pipeline: Pipeline) -> Place:
    """The same on the stand-in: for tests that look at requests, or need faults."""
    return prepared(cluster, cypress, pipeline)


@pytest.fixture(scope="module")
def module_place(
    running_cluster: Cluster | RealCluster, module_cypress: str, tmp_path_factory: pytest.TempPathFactory
) -> Place:
    """The same for all tests of a file together."""
    return prepared(running_cluster, module_cypress, Pipeline.create(tmp_path_factory.mktemp("run") / "pipeline"))
