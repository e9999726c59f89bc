"""Uploads of large archives: only missing segments go up, in parallel, and the cluster joins them."""

from __future__ import annotations

import json
import random
import re
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from secrets import token_hex
from subprocess import CompletedProcess
from typing import Any

import pytest

from tests.cli.terminal import on_a_terminal
from tests.cluster.running import Cluster, RealCluster
from tests.heard import Heard
from tests.support import Pipeline
from tests.trees import copied
from tests.upload.conftest import FILE_SIZE
from tests.upload.place import Built, Place
from ytbuild.archive.segments import segments
from ytbuild.base.errors import ClusterError
from ytbuild.base.reporter import SILENT
from ytbuild.store.segment_upload import SegmentUpload
from ytbuild.store.transfer import Transfer
from ytbuild.upload import WHOLE_ARCHIVE, plan_upload

DAY = 24 * 3600


def written(cluster: Cluster) -> list[str]:
    """Return the paths of the files that were written since the counters were reset."""
    return [str(each["path"]) for each in cluster.requests() if each["command"] == "write_file"]


@pytest.fixture
def edited(medium: Built, tmp_path: Path) -> Built:
    """The pipeline of 9 MB with another file in the middle of the others."""
    pipeline = copied(medium.pipeline, tmp_path / "edited")
    pipeline.write("data/02.bin", random.Random(-1).randbytes(FILE_SIZE))
    return Built.of(pipeline)


# A large archive


@dataclass(frozen=True)
class Told:
    """Two uploads of a large archive by the command: what they said, and what was counted at the second."""

    place: Place
    first: CompletedProcess[str]
    second: CompletedProcess[str]
    counted: dict[str, Any]


@pytest.fixture(scope="module")
def told(running_cluster: Cluster | RealCluster, large: Built) -> Iterator[Told]:
    place = Place(running_cluster, f"{running_cluster.root}/ytbuild-test-{token_hex(6)}", large)
    first = place.run("--json")
    if isinstance(running_cluster, Cluster):
        running_cluster.reset()
    second = place.run("--json")
    yield Told(place, first, second, running_cluster.counters() if isinstance(running_cluster, Cluster) else {})
    place.client.remove(place.folder, recursive=True)


def test_a_joined_archive_is_the_built_one(told: Told) -> None:
    assert told.place.built.size > WHOLE_ARCHIVE
    archive = told.place.read(told.place.archive)
    assert archive == told.place.built.pipeline.archive().read_bytes()
    subprocess.run(["gunzip", "-t"], input=archive, check=True)


def test_a_large_upload_is_one_line_with_segments_and_bytes(told: Told) -> None:
    said = told.first.stderr.splitlines()[-1]
    expected = rf"uploaded 19 of 19 segments \(37\.8 MiB\), 0 already in {told.place.folder}, in [\d.]+s"
    assert re.fullmatch(expected, said), said


def test_a_large_upload_as_json(told: Told) -> None:
    answer = json.loads(told.first.stdout)
    assert answer["segments"] == {"total": 19, "sent": 19}
    assert (answer["bytes_sent"], answer["bytes_skipped"]) == (told.place.built.size, 0)


def test_an_unchanged_large_upload_takes_three_requests_at_most(told: Told, cluster: Cluster) -> None:
    assert told.counted["total"] <= 3 and told.counted["received"] == {}


def test_an_unchanged_large_upload_as_json(told: Told) -> None:
    answer = json.loads(told.second.stdout)
    assert answer["segments"] == {"total": 19, "sent": 0}
    assert (answer["bytes_sent"], answer["bytes_skipped"]) == (0, told.place.built.size)


def test_a_large_archive_goes_up_as_segments_and_is_joined(cluster: Cluster, large_place: Place) -> None:
    large_place.upload()
    segments = [large_place.segment(key) for key in large_place.built.segments]
    assert sorted(written(cluster)) == sorted([*segments, large_place.manifest])
    assert cluster.counters()["requests"]["concatenate"] == 1


def test_segments_are_named_in_folders_of_their_first_letters(in_segments: Place) -> None:
    in_segments.upload()
    expected = {f"/segments/{key[:2]}/{key}" for key in in_segments.built.segments}
    assert {path for path in in_segments.files() if path.startswith("/segments")} == expected


def test_segments_hold_their_parts_of_the_archive(in_segments: Place) -> None:
    in_segments.upload()
    assert in_segments.problems() == []


def test_segments_expire(in_segments: Place) -> None:
    in_segments.upload()
    for key in in_segments.built.segments:
        assert in_segments.get(f"{in_segments.segment(key)}/@expiration_timeout") == 14 * DAY * 1000


