"""Whatever is found in `build_folder`, an upload brings it up to date: it trusts only what it sees."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from tests.cluster.running import Cluster
from tests.upload.place import Place
from ytbuild.base.errors import ClusterError, ConfigError
from ytbuild.upload import cypress_store

DAY = 24 * 3600

pytestmark = pytest.mark.usefixtures("soon")


def junk(place: Place, path: str, content: bytes = b"junk", **attributes: Any) -> None:
    """Put a file where something else belongs."""
    place.client.create("file", path, recursive=True, force=True, attributes=attributes)
    place.client.write_file(path, content)


# Parts that are missing


def test_a_manifest_that_is_missing_goes_up_alone(cluster: Cluster, place: Place) -> None:
    place.upload()
    place.client.remove(place.manifest)
    cluster.reset()
    result = place.upload()
    assert (result.bytes_sent, result.manifest_sent) == (0, len(place.built.manifest))
    assert [each["path"] for each in cluster.requests() if each["command"] == "write_file"] == [place.manifest]
    place.assert_complete()


def test_the_last_line_says_that_only_the_manifest_went_up(place: Place) -> None:
    place.upload()
    place.client.remove(place.manifest)
    said = place.run().stderr.splitlines()
    assert said[-1].startswith(f"uploaded the manifest, the archive (1.9 KiB) was already in {place.folder}, in ")


def test_a_dry_run_says_that_only_the_manifest_would_go_up(place: Place) -> None:
    place.upload()
    place.client.remove(place.manifest)
    said = place.run("--dry-run").stderr.splitlines()[-1]
    expected = f"would upload the manifest, the archive (1.9 KiB) is already in {place.folder}; nothing was sent"
    assert said == expected


def test_a_manifest_of_segments_that_is_missing_goes_up_alone(cluster: Cluster, in_segments: Place) -> None:
    in_segments.upload()
    in_segments.client.remove(in_segments.manifest)
    cluster.reset()
    assert in_segments.upload().bytes_sent == 0
    assert cluster.counters()["content"] == {"write_file": len(in_segments.built.manifest)}
    in_segments.assert_complete()


def test_an_archive_that_is_missing_goes_up_alone(cluster: Cluster, place: Place) -> None:
    place.upload()
    place.client.remove(place.archive)
    cluster.reset()
    result = place.upload()
    assert (result.bytes_sent, result.manifest_sent) == (place.built.size, 0)
    assert cluster.counters()["content"] == {"write_file": place.built.size}
    place.assert_complete()


def test_a_joined_archive_that_is_missing_is_joined_again(cluster: Cluster, in_segments: Place) -> None:
    in_segments.upload()
    in_segments.client.remove(in_segments.archive)
    cluster.reset()
    in_segments.upload()
    assert cluster.counters()["content"] == {}
    in_segments.assert_complete()


def test_a_link_that_is_missing_is_made(place: Place) -> None:
    place.upload()
    place.client.remove(f"{place.link}&")
    assert place.upload().bytes_sent == 0
    place.assert_complete()


def test_a_folder_that_was_removed_is_filled_again(place: Place) -> None:
    place.upload()
    place.client.remove(place.folder, recursive=True)
    assert place.upload().bytes_sent == place.built.size
    place.assert_complete()


def test_a_folder_that_is_removed_during_an_upload_is_an_error(cluster: Cluster, in_segments: Place) -> None:
    cluster.fault("create", "500", nth=12)
    with pytest.raises(ClusterError) as caught:
        in_segments.upload()
    assert caught.value.hint
    cluster.clear_faults()
    assert in_segments.unfinished() == []


# Expired


def test_an_expired_archive_goes_up_anew(cluster: Cluster, place: Place) -> None:
    place.upload()
    cluster.advance(15 * DAY)
    assert not place.exists(place.archive)
    assert place.upload().bytes_sent == place.built.size
    place.assert_complete()


def test_an_expired_archive_of_segments_goes_up_anew(cluster: Cluster, in_segments: Place) -> None:
    in_segments.upload()
    cluster.advance(15 * DAY)
    assert in_segments.upload().bytes_sent == in_segments.built.size
    in_segments.assert_complete()


def test_an_archive_that_expires_sooner_than_configured_goes_up_anew(cluster: Cluster, place: Place) -> None:
    place.upload(expiration_days=2)
    cluster.advance(3 * DAY)
    assert place.upload(expiration_days=2).bytes_sent == place.built.size


# Something else in the way


def test_a_file_that_is_no_archive_is_replaced(place: Place) -> None:
    junk(place, place.archive)
    assert place.upload().bytes_sent == place.built.size
    place.assert_complete()


def test_an_archive_that_was_cut_is_replaced(place: Place) -> None:
    size = place.built.size
    junk(place, place.archive, place.built.content[:-1], ytbuild_key=place.built.key, ytbuild_size=size)
    assert place.upload().bytes_sent == size
    place.assert_complete()


def test_an_archive_of_another_key_is_replaced(place: Place) -> None:
    junk(place, place.archive, b"other", ytbuild_key="0" * 32, ytbuild_size=5)
    place.upload()
    place.assert_complete()


def test_a_folder_in_the_archive_s_place_is_replaced(place: Place) -> None:
    place.client.create("map_node", f"{place.archive}/inside", recursive=True)
    place.upload()
    place.assert_complete()


def test_a_file_that_is_no_manifest_is_replaced(place: Place) -> None:
    place.upload()
    junk(place, place.manifest)
    assert place.upload().bytes_sent == 0
    place.assert_complete()


def test_a_file_that_is_no_archive_of_segments_is_replaced(in_segments: Place) -> None:
    junk(in_segments, in_segments.archive)
    in_segments.upload()
    in_segments.assert_complete()


@pytest.mark.parametrize("size", [4, 99])
def test_a_segment_of_another_size_is_replaced(cluster: Cluster, in_segments: Place, size: int) -> None:
    in_segments.upload()
    key = list(in_segments.built.segments)[2]
    in_segments.client.remove(in_segments.archive)
    junk(in_segments, in_segments.segment(key), ytbuild_key=key if size == 99 else "", ytbuild_size=size)
    cluster.reset()
    result = in_segments.upload()
    assert (result.segments_sent, result.bytes_sent) == (1, len(in_segments.built.segments[key]))
    in_segments.assert_complete()


def test_a_table_in_a_segment_s_place_is_replaced(in_segments: Place) -> None:
    in_segments.client.create("table", in_segments.segment(next(iter(in_segments.built.segments))), recursive=True)
    in_segments.upload()
    in_segments.assert_complete()


def test_an_archive_of_the_same_key_from_another_compressor_is_taken(place: Place) -> None:
    junk(place, place.archive, b"the same, packed otherwise", ytbuild_key=place.built.key, ytbuild_size=26)
    assert place.upload().bytes_sent == 0
    assert place.read(place.archive) == b"the same, packed otherwise"


# The link


def test_a_link_that_leads_elsewhere_is_turned(place: Place) -> None:
    place.upload()
    junk(place, f"{place.folder}/other")
    place.client.link(f"{place.folder}/other", place.link, force=True)
    place.upload()
    assert place.get(f"{place.link}&/@target_path") == place.archive
    assert place.read(f"{place.folder}/other") == b"junk"


def test_a_link_that_leads_nowhere_is_turned(place: Place) -> None:
    junk(place, f"{place.folder}/gone")
    place.client.link(f"{place.folder}/gone", place.link)
    place.client.remove(f"{place.folder}/gone")
    place.upload()
    place.assert_complete()


def test_a_file_in_the_link_s_place_is_replaced(place: Place) -> None:
    junk(place, place.link)
    place.upload()
    place.assert_complete()


# The folder


@pytest.mark.parametrize("name", ["папка с пробелом", "日本", "it's", "a=b,c", "%20"])
def test_a_folder_of_any_name(cluster: Cluster, place: Place, name: str) -> None:
    odd = place.below(name)
    odd.upload()
    odd.assert_complete()
    cluster.reset()
    odd.upload()
    assert cluster.counters()["total"] <= 3


def test_a_folder_of_any_name_by_the_command(place: Place) -> None:
    odd = place.below("папка")
    result = odd.run()
    assert f"[Upload] Uploading code to {odd.archive}" in result.stderr.splitlines()
    odd.assert_complete()


def test_segments_in_a_folder_of_any_name(in_segments: Place) -> None:
    odd = in_segments.below("папка")
    odd.upload()
    odd.assert_complete()


def test_a_folder_behind_a_link(cluster: Cluster, place: Place) -> None:
    place.client.create("map_node", f"{place.folder}/real")
    place.client.link(f"{place.folder}/real", f"{place.folder}/linked")
    linked = Place(cluster, f"{place.folder}/linked", place.built)
    linked.upload()
    assert place.read(f"{place.folder}/real/archives/{place.built.key}.tar.gz") == place.built.content
    assert linked.read(linked.link) == place.built.content
    cluster.reset()
    linked.upload()
    assert cluster.counters()["total"] <= 3


def test_segments_in_a_folder_behind_a_link(any_cluster: Any, in_segments: Place) -> None:
    in_segments.client.create("map_node", f"{in_segments.folder}/real")
    in_segments.client.link(f"{in_segments.folder}/real", f"{in_segments.folder}/linked")
    linked = Place(any_cluster, f"{in_segments.folder}/linked", in_segments.built)
    linked.upload()
    assert linked.read(linked.archive) == in_segments.built.content


@pytest.mark.parametrize("path", ["{}/taken", "{}/taken/below"])
def test_a_folder_that_is_a_file_is_an_error_that_names_it(place: Place, path: str) -> None:
    junk(place, f"{place.folder}/taken")
    wrong = Place(place.cluster, path.format(place.folder), place.built)
    with pytest.raises(ClusterError) as caught:
        wrong.upload()
    assert f"{place.folder}/taken" in caught.value.message and caught.value.hint
    assert place.read(f"{place.folder}/taken") == b"junk"


def test_what_else_is_in_the_folder_stays(place: Place) -> None:
    junk(place, f"{place.folder}/mine/notes")
    junk(place, f"{place.folder}/archives/notes")
    place.upload()
    assert place.read(f"{place.folder}/mine/notes") == place.read(f"{place.folder}/archives/notes") == b"junk"


def test_without_a_folder_in_the_configuration_there_is_no_store(place: Place) -> None:
    from ytbuild.graph.plan import Planner

    config = Planner(str(place.built.pipeline.root), None, ("pipeline.build_folder=null",)).config
    with place.store() as store, pytest.raises(ConfigError, match=r"pipeline\.build_folder is missing"):
        cypress_store(config, store.connection)


@pytest.mark.parametrize("change", [lambda place: None, Place.upload], ids=["empty", "uploaded"])
def test_nothing_is_remembered_here(place: Place, change: Callable[[Place], object]) -> None:
    change(place)
    before = {path for path in (place.built.pipeline.root / ".build").rglob("*") if path.name != "log"}
    place.upload()
    assert {path for path in (place.built.pipeline.root / ".build").rglob("*") if path.name != "log"} == before
