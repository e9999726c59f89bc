"""Files of a cluster: whole or not at all, and those that `.ytignore` leaves."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.prod.clients import prod_client
from tests.cluster.running import Cluster, RealCluster
from tests.upload.relay import relay
from ytbuild.backends.prod.client import ProdClient
from ytbuild.base.errors import ClusterError, SourceError, TableError, UploadError
from ytbuild.cluster import pieces

# The official client leaves the sockets of failed requests to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "pipeline"


@pytest.fixture
def client(any_cluster: Cluster | RealCluster, folder: Path) -> Iterator[ProdClient]:
    with prod_client(any_cluster, folder) as client:
        yield client


def content(cluster: Cluster | RealCluster, path: str) -> bytes:
    data: bytes = cluster.client().read_file(path).read()
    return data


def test_a_file_arrives_as_it_is(client: ProdClient, any_cluster: Any, cypress: str, folder: Path) -> None:
    data = bytes(range(256)) * 1000
    (folder / "data.bin").write_bytes(data)
    client.upload_file("data.bin", f"{cypress}/data")
    assert content(any_cluster, f"{cypress}/data") == data


def test_an_absolute_path_is_taken(client: ProdClient, any_cluster: Any, cypress: str, tmp_path: Path) -> None:
    (tmp_path / "data").write_bytes(b"x")
    client.upload_file(str(tmp_path / "data"), f"{cypress}/data")
    assert content(any_cluster, f"{cypress}/data") == b"x"


def test_an_empty_file_arrives(client: ProdClient, any_cluster: Any, cypress: str, folder: Path) -> None:
    (folder / "data").write_bytes(b"")
    client.upload_file("data", f"{cypress}/data")
    assert content(any_cluster, f"{cypress}/data") == b""


def test_a_file_goes_in_pieces(
    client: ProdClient, cluster: Cluster, cypress: str, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1 << 20)
    data = os.urandom(5 << 20)
    (folder / "data").write_bytes(data)
    client.upload_file("data", f"{cypress}/data")
    assert cluster.counters()["requests"]["write_file"] == 5
    assert content(cluster, f"{cypress}/data") == data


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "503"])
def test_a_piece_that_fails_once_is_sent_again(
    client: ProdClient, cluster: Cluster, cypress: str, folder: Path, monkeypatch: pytest.MonkeyPatch, kind: str
) -> None:
    monkeypatch.setattr(pieces, "PIECE", 1 << 20)
    data = os.urandom(3 << 20)
    (folder / "data").write_bytes(data)
    cluster.fault("write_file", kind, nth=2)
    client.upload_file("data", f"{cypress}/data")
    assert content(cluster, f"{cypress}/data") == data


def test_a_file_is_replaced_and_stays_the_same_node(
    client: ProdClient, any_cluster: Any, cypress: str, folder: Path
) -> None:
    (folder / "data").write_bytes(b"longer than the new one")
    client.upload_file("data", f"{cypress}/data")
    node = any_cluster.client().get(f"{cypress}/data/@id")
    (folder / "data").write_bytes(b"new")
    client.upload_file("data", f"{cypress}/data")
    assert content(any_cluster, f"{cypress}/data") == b"new"
    assert any_cluster.client().get(f"{cypress}/data/@id") == node


def test_an_upload_that_fails_leaves_the_old_file(
    client: ProdClient, cluster: Cluster, cypress: str, folder: Path
) -> None:
    (folder / "data").write_bytes(b"old")
    client.upload_file("data", f"{cypress}/data")
    (folder / "data").write_bytes(b"new")
    cluster.fault("write_file", "902")
    with pytest.raises(ClusterError, match="is over its disk space limit"):
        client.upload_file("data", f"{cypress}/data")
    assert content(cluster, f"{cypress}/data") == b"old"


def test_a_file_that_did_not_arrive_as_it_is_replaces_nothing(cluster: Cluster, cypress: str, folder: Path) -> None:
    with relay(cluster.address, b"the new bytes", b"the odd bytes") as address:
        direct = {"proxy": {"url": address, "enable_proxy_discovery": False}}
        with prod_client(cluster, folder, client_config=direct) as client:
            (folder / "data").write_bytes(b"the old bytes")
            client.upload_file("data", f"{cypress}/data")
            (folder / "data").write_bytes(b"the new bytes")
            sums = [hashlib.md5(data).hexdigest() for data in (b"the odd bytes", b"the new bytes")]
            text = f"{cypress}/data is not what was sent: 13 of 13 bytes, md5 {sums[0]} instead of {sums[1]}"
            with pytest.raises(UploadError, match=text):
                client.upload_file("data", f"{cypress}/data")
    assert content(cluster, f"{cypress}/data") == b"the old bytes"


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_a_file_is_executable_there_when_it_is_here(
    client: ProdClient, any_cluster: Any, cypress: str, folder: Path, mode: int
) -> None:
    (folder / "tool").write_text("#!/bin/sh\n")
    (folder / "tool").chmod(0o755)
    client.upload_file("tool", f"{cypress}/tool")
    (folder / "tool").chmod(mode)
    client.upload_file("tool", f"{cypress}/tool")
    assert bool(any_cluster.client().get(f"{cypress}/tool/@executable")) == (mode == 0o755)


def test_a_missing_folder_is_an_error(client: ProdClient, cypress: str, folder: Path) -> None:
    (folder / "data").write_bytes(b"x")
    with pytest.raises(TableError, match=f"there is no folder {cypress}/a/b for {cypress}/a/b/data"):
        client.upload_file("data", f"{cypress}/a/b/data")


def test_a_missing_folder_is_made_when_asked_for(
    client: ProdClient, any_cluster: Any, cypress: str, folder: Path
) -> None:
    (folder / "data").write_bytes(b"x")
    client.upload_file("data", f"{cypress}/a/b/data", create_parent_dir=True)
    assert content(any_cluster, f"{cypress}/a/b/data") == b"x"


def test_a_table_is_not_replaced_by_a_file(client: ProdClient, cypress: str, folder: Path) -> None:
    client.write_table(f"{cypress}/t", [{"n": 1}])
    (folder / "data").write_bytes(b"x")
    with pytest.raises(TableError, match=f"{cypress}/t is a table, not a file"):
        client.upload_file("data", f"{cypress}/t")


def test_a_missing_local_file_is_named(client: ProdClient, cypress: str) -> None:
    with pytest.raises(TableError, match="no is no readable file"):
        client.upload_file("no", f"{cypress}/x")


def filled(folder: Path) -> None:
    for name in ("a.txt", "b.md", "deep/er/c.txt", "left/out.txt"):
        (folder / "data" / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / "data" / name).write_text(name)
    (folder / ".ytignore").write_text("left/\n")


def test_a_folder_arrives_without_what_is_ignored(
    client: ProdClient, any_cluster: Any, cypress: str, folder: Path
) -> None:
    filled(folder)
    uploaded = client.upload_directory("data", f"{cypress}/up")
    assert uploaded == [f"{cypress}/up/a.txt", f"{cypress}/up/b.md", f"{cypress}/up/deep/er/c.txt"]
    assert content(any_cluster, f"{cypress}/up/deep/er/c.txt") == b"deep/er/c.txt"
    assert not client.exists(f"{cypress}/up/left")


def test_a_pattern_chooses_files_by_name(client: ProdClient, cypress: str, folder: Path) -> None:
    filled(folder)
    uploaded = client.upload_directory("data", f"{cypress}/up", "*.txt")
    assert uploaded == [f"{cypress}/up/a.txt", f"{cypress}/up/deep/er/c.txt"]


def test_no_folder_is_an_error(client: ProdClient, cypress: str) -> None:
    with pytest.raises(SourceError, match="no is not a folder"):
        client.upload_directory("no", f"{cypress}/up")


def test_a_file_of_a_folder_that_fails_is_named(
    client: ProdClient, cluster: Cluster, cypress: str, folder: Path
) -> None:
    filled(folder)
    cluster.fault("write_file", "902", path="b.md")
    cluster.fault("write_file", "902", nth=2)
    with pytest.raises(ClusterError, match=rf"upload_file {cypress}/up/\S+: the account tmp"):
        client.upload_directory("data", f"{cypress}/up")
