"""Many uploads at once: one archive, no error, nothing left over, and nothing sent twice."""

from __future__ import annotations

import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.running import Cluster, RealCluster
from tests.trees import copied
from tests.upload.conftest import FILE_SIZE
from tests.upload.place import ABANDONED_AFTER, Built, Place
from tests.upload.workers import uploader

PROCESSES = 8


@dataclass(frozen=True)
class Run:
    """Uploads that ran at once: their exit codes, what they said, and what the cluster counted."""

    place: Place
    codes: list[int]
    said: list[str]
    counted: dict[str, Any]
    unfinished: list[str]


def run(place: Place, folder: Path, others: tuple[Place, ...] = (), killed: int = 0, whole: int = 32 << 20) -> Run:
    """Start eight uploads at once, of this place and the others in turn, and kill the first while they write."""
    cluster = place.cluster
    assert isinstance(cluster, Cluster)
    cluster.reset()
    places = [place, *others]
    with uploader(place, folder, whole) as starter:
        if killed:
            cluster.fault("write_file", "hang", count=1 if whole else killed, seconds=2)
        uploads = [starter.start(places[number % len(places)], "--json") for number in range(killed)]
        while killed and not cluster.faults()[0]["applied"]:
            time.sleep(0.01)
        uploads += [starter.start(places[number % len(places)], "--json") for number in range(killed, PROCESSES)]
        time.sleep(0.2 if killed else 0)
        for upload in uploads[:killed]:
            upload.send(signal.SIGKILL)
        if killed:
            # By now the others wait for what the killed ones had begun, which the cluster aborts.
            cluster.advance(ABANDONED_AFTER)
        codes = [upload.end() for upload in uploads]
        said = [upload.said for upload in uploads]
    return Run(place, codes, said, cluster.counters(), place.unfinished())


@pytest.fixture(scope="module")
def folder(running_cluster: Cluster | RealCluster) -> Iterator[str]:
    """A folder for all runs of the module."""
    if not isinstance(running_cluster, Cluster):
        pytest.skip("needs the stand-in: its counters")
    client, path = running_cluster.client(), "//tmp/ytbuild-test-many"
    client.create("map_node", path)
    yield path
    client.remove(path, recursive=True)


@pytest.fixture(scope="module")
def of_small(running_cluster: Cluster, folder: str, small: Built, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(Place(running_cluster, f"{folder}/small", small), tmp_path_factory.mktemp("small"))


@pytest.fixture(scope="module")
def of_large(running_cluster: Cluster, folder: str, large: Built, tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(Place(running_cluster, f"{folder}/large", large), tmp_path_factory.mktemp("large"))


@pytest.fixture(params=["of_small", "of_large"])
def either(request: pytest.FixtureRequest) -> Run:
    """Both runs, one after the other."""
    result: Run = request.getfixturevalue(request.param)
    return result


def test_all_uploads_at_once_succeed(either: Run) -> None:
    assert either.codes == [0] * PROCESSES, either.said
    assert not any("error" in said or "Traceback" in said for said in either.said)


def test_uploads_at_once_give_one_archive(either: Run) -> None:
    archives = [path for path in either.place.files() if path.startswith("/archives/")]
    assert archives == [f"/archives/{either.place.built.key}.tar.gz"]


def test_uploads_at_once_give_the_built_archive(either: Run) -> None:
    either.place.assert_complete()


def test_uploads_at_once_leave_nothing_over(either: Run) -> None:
    assert either.unfinished == []
    assert len(either.place.files()) in (2, 2 + len(either.place.built.segments))


def test_uploads_at_once_send_nothing_twice(either: Run) -> None:
    built = either.place.built
    assert either.counted["content"]["write_file"] == built.size + len(built.manifest)


def test_uploads_at_once_each_say_that_the_code_is_there(either: Run) -> None:
    assert all("[Upload] Code uploaded successfully" in said for said in either.said)


@pytest.fixture
def edited(medium: Built, tmp_path: Path) -> Built:
    """The pipeline of 9 MB with another file."""
    pipeline = copied(medium.pipeline, tmp_path / "edited")
    pipeline.write("data/02.bin", random.Random(-3).randbytes(FILE_SIZE))
    return Built.of(pipeline)


def test_two_pipelines_at_once_into_one_folder_send_what_they_share_once(
    in_segments: Place, edited: Built, tmp_path: Path
) -> None:
    other = replace(in_segments, built=edited)
    result = run(in_segments, tmp_path / "said", (other,), whole=0)
    assert result.codes == [0] * PROCESSES, result.said
    assert in_segments.read(in_segments.archive) == in_segments.built.content
    assert other.read(other.archive) == edited.content
    assert in_segments.get(f"{in_segments.link}&/@target_path") in (in_segments.archive, other.archive)
    assert result.unfinished == []
    segments = {**in_segments.built.segments, **edited.segments}
    manifests = len(in_segments.built.manifest) + len(edited.manifest)
    assert result.counted["content"]["write_file"] == sum(map(len, segments.values())) + manifests


def test_while_one_is_killed_the_others_complete_a_small_archive(place: Place, tmp_path: Path) -> None:
    result = run(place, tmp_path / "said", killed=1)
    assert result.codes == [-signal.SIGKILL] + [0] * (PROCESSES - 1), result.said
    place.assert_complete()


def test_while_some_are_killed_the_others_complete_an_archive_of_segments(in_segments: Place, tmp_path: Path) -> None:
    result = run(in_segments, tmp_path / "said", killed=4, whole=0)
    assert result.codes == [-signal.SIGKILL] * 4 + [0] * (PROCESSES - 4), result.said
    assert result.unfinished == []
    in_segments.assert_complete()


def test_uploads_at_once_without_a_folder_make_it_once(place: Place, tmp_path: Path) -> None:
    deep = replace(place, folder=f"{place.folder}/a/b/c")
    assert run(deep, tmp_path / "said").codes == [0] * PROCESSES
    deep.assert_complete()
