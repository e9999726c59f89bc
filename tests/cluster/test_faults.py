"""Faults, limits and counters of the stand-in, and what the official client makes of them."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from yt.packages.requests.exceptions import ConnectionError as LostConnection
from yt.packages.requests.exceptions import ReadTimeout
from yt.wrapper import JsonFormat, YtClient, errors
from yt.wrapper.errors import YtResponseError

from tests.cluster.running import ROOT, Cluster

BACKOFF = {"policy": "constant_time", "constant_time": 10}
# Gives up at once.
IMPATIENT: dict[str, Any] = {
    "proxy": {"retries": {"enable": False}, "request_timeout": 500, "heavy_request_timeout": 500},
    "read_retries": {"enable": False},
}
# Tries again at once.
EAGER: dict[str, Any] = {"proxy": {"retries": {"backoff": BACKOFF}}, "read_retries": {"backoff": BACKOFF, "count": 3}}


@pytest.fixture
def client(cluster: Cluster) -> YtClient:
    return cluster.client(**IMPATIENT)


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        ("reset_before", LostConnection),
        ("reset_after", LostConnection),
        ("hang", ReadTimeout),
        ("503", errors.YtProxyUnavailable),
        ("html502", errors.YtIncorrectResponse),
        ("401", errors.YtTokenError),
        ("402", errors.YtCypressTransactionLockConflict),
        ("500", errors.YtResolveError),
        ("902", errors.YtAccountLimitExceeded),
        ("904", errors.YtRequestQueueSizeLimitExceeded),
        ("202", errors.YtConcurrentOperationsLimitExceeded),
        ("11000", errors.YtNoSuchTransaction),
    ],
)
def test_faults_are_the_client_s_exceptions(client: YtClient, cluster: Cluster, kind: str, expected: type) -> None:
    client.get("//tmp/@type")
    cluster.fault("get", kind, seconds=2)
    with pytest.raises(expected):
        client.get("//tmp/@type")
    assert client.get("//tmp/@type") == "map_node"


def test_nth_and_count(client: YtClient, cluster: Cluster) -> None:
    cluster.fault("exists", "901", nth=2, count=2)
    answers = []
    for _ in range(4):
        try:
            answers.append(client.exists("//tmp"))
        except YtResponseError as error:
            answers.append(error.is_access_denied())
    assert cluster.faults()[0]["seen"] == 4
    assert cluster.faults()[0]["applied"] == 2
    assert answers == [True] * 4


def test_a_fault_for_one_path(client: YtClient, cluster: Cluster) -> None:
    cluster.fault("exists", "901", nth="every", path="//tmp/secret")
    assert client.exists("//tmp")
    for _ in range(2):
        with pytest.raises(YtResponseError):
            client.exists("//tmp/secret/a")


def test_a_fault_inside_a_batch(client: YtClient, cluster: Cluster) -> None:
    cluster.fault("exists", "901", nth=2)
    batch = client.create_batch_client()
    answers = [batch.exists("//tmp") for _ in range(3)]
    batch.commit_batch()
    assert [answer.is_ok() for answer in answers] == [True, False, True]
    assert cluster.counters()["batched"] == {"exists": 3}


def test_reset_before_has_no_effect_and_reset_after_has(client: YtClient, cluster: Cluster, cypress: str) -> None:
    client.exists("//tmp")
    for kind in ("reset_before", "reset_after"):
        cluster.fault("create", kind)
        with pytest.raises(LostConnection):
            client.create("file", f"{cypress}/{kind}")
    assert client.list(cypress) == ["reset_after"]


def test_an_upload_that_breaks_off_leaves_nothing(client: YtClient, cluster: Cluster, cypress: str) -> None:
    cluster.fault("write_file", "reset_before", bytes=1_000_000)
    with pytest.raises(LostConnection):
        client.write_file(f"{cypress}/a", os.urandom(8_000_000))
    assert not client.exists(f"{cypress}/a")
    assert client.get(f"{cypress}/@lock_count") == 0


def test_a_short_answer_with_its_length_is_taken_for_the_whole(cluster: Cluster, cypress: str) -> None:
    client = cluster.client(**EAGER)
    client.write_file(f"{cypress}/a", b"content!")
    cluster.fault("read_file", "short_body")
    assert client.read_file(f"{cypress}/a").read() == b"cont"


@pytest.mark.parametrize("fault", [{"kind": "short_body", "chunked": True}, {"kind": "trailer_error"}])
def test_a_broken_chunked_answer_is_read_again(cluster: Cluster, cypress: str, fault: dict[str, Any]) -> None:
    client = cluster.client(**EAGER)
    client.write_file(f"{cypress}/a", b"content!")
    cluster.fault("read_file", **fault)
    assert client.read_file(f"{cypress}/a").read() == b"content!"
    assert cluster.counters()["requests"]["read_file"] == 2


def test_faults_of_proxy_discovery(cluster: Cluster, cypress: str) -> None:
    client = cluster.client(**IMPATIENT)
    client.config["proxy"]["enable_proxy_discovery"] = True
    cluster.fault("hosts", "503", nth="every")
    with pytest.raises(errors.YtProxyUnavailable):
        client.write_file(f"{cypress}/a", b"content")


def test_quota(client: YtClient, cluster: Cluster, cypress: str) -> None:
    cluster.quota(1000)
    client.write_file(f"{cypress}/a", b"x" * 900)
    with pytest.raises(errors.YtAccountLimitExceeded):
        client.write_file(f"{cypress}/b", b"x" * 900)
    with pytest.raises(errors.YtAccountLimitExceeded):
        client.write_table(f"{cypress}/t", [{"a": "x" * 900}], format=JsonFormat())
    client.copy(f"{cypress}/a", f"{cypress}/c")


def test_denied_paths(client: YtClient, cluster: Cluster, cypress: str) -> None:
    client.create("map_node", f"{cypress}/closed")
    cluster.deny(f"{cypress}/closed")
    assert client.exists(f"{cypress}/closed")
    with pytest.raises(YtResponseError) as error:
        client.create("file", f"{cypress}/closed/a")
    assert error.value.is_access_denied()
    cluster.deny(f"{cypress}/closed", permission="all")
    with pytest.raises(YtResponseError):
        client.list(f"{cypress}/closed")


def test_tokens(client: YtClient, cluster: Cluster) -> None:
    wrong = cluster.client(token="wrong-token")
    with pytest.raises(errors.YtTokenError):
        wrong.exists("//tmp")
    cluster.tokens("another")
    with pytest.raises(errors.YtTokenError):
        client.exists("//tmp")


def test_counters_and_requests(client: YtClient, cluster: Cluster, cypress: str) -> None:
    cluster.reset()
    client.write_file(f"{cypress}/a", b"x" * 1234)
    client.read_file(f"{cypress}/a").read()
    counters = cluster.counters()
    assert counters["received"] == {"write_file": 1234}
    assert counters["sent"]["read_file"] == 1234
    assert counters["requests"]["write_file"] == 1
    written = next(each for each in cluster.requests() if each["command"] == "write_file")
    assert written["path"] == f"{cypress}/a"
    assert "Authorization" not in written["headers"]
    assert "test-token" not in repr(cluster.requests())


def test_a_compressed_body_is_counted_as_what_it_holds(cluster: Cluster, cypress: str) -> None:
    client = cluster.client(proxy={"content_encoding": "gzip"})
    client.write_file(f"{cypress}/a", b"x" * 100_000)
    assert cluster.counters()["content"] == {"write_file": 100_000}
    assert cluster.counters()["received"]["write_file"] < 10_000
    assert client.read_file(f"{cypress}/a").read() == b"x" * 100_000


@pytest.mark.parametrize("end", ["close stdin", "SIGTERM"])
def test_the_process_ends_by_itself(tmp_path: Path, end: str) -> None:
    command = [sys.executable, "-m", "tests.cluster", "--folder", str(tmp_path)]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None and process.stdout is not None
        assert process.stdout.readline().startswith(b"http://127.0.0.1:")
        started = time.monotonic()
        if end == "SIGTERM":
            process.send_signal(signal.SIGTERM)
        else:
            process.stdin.close()
        assert process.wait(timeout=20) == 0
        assert time.monotonic() - started < 5
