"""Faults of the cluster while something is uploaded: it is completed, or ends in a clear error.

Nothing half-written is ever seen. A fault hits the n-th request of a command, wherever that is in the course of an
upload. Those of connections are repeated; those of a transaction begin it anew; what the cluster refuses is an error.
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from hashlib import md5

import pytest

from tests.cluster.running import Cluster
from tests.upload.place import Place
from tests.upload.relay import relay
from ytbuild.base.errors import ArchiveError, ClusterError, UploadError, YtbuildError

pytestmark = pytest.mark.usefixtures("soon")

# Which of the requests of a command are hit, over the wire or inside a batch.
WHOLE = {"api": [1], "hosts": [1, 2], "execute_batch": range(1, 6), "write_file": [1, 2], "commit_transaction": [1]}
WHOLE |= {"link": [1]}
SEGMENTS = {"execute_batch": [5, 7, 9], "hosts": [1], "write_file": [1, 6], "concatenate": [1]}
# The folders, then the archive and the manifest; both looked for, the link, then both checked.
FOLDERS, FILES, LOOKS, CHECKS = [1, 2], [3, 4], [1, 2, 3], [4, 5]
OF_THE_TRANSACTION = {"start_transaction": [1], "create": FILES, "get": CHECKS, "write_file": [1, 2]}
OF_THE_TRANSACTION |= {"commit_transaction": [1]}
REFUSABLE = {**OF_THE_TRANSACTION, "create": FOLDERS + FILES, "get": LOOKS + CHECKS, "link": [1]}
OF_SEGMENTS = {"start_transaction": [3], "create": [12], "write_file": [2], "commit_transaction": [3]}
OF_SEGMENTS |= {"concatenate": [1]}


@pytest.fixture
def faulty(cluster: Cluster, place: Place) -> Place:
    """The small pipeline, and an empty folder on a cluster that counts from now on."""
    cluster.reset()
    return place


def failure(place: Place) -> YtbuildError | None:
    """Upload, and return what it ended in."""
    try:
        place.upload()
    except YtbuildError as error:
        return error
    return None


def check_what_is_left(cluster: Cluster, place: Place, failed: YtbuildError | None) -> None:
    """Check that what can be seen is whole, that no transaction is open, and that an error is clear."""
    assert cluster.faults()[0]["applied"] == 1, "the fault hit nothing: the test tests nothing"
    cluster.clear_faults()
    assert place.unfinished() == []
    if failed is None:
        place.assert_complete()
    else:
        assert place.problems() == [] and place.not_whole() == []
        assert failed.message and failed.hint and len(failed.message) < 400 and failed.message.isprintable()


def hit(place: Place, command: str, kind: str, requests: Iterable[int] = (1,)) -> list[YtbuildError | None]:
    """Upload with a fault of each of these requests; check what is left, and return what the uploads ended in."""
    assert isinstance(place.cluster, Cluster)
    failures: list[YtbuildError | None] = []
    for nth in requests:
        below = place.below(f"{command}-{kind}-{nth}")
        place.cluster.reset()
        # The official client itself gets something, now and then, and goes on without it.
        place.cluster.fault(command, kind, nth=nth, seconds=0.8, path=below.folder if command == "get" else "")
        failures.append(failure(below))
        check_what_is_left(place.cluster, below, failures[-1])
    return failures


# Faults that pass


@pytest.mark.parametrize("kind", ["reset_after", "503"])
@pytest.mark.parametrize("command", WHOLE)
def test_a_request_that_fails_in_passing_is_repeated(place: Place, command: str, kind: str) -> None:
    assert not any(hit(place, command, kind, WHOLE[command]))


@pytest.mark.parametrize("kind", ["reset_before", "502", "904"])
def test_a_request_that_fails_in_another_way_is_repeated(place: Place, kind: str) -> None:
    for command in ("execute_batch", "write_file", "commit_transaction", "link"):
        assert not any(hit(place, command, kind))


@pytest.mark.parametrize("command", SEGMENTS)
def test_a_request_for_segments_that_fails_in_passing_is_repeated(in_segments: Place, command: str) -> None:
    assert not any(hit(in_segments, command, "reset_after", SEGMENTS[command]))


def test_a_write_of_segments_that_meets_a_busy_proxy_is_repeated(in_segments: Place) -> None:
    assert not any(hit(in_segments, "write_file", "503", SEGMENTS["write_file"]))


@pytest.mark.parametrize("command", ["write_file", "commit_transaction"])
def test_a_request_that_hangs_is_repeated(place: Place, command: str) -> None:
    assert not any(hit(place, command, "hang"))


def test_a_write_of_a_segment_that_hangs_is_repeated(in_segments: Place) -> None:
    assert not any(hit(in_segments, "write_file", "hang"))


def test_a_write_that_breaks_off_in_the_middle_is_repeated(cluster: Cluster, in_segments: Place) -> None:
    cluster.fault("write_file", "reset_before", nth=3, bytes=1_000_000)
    assert failure(in_segments) is None
    check_what_is_left(cluster, in_segments, None)


@pytest.mark.parametrize("command", OF_THE_TRANSACTION)
def test_a_transaction_that_is_lost_begins_anew(place: Place, command: str) -> None:
    assert not any(hit(place, command, "11000", OF_THE_TRANSACTION[command]))


@pytest.mark.parametrize("command", OF_SEGMENTS)
def test_a_segment_s_transaction_that_is_lost_begins_anew(in_segments: Place, command: str) -> None:
    assert not any(hit(in_segments, command, "11000", OF_SEGMENTS[command]))


@pytest.mark.parametrize("kind", ["402", "501"])
def test_a_name_that_somebody_else_has_just_taken_is_looked_for_again(place: Place, kind: str) -> None:
    assert not any(hit(place, "create", kind, FILES))


@pytest.mark.parametrize("kind", ["402", "501"])
def test_a_segment_s_name_that_somebody_else_has_just_taken_is_looked_for_again(
    in_segments: Place, kind: str
) -> None:
    assert not any(hit(in_segments, "create", kind, [11, 13]))


@pytest.mark.parametrize("kind", ["901", "902", "402", "501", "11000"])
def test_an_expiration_that_cannot_be_refreshed_is_no_failure(cluster: Cluster, place: Place, kind: str) -> None:
    place.upload()
    cluster.fault("set", kind)
    assert failure(place) is None
    check_what_is_left(cluster, place, None)


# What is refused


@pytest.mark.parametrize("command", REFUSABLE)
def test_what_is_refused_is_an_error(place: Place, command: str) -> None:
    assert all(isinstance(error, ClusterError) for error in hit(place, command, "901", REFUSABLE[command]))


@pytest.mark.parametrize("kind", ["401", "902"])
def test_what_is_refused_for_another_reason_is_an_error(place: Place, kind: str) -> None:
    for command in ("get", "start_transaction", "create", "write_file", "commit_transaction", "link"):
        assert isinstance(hit(place, command, kind)[0], ClusterError)


@pytest.mark.parametrize("command", ["create", "write_file", "concatenate"])
def test_what_is_refused_of_segments_is_an_error(in_segments: Place, command: str) -> None:
    assert all(isinstance(error, ClusterError) for error in hit(in_segments, command, "901", OF_SEGMENTS[command]))


@pytest.mark.parametrize("kind", ["402", "501"])
def test_an_error_that_no_other_upload_explains_is_told_of(place: Place, kind: str) -> None:
    for command in ("create", "write_file", "commit_transaction", "link"):
        (failed,) = hit(place, command, kind)
        assert failed is not None and failed.message.startswith(command)


def test_a_token_that_is_refused_is_an_error_at_once(cluster: Cluster, faulty: Place) -> None:
    cluster.tokens("another")
    began = time.monotonic()
    failed = failure(faulty)
    assert failed is not None and failed.message == f"YT_TOKEN was refused by {cluster.address}"
    assert time.monotonic() - began < 2


def test_a_folder_that_may_not_be_written_is_an_error_that_names_it(cluster: Cluster, faulty: Place) -> None:
    cluster.deny(faulty.folder)
    failed = failure(faulty)
    assert failed is not None
    assert failed.message == (
        f"create {faulty.folder}/archives: the user root has no write permission for node {faulty.folder}/archives"
    )


def test_what_is_there_already_needs_no_permission_to_write(cluster: Cluster, faulty: Place) -> None:
    faulty.upload()
    cluster.deny(faulty.folder)
    assert faulty.upload().bytes_sent == 0


def test_a_full_account_is_an_error_that_names_it(cluster: Cluster, in_segments: Place) -> None:
    cluster.quota(5_000_000)
    failed = failure(in_segments)
    assert failed is not None and "account tmp is over its disk space limit" in failed.message
    assert in_segments.not_whole() == [] and in_segments.unfinished() == []


def test_after_an_account_was_full_only_the_rest_goes_up(cluster: Cluster, in_segments: Place) -> None:
    cluster.quota(7_000_000)
    assert failure(in_segments) is not None
    cluster.quota(None)
    arrived = sum(size for size, _ in in_segments.files().values())
    result = in_segments.upload()
    assert result.bytes_sent == in_segments.built.size - arrived
    in_segments.assert_complete()


# Faults that last


@pytest.mark.parametrize("command", ["execute_batch", "write_file"])
def test_a_fault_that_lasts_ends_in_an_error_in_time(cluster: Cluster, faulty: Place, command: str) -> None:
    cluster.fault(command, "503", nth="every")
    began = time.monotonic()
    with pytest.raises(ClusterError) as caught:
        faulty.upload(retry_seconds=0.5)
    assert caught.value.transient
    assert f"the cluster {cluster.address} (from the test) is not available" in caught.value.message
    assert time.monotonic() - began < 5
    cluster.clear_faults()
    assert faulty.problems() == []
    faulty.upload()
    faulty.assert_complete()


@pytest.mark.parametrize("command", ["write_file", "concatenate"])
def test_a_fault_of_segments_that_lasts_ends_in_an_error_in_time(
    cluster: Cluster, in_segments: Place, command: str
) -> None:
    cluster.fault(command, "503", nth="every")
    began = time.monotonic()
    with pytest.raises(ClusterError, match="is not available"):
        in_segments.upload(retry_seconds=0.5)
    assert time.monotonic() - began < 5
    cluster.clear_faults()
    assert in_segments.problems() == [] and in_segments.unfinished() == []


def test_after_a_fault_the_upload_goes_on_where_it_was(cluster: Cluster, in_segments: Place) -> None:
    cluster.fault("concatenate", "901")
    assert failure(in_segments) is not None
    cluster.reset()
    assert in_segments.upload().segments_sent == 0
    assert cluster.counters()["content"] == {"write_file": len(in_segments.built.manifest)}
    in_segments.assert_complete()


# Several faults at once


@pytest.mark.parametrize("seed", range(5))
def test_random_faults_leave_nothing_half_written(cluster: Cluster, in_segments: Place, seed: int) -> None:
    source = random.Random(seed)
    commands = ["execute_batch", "create", "get", "write_file", "concatenate", "commit_transaction", "hosts", "link"]
    kinds = ["reset_before", "reset_after", "503", "11000", "402", "501", "902", "901", "500", "904"]
    weights = [5, 5, 5, 5, 2, 2, 1, 1, 1, 2]
    for _ in range(5):
        (kind,) = source.choices(kinds, weights)
        cluster.fault(source.choice(commands), kind, nth=source.randint(1, 12), bytes=source.choice((0, 500_000)))
    failed = failure(in_segments)
    cluster.clear_faults()
    assert in_segments.unfinished() == []
    if in_segments.exists(in_segments.folder):
        assert in_segments.problems() == [] and in_segments.not_whole() == []
    if failed is None:
        in_segments.assert_complete()
    in_segments.upload()
    in_segments.assert_complete()


# Other bytes than were sent


DIRECT = {"proxy": {"enable_proxy_discovery": False}}


def test_an_archive_that_is_changed_on_its_way_is_an_error(cluster: Cluster, faulty: Place) -> None:
    old = faulty.built.content[500:516]
    with (
        relay(cluster.address, old, bytes(16)) as address,
        pytest.raises(
            UploadError, match=f"{faulty.archive} is not what was sent: 1910 of 1910 bytes, md5 "
        ) as caught,
    ):
        faulty.upload(address=address, client_config=DIRECT)
    assert caught.value.hint
    assert faulty.files() == {} and faulty.unfinished() == []


def test_a_segment_that_is_changed_on_its_way_is_an_error(cluster: Cluster, in_segments: Place) -> None:
    key, content = list(in_segments.built.segments.items())[3]
    path = in_segments.segment(key)
    with (
        relay(cluster.address, content[700_000:700_016], bytes(16)) as address,
        pytest.raises(UploadError, match=f"{path} is not what was sent"),
    ):
        in_segments.upload(address=address, client_config=DIRECT)
    assert in_segments.problems() == [] and in_segments.unfinished() == []
    assert not in_segments.exists(path) and not in_segments.exists(in_segments.archive)


def test_an_upload_without_what_changed_the_data_completes(cluster: Cluster, in_segments: Place) -> None:
    content = list(in_segments.built.segments.values())[3]
    with relay(cluster.address, content[:16], bytes(16)) as address, pytest.raises(UploadError):
        in_segments.upload(address=address, client_config=DIRECT)
    in_segments.upload()
    in_segments.assert_complete()


@contextmanager
def tampered(place: Place, command: str, nth: int, action: Callable[[str], None]) -> Iterator[None]:
    """Hold a request up, and meanwhile do something in the last transaction that wrote a file."""
    cluster = place.cluster
    assert isinstance(cluster, Cluster)
    cluster.fault(command, "hang", nth=nth, seconds=0.5)

    def act() -> None:
        deadline = time.monotonic() + 20
        while not cluster.faults()[0]["applied"]:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        wrote = [each for each in cluster.requests() if each["command"] in ("write_file", "concatenate")]
        action(wrote[-1]["parameters"]["transaction_id"])

    thread = threading.Thread(target=act)
    thread.start()
    yield
    thread.join()


def test_an_archive_of_another_size_is_an_error(faulty: Place) -> None:
    client = faulty.cluster.client()

    def cut(transaction: str) -> None:
        with client.Transaction(transaction_id=transaction):
            client.write_file(faulty.archive, faulty.built.content[:-1], compute_md5=True)

    with tampered(faulty, "execute_batch", 5, cut), pytest.raises(UploadError) as caught:
        faulty.upload()
    digest = md5(faulty.built.content[:-1]).hexdigest()
    assert f"1909 of 1910 bytes, md5 {digest}" in caught.value.message
    assert faulty.files() == {}


def test_a_joined_archive_of_another_size_is_an_error(cluster: Cluster, in_segments: Place) -> None:
    client = cluster.client()

    def cut(transaction: str) -> None:
        with client.Transaction(transaction_id=transaction):
            client.write_file(in_segments.archive, b"other")

    in_segments.upload()
    client.remove(in_segments.archive)
    cluster.reset()
    # To look, for the segments twice, to make folders, a transaction, the archive in it, and to check.
    with (
        tampered(in_segments, "execute_batch", 7, cut),
        pytest.raises(UploadError, match=f"5 of {in_segments.built.size}"),
    ):
        in_segments.upload()
    assert not in_segments.exists(in_segments.archive)


# What is uploaded changes


def test_an_archive_that_is_cut_while_it_is_sent_is_an_error(cluster: Cluster, faulty: Place) -> None:
    path = faulty.built.pipeline.root / ".build" / "archives" / f"{faulty.built.key}.tar.gz"
    content = path.read_bytes()
    try:
        path.write_bytes(content[:100])
        with pytest.raises(ArchiveError, match="was cut while it was sent") as caught:
            faulty.upload()
        assert caught.value.hint
        assert faulty.files() == {} and faulty.unfinished() == []
    finally:
        path.write_bytes(content)