def test_a_upload_of_segments_leaves_no_transaction(cluster: Cluster, in_segments: Place) -> None:
    in_segments.upload()
    assert in_segments.unfinished() == []


def test_a_bar_counts_the_bytes_of_a_large_archive(large_place: Place) -> None:
    folder = f"pipeline.build_folder={large_place.folder}"
    said = on_a_terminal(large_place.built.pipeline, "upload", "-o", folder, **large_place.cluster.environment)
    bars = re.findall(r"uploading \[(#*)(\.*)\] ([\d.]+) MiB of 37\.8 MiB", said)
    assert len(bars) > 1
    assert [float(done) for _, _, done in bars] == sorted(float(done) for _, _, done in bars)
    assert bars[-1] == ("#" * 24, "", "37.8")


def test_progress_ends_with_all_the_bytes(in_segments: Place) -> None:
    heard = Heard()
    in_segments.upload(reporter=heard)
    assert heard.steps[-1] == ("uploading", in_segments.built.size, in_segments.built.size)


# In parallel


@contextmanager
def timed() -> Iterator[list[float]]:
    """Give a list that holds the seconds of the block after it."""
    took: list[float] = []
    began = time.monotonic()
    yield took
    took.append(time.monotonic() - began)


def test_segments_go_up_side_by_side(cluster: Cluster, in_segments: Place) -> None:
    count = len(in_segments.built.segments)
    cluster.fault("write_file", "hang", count=count, seconds=1)
    with timed() as took:
        in_segments.upload(threads=count, client_config={}, retry_seconds=30)
    one_after_another = 1.0 * count
    assert took[0] < one_after_another / 2


def test_one_thread_is_enough(in_segments: Place) -> None:
    in_segments.upload(threads=1)
    in_segments.assert_complete()


def test_more_threads_than_segments(in_segments: Place) -> None:
    in_segments.upload(threads=32)
    in_segments.assert_complete()


# Only what is missing


def test_after_an_edit_only_the_segment_that_it_touched_goes_up(
    cluster: Cluster, in_segments: Place, edited: Built
) -> None:
    in_segments.upload()
    cluster.reset()
    place = Place(cluster, in_segments.folder, edited)
    result = place.upload()
    (key,) = edited.segments.keys() - in_segments.built.segments.keys()
    assert written(cluster) == [place.segment(key), place.manifest]
    assert (result.segments, result.segments_sent, result.bytes_sent) == (5, 1, len(edited.segments[key]))
    assert result.bytes_skipped == edited.size - result.bytes_sent


def test_an_archive_joined_from_old_and_new_segments_is_the_built_one(in_segments: Place, edited: Built) -> None:
    in_segments.upload()
    place = Place(in_segments.cluster, in_segments.folder, edited)
    place.upload()
    assert place.read(place.archive) == edited.content
    assert in_segments.read(in_segments.archive) == in_segments.built.content


def test_a_segment_that_is_missing_goes_up_alone(cluster: Cluster, in_segments: Place) -> None:
    in_segments.upload()
    key = list(in_segments.built.segments)[3]
    in_segments.client.remove(in_segments.segment(key))
    in_segments.client.remove(in_segments.archive)
    cluster.reset()
    in_segments.upload()
    assert written(cluster) == [in_segments.segment(key)]
    in_segments.assert_complete()


def test_segments_that_are_reused_stay_for_another_while(cluster: Cluster, in_segments: Place) -> None:
    in_segments.upload()
    for _ in range(2):
        in_segments.client.remove(in_segments.archive)
        cluster.advance(10 * DAY)
        assert in_segments.upload().segments_sent == 0


def test_the_expiration_of_reused_segments_is_set_anew(in_segments: Place) -> None:
    in_segments.upload()
    in_segments.client.remove(in_segments.archive)
    in_segments.upload(expiration_days=3)
    for key in in_segments.built.segments:
        assert in_segments.get(f"{in_segments.segment(key)}/@expiration_timeout") == 3 * DAY * 1000


@pytest.fixture
def repeating(pipeline: Pipeline) -> Built:
    """A pipeline with a file that holds the same 4 MiB three times over."""
    pipeline.configure("upload_paths: [{source: data}]")
    pipeline.write("data/repeated.bin", random.Random(3).randbytes(4 << 20) * 3)
    return Built.of(pipeline)


def test_a_segment_that_occurs_twice_goes_up_once(cluster: Cluster, in_segments: Place, repeating: Built) -> None:
    place = Place(cluster, in_segments.folder, repeating)
    cluster.reset()
    place.upload()
    assert sorted(written(cluster)) == sorted([*map(place.segment, repeating.segments), place.manifest])
    place.assert_complete()


