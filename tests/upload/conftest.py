"""What the tests of uploads share: pipelines that are built once, and a fresh folder to upload them to."""

from __future__ import annotations

import random

import pytest

import ytbuild.store.transfer
import ytbuild.upload
from tests.cluster.running import Cluster, RealCluster
from tests.support import Pipeline
from tests.upload.place import Built, Place

FILE_SIZE = 2_200_000
"""A file of this size ends a segment."""


def _pipeline(factory: pytest.TempPathFactory, files: int) -> Pipeline:
    pipeline = Pipeline.create(factory.mktemp("upload") / "pipeline")
    pipeline.configure("upload_paths: [{source: data}]" if files else "build_folder: //tmp/nowhere")
    source = random.Random(files)
    for number in range(files):
        pipeline.write(f"data/{number:02}.bin", source.randbytes(FILE_SIZE))
    return pipeline


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A pipeline of two kilobytes. No test may change it."""
    return Built.of(_pipeline(tmp_path_factory, 0))


@pytest.fixture(scope="session")
def medium(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A pipeline of 9 MB. No test may change it."""
    return Built.of(_pipeline(tmp_path_factory, 4))


@pytest.fixture(scope="session")
def large(tmp_path_factory: pytest.TempPathFactory) -> Built:
    """A pipeline of 40 MB, which is too large to be uploaded whole. No test may change it."""
    return Built.of(_pipeline(tmp_path_factory, 18))


@pytest.fixture
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Waits for somebody else, and before it tries again, are short."""
    monkeypatch.setattr(ytbuild.store.transfer, "_FIRST_PAUSE", 0.01)


@pytest.fixture
def place(any_cluster: Cluster | RealCluster, cypress: str, small: Built) -> Place:
    """The small pipeline, and an empty folder."""
    return Place(any_cluster, cypress, small)


@pytest.fixture
def own_place(any_cluster: Cluster | RealCluster, cypress: str, pipeline: Pipeline) -> Place:
    """A small pipeline that the test may change, and an empty folder."""
    return Place(any_cluster, cypress, Built.of(pipeline))


@pytest.fixture
def large_place(any_cluster: Cluster | RealCluster, cypress: str, large: Built) -> Place:
    """The large pipeline, and an empty folder."""
    return Place(any_cluster, cypress, large)


@pytest.fixture
def in_segments(
    monkeypatch: pytest.MonkeyPatch, any_cluster: Cluster | RealCluster, cypress: str, medium: Built
) -> Place:
    """The pipeline of 9 MB, and an empty folder; inside this process it is uploaded in segments."""
    monkeypatch.setattr(ytbuild.upload, "WHOLE_ARCHIVE", 0)
    return Place(any_cluster, cypress, medium)
