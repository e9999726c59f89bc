"""What `ytbuild upload` promises: what is on the cluster afterwards, how little is asked, what is said."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from hashlib import md5
from pathlib import Path
from secrets import token_hex
from subprocess import CompletedProcess

import pytest

from tests.cli.terminal import on_a_terminal
from tests.cluster.running import Cluster, RealCluster
from tests.support import clean_environment
from tests.upload.place import Built, Place

DAY = 24 * 3600
READS = {"api", "hosts", "get", "list", "exists", "execute_batch", "read_file"}
PACKAGING = "[Upload] Packaging code..."
UPLOADED = "[Upload] Code uploaded successfully"


# What is there


def test_an_uploaded_archive_is_the_built_one(place: Place) -> None:
    place.run()
    assert place.read(place.archive) == place.built.pipeline.archive().read_bytes()


def test_an_uploaded_archive_passes_gunzip(place: Place) -> None:
    place.upload()
    subprocess.run(["gunzip", "-t"], input=place.read(place.archive), check=True)


def test_an_uploaded_manifest_is_the_built_one(place: Place) -> None:
    place.upload()
    newest = place.built.pipeline.root / ".build" / "manifest.json"
    assert place.read(place.manifest) == newest.read_bytes()


def test_the_link_leads_to_the_archive(place: Place) -> None:
    place.upload()
    assert place.get(f"{place.link}&/@type") == "link"
    assert place.get(f"{place.link}/@ytbuild_key") == place.built.key
    assert place.read(place.link) == place.built.content


def test_the_link_leads_to_the_newest_archive(own_place: Place) -> None:
    own_place.upload()
    own_place.built.pipeline.write("stages/first/src/more.py", "1\n")
    newer = own_place.rebuilt()
    newer.upload()
    assert newer.get(f"{newer.link}&/@target_path") == newer.archive


def test_an_older_archive_stays_as_it_is(own_place: Place) -> None:
    own_place.upload()
    content, changed = own_place.built.content, own_place.get(f"{own_place.archive}/@modification_time")
    own_place.built.pipeline.write("stages/first/src/more.py", "1\n")
    own_place.rebuilt().upload()
    assert own_place.read(own_place.archive) == content
    assert own_place.get(f"{own_place.archive}/@content_revision") > 0
    assert own_place.get(f"{own_place.archive}/@modification_time") == changed


def test_going_back_to_an_older_archive_moves_the_link_only(own_place: Place) -> None:
    own_place.upload()
    own_place.built.pipeline.write("stages/first/src/more.py", "1\n")
    own_place.rebuilt().upload()
    again = own_place.upload()
    assert (again.bytes_sent, again.manifest_sent) == (0, 0)
    assert own_place.get(f"{own_place.link}&/@target_path") == own_place.archive


def test_an_archive_carries_its_key(place: Place) -> None:
    place.upload()
    assert place.get(f"{place.archive}/@ytbuild_key") == place.built.key


def test_an_archive_carries_its_md5(place: Place) -> None:
    place.upload()
    assert place.get(f"{place.archive}/@md5") == md5(place.built.content).hexdigest()


def test_the_folder_holds_nothing_else(place: Place) -> None:
    place.upload()
    assert place.client.list(place.folder) == ["archives", "manifests", "source.tar.gz"]
    assert len(place.files()) == 2


def test_no_transaction_stays_open(cluster: Cluster, place: Place) -> None:
    place.upload()
    assert place.unfinished() == []


def test_a_folder_that_does_not_exist_is_made(place: Place) -> None:
    result = place.run("-o", f"pipeline.build_folder={place.folder}/a/b")
    assert f"in {place.folder}/a/b" in result.stderr or f"to {place.folder}/a/b" in result.stderr
    assert place.read(f"{place.folder}/a/b/source.tar.gz") == place.built.content


# How long it stays


@pytest.mark.parametrize(("given", "days"), [((), 14), (("-o", "pipeline.prod.expiration_days=3"), 3)])
def test_archive_and_manifest_expire(place: Place, given: tuple[str, ...], days: int) -> None:
    place.run(*given)
    for path in (place.archive, place.manifest):
        assert place.get(f"{path}/@expiration_timeout") == days * DAY * 1000


def test_an_upload_that_sends_nothing_refreshes_the_expiration(place: Place) -> None:
    place.upload()
    client = place.client
    for path in (place.archive, place.manifest):
        client.set(f"{path}/@expiration_timeout", 1_000_000)
    place.upload()
    for path in (place.archive, place.manifest):
        assert place.get(f"{path}/@expiration_timeout") == 14 * DAY * 1000


def test_what_is_uploaded_again_in_time_stays(cluster: Cluster, place: Place) -> None:
    place.upload()
    for _ in range(3):
        cluster.advance(10 * DAY)
        assert place.upload().bytes_sent == 0


def test_what_nobody_uploads_again_goes(cluster: Cluster, place: Place) -> None:
    place.upload()
    cluster.advance(15 * DAY)
    assert place.files() == {}


# How little is asked and sent


def test_an_upload_of_nothing_new_takes_three_requests_at_most(cluster: Cluster, place: Place) -> None:
    place.upload()
    cluster.reset()
    place.run()
    assert cluster.counters()["total"] <= 3


def test_an_upload_of_nothing_new_sends_no_content(cluster: Cluster, place: Place) -> None:
    place.upload()
    cluster.reset()
    place.run()
    counted = cluster.counters()
    assert counted["received"] == {}
    assert "write_file" not in counted["requests"] and "concatenate" not in counted["requests"]


def test_link_and_expiration_are_asked_for_and_refreshed_in_one_request(cluster: Cluster, place: Place) -> None:
    place.upload()
    cluster.reset()
    place.upload()
    counted = cluster.counters()
    assert counted["requests"]["execute_batch"] == 1
    assert counted["batched"] == {"get": 3, "set": 2}


def test_a_small_archive_goes_up_in_one_write(cluster: Cluster, place: Place) -> None:
    place.upload()
    written = [each["path"] for each in cluster.requests() if each["command"] == "write_file"]
    assert written == [place.archive, place.manifest]


def test_an_archive_below_the_limit_goes_up_whole(cluster: Cluster, place: Place, medium: Built) -> None:
    place = Place(cluster, place.folder, medium)
    place.upload()
    assert cluster.counters()["requests"]["write_file"] == 2
    assert not place.exists(f"{place.folder}/segments")
    assert place.read(place.archive) == medium.content


def test_the_archive_travels_as_it_is_and_the_manifest_compressed(cluster: Cluster, place: Place) -> None:
    place.upload()
    archive, manifest = [each for each in cluster.requests() if each["command"] == "write_file"]
    assert archive["headers"]["Content-Encoding"] == "identity"
    assert manifest["headers"]["Content-Encoding"] == "gzip"


def test_the_cluster_is_asked_for_the_hash(cluster: Cluster, place: Place) -> None:
    place.upload()
    for each in cluster.requests():
        assert each["command"] != "write_file" or each["parameters"]["compute_md5"]


def test_peak_memory_does_not_depend_on_the_archive(large_place: Place, small: Built) -> None:
    def peak(place: Place) -> int:
        process = subprocess.Popen(
            [sys.executable, "-m", "ytbuild", "upload", "-q", "-o", f"pipeline.build_folder={place.folder}/memory"],
            cwd=place.built.pipeline.root,
            env=clean_environment(**place.cluster.environment),
        )
        _, status, usage = os.wait4(process.pid, 0)
        process.returncode = os.waitstatus_to_exitcode(status)
        assert process.returncode == 0
        return usage.ru_maxrss << 10

    little = peak(Place(large_place.cluster, large_place.folder, small))
    # The first build after a change reads the archive once more; that is not what is measured here.
    archive = Path(large_place.built.archive.path)
    time.sleep(max(0, archive.stat().st_ctime + 2.1 - time.time()))
    large_place.built.pipeline.build()
    much = peak(large_place)
    assert large_place.read(f"{large_place.folder}/memory/source.tar.gz") == large_place.built.content
    assert much - little < large_place.built.size // 2


# --dry-run


def test_a_dry_run_only_reads(cluster: Cluster, place: Place) -> None:
    cluster.reset()
    place.run("--dry-run")
    counted = cluster.counters()
    assert set(counted["requests"]) <= READS
    assert set(counted["batched"]) <= READS
    assert counted["received"] == {}


def test_a_dry_run_refreshes_nothing(cluster: Cluster, place: Place) -> None:
    place.upload()
    cluster.reset()
    place.run("--dry-run")
    assert cluster.counters()["batched"] == {"get": 3}


# What is said


@dataclass(frozen=True)
class Told:
    """What two uploads with nothing changed between them said, and a dry run before and after."""

    place: Place
    dry_before: CompletedProcess[str]
    first: CompletedProcess[str]
    second: CompletedProcess[str]
    dry_after: CompletedProcess[str]


@pytest.fixture(scope="module")
def told(running_cluster: Cluster | RealCluster, small: Built) -> Iterator[Told]:
    place = Place(running_cluster, f"{running_cluster.root}/ytbuild-test-{token_hex(6)}", small)
    dry_before = place.run("--json", "--dry-run")
    assert not place.exists(place.folder), "a dry run made something"
    yield Told(place, dry_before, place.run("--json"), place.run("--json"), place.run("--json", "--dry-run"))
    place.client.remove(place.folder, recursive=True)


def test_an_upload_as_json(told: Told) -> None:
    answer = json.loads(told.first.stdout)
    place, built = told.place, told.place.built
    assert answer.pop("seconds") > 0
    assert answer == {
        "format_version": "1.0",
        "key": built.key,
        "proxy": place.cluster.environment["YT_PROXY"],
        "archive": place.archive,
        "manifest": place.manifest,
        "link": place.link,
        "size": built.size,
        "bytes_sent": built.size,
        "bytes_skipped": 0,
        "manifest_bytes_sent": len(built.manifest),
        "segments": {"total": 1, "sent": 1},
    }


def test_an_upload_of_nothing_new_as_json(told: Told) -> None:
    answer = json.loads(told.second.stdout)
    assert (answer["bytes_sent"], answer["bytes_skipped"]) == (0, told.place.built.size)
    assert (answer["manifest_bytes_sent"], answer["segments"]["sent"]) == (0, 0)


def test_a_dry_run_as_json(told: Told) -> None:
    assert json.loads(told.dry_before.stdout) == {
        "format_version": "1.0",
        "key": told.place.built.key,
        "proxy": told.place.cluster.environment["YT_PROXY"],
        "archive": told.place.archive,
        "size": told.place.built.size,
        "bytes_to_send": told.place.built.size,
        "bytes_to_skip": 0,
        "segments": {"total": 1, "to_send": 1},
    }


def test_a_dry_run_after_an_upload_as_json(told: Told) -> None:
    answer = json.loads(told.dry_after.stdout)
    assert (answer["bytes_to_send"], answer["bytes_to_skip"]) == (0, told.place.built.size)
    assert answer["segments"]["to_send"] == 0


def test_the_log_of_an_upload(told: Told) -> None:
    said = told.first.stderr.splitlines()
    assert [line for line in said if line.startswith("[Upload]")] == [
        PACKAGING,
        f"[Upload] Uploading code to {told.place.archive}",
        UPLOADED,
    ]


def test_the_log_of_an_upload_that_sends_nothing(told: Told) -> None:
    said = told.second.stderr.splitlines()
    assert [line for line in said if line.startswith("[Upload]")] == [PACKAGING, UPLOADED]


def test_a_dry_run_does_not_say_that_anything_was_uploaded(told: Told) -> None:
    said = told.dry_before.stderr.splitlines()
    assert [line for line in said if line.startswith("[Upload]")] == [PACKAGING]


def test_the_last_line_of_an_upload(told: Told) -> None:
    said = told.first.stderr.splitlines()[-1]
    assert re.fullmatch(rf"uploaded the archive \(1\.9 KiB\) to {told.place.folder}, in [\d.]+s", said)


def test_the_last_line_of_an_upload_that_sends_nothing(told: Told) -> None:
    said = told.second.stderr.splitlines()[-1]
    assert re.fullmatch(rf"nothing to upload: 1\.9 KiB already in {told.place.folder}, in [\d.]+s", said)


def test_the_last_line_of_a_dry_run(told: Told) -> None:
    said = told.dry_before.stderr.splitlines()[-1]
    assert said == f"would upload the archive (1.9 KiB) to {told.place.folder}; nothing was sent"


def test_the_last_line_of_a_dry_run_after_an_upload(told: Told) -> None:
    said = told.dry_after.stderr.splitlines()[-1]
    assert said == f"nothing to upload: 1.9 KiB already in {told.place.folder}"


def test_the_cluster_is_named_with_where_its_address_came_from(told: Told) -> None:
    address = told.place.cluster.environment["YT_PROXY"]
    assert f"cluster {address} (from YT_PROXY in the environment)" in told.first.stderr.splitlines()


def test_without_a_terminal_there_is_no_bar(told: Told) -> None:
    said = told.first.stderr
    assert "uploading [" not in said and "\x1b" not in said and "\r" not in said


def test_a_quiet_upload_says_nothing(place: Place) -> None:
    result = place.run("-q")
    assert (result.stdout, result.stderr) == ("", "")


def test_a_bar_counts_the_bytes_of_a_small_archive(place: Place) -> None:
    said = on_a_terminal(
        place.built.pipeline,
        "upload",
        "-o",
        f"pipeline.build_folder={place.folder}",
        **place.cluster.environment,
    )
    assert re.search(r"uploading \[#+\] 1\.9 KiB of 1\.9 KiB\r\x1b\[2K", said)


# What is refused


def test_without_a_build_folder_nothing_is_asked(cluster: Cluster, own_place: Place) -> None:
    cluster.reset()
    result = own_place.built.pipeline.run("upload", YT_PROXY=cluster.address, YT_TOKEN=cluster.token)
    assert result.returncode == 2
    assert "error: configs/config.yaml: pipeline.build_folder is missing" in result.stderr
    assert "hint: " in result.stderr
    assert cluster.counters()["total"] == 0


def test_without_a_cluster_the_variable_is_named(place: Place) -> None:
    result = place.run(check=False, YT_PROXY="")
    assert result.returncode == 2
    assert "error: there is no cluster to talk to: YT_PROXY is not set" in result.stderr
    assert "hint: " in result.stderr


def test_a_refused_token_ends_in_an_error_that_names_where_it_came_from(cluster: Cluster, place: Place) -> None:
    result = place.run(check=False, YT_TOKEN="wrong-token")
    assert result.returncode == 1
    assert f"error: YT_TOKEN was refused by {cluster.address}" in result.stderr
    assert "YT_TOKEN in the environment" in result.stderr and "Traceback" not in result.stderr
    assert UPLOADED not in result.stderr