def test_a_dry_run_counts_a_segment_that_occurs_twice_once(in_segments: Place, repeating: Built) -> None:
    place = Place(in_segments.cluster, in_segments.folder, repeating)
    with place.store() as store:
        plan = plan_upload(store, repeating.archive, repeating.manifest)
    result = place.upload()
    assert (plan.segments_to_send, plan.bytes_to_send) == (result.segments_sent, result.bytes_sent)


def test_progress_counts_a_segment_that_occurs_twice_once(in_segments: Place, repeating: Built) -> None:
    place = Place(in_segments.cluster, in_segments.folder, repeating)
    heard = Heard()
    place.upload(reporter=heard)
    _, done, total = heard.steps[-1]
    assert done == total


# --dry-run


def test_a_dry_run_counts_the_segments_that_are_missing(in_segments: Place, edited: Built) -> None:
    in_segments.upload()
    place = Place(in_segments.cluster, in_segments.folder, edited)
    with place.store() as store:
        plan = plan_upload(store, edited.archive, edited.manifest)
    result = place.upload()
    assert (plan.segments, plan.segments_to_send) == (5, 1) == (result.segments, result.segments_sent)
    assert plan.bytes_to_send == result.bytes_sent


def test_a_dry_run_says_how_many_segments_would_go_up(large_place: Place) -> None:
    with large_place.store() as store:
        SegmentUpload(store, Transfer(large_place.built.archive.path, 3, SILENT), SILENT).send_missing(
            segments(large_place.built.archive.summary)[:10]
        )
    said = large_place.run("--dry-run").stderr.splitlines()[-1]
    assert said == f"would upload 9 of 19 segments (16.8 MiB), 10 already in {large_place.folder}; nothing was sent"


def test_a_dry_run_of_segments_only_reads(cluster: Cluster, in_segments: Place) -> None:
    cluster.reset()
    with in_segments.store() as store:
        plan = plan_upload(store, in_segments.built.archive, in_segments.built.manifest)
    assert plan.bytes_to_send == in_segments.built.size
    counted = cluster.counters()
    assert set(counted["batched"]) == {"get"} and set(counted["requests"]) == {"api", "execute_batch"}
    assert in_segments.files() == {}


# Segments that vanish


@contextmanager
def during(cluster: Cluster, command: str, action: Any, nth: int = 1) -> Iterator[None]:
    """Hold a request of a command up, and do something meanwhile."""
    cluster.fault(command, "hang", nth=nth, seconds=0.3)

    def act() -> None:
        deadline = time.monotonic() + 20
        while not cluster.faults()[0]["applied"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        action()

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def test_a_segment_that_vanishes_before_the_join_goes_up_again(cluster: Cluster, in_segments: Place) -> None:
    key = list(in_segments.built.segments)[2]
    with during(cluster, "concatenate", lambda: in_segments.client.remove(in_segments.segment(key))):
        in_segments.upload()
    assert written(cluster).count(in_segments.segment(key)) == 2
    assert len([path for path in written(cluster) if "/segments/" in path]) == len(in_segments.built.segments) + 1
    in_segments.assert_complete()


def test_segments_that_all_vanish_before_the_join_go_up_again(cluster: Cluster, in_segments: Place) -> None:
    folder = f"{in_segments.folder}/segments"
    with during(cluster, "concatenate", lambda: in_segments.client.remove(folder, recursive=True)):
        in_segments.upload()
    in_segments.assert_complete()


def test_a_segment_that_was_there_and_vanishes_before_the_join_goes_up_again(
    cluster: Cluster, in_segments: Place
) -> None:
    in_segments.upload()
    in_segments.client.remove(in_segments.archive)
    key = next(iter(in_segments.built.segments))
    cluster.reset()
    with during(cluster, "concatenate", lambda: in_segments.client.remove(in_segments.segment(key))):
        in_segments.upload()
    assert written(cluster) == [in_segments.segment(key)]
    in_segments.assert_complete()


def test_segments_that_vanish_again_and_again_end_in_an_error(cluster: Cluster, in_segments: Place) -> None:
    cluster.fault("concatenate", "500", nth="every")
    with pytest.raises(ClusterError, match="segments vanish from"):
        in_segments.upload()
    cluster.clear_faults()
    assert in_segments.not_whole() == [] and in_segments.unfinished() == []
    assert not in_segments.exists(in_segments.archive)


# Two pipelines, one folder


def test_two_pipelines_in_one_folder_share_segments(in_segments: Place, edited: Built) -> None:
    in_segments.upload()
    other = Place(in_segments.cluster, in_segments.folder, edited)
    assert other.upload().segments_sent == 1
    files = in_segments.files()
    assert len([path for path in files if path.startswith("/archives/")]) == 2
    assert len([path for path in files if path.startswith("/segments/")]) == 6
