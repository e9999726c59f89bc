"""The tree of the stand-in, seen through the official client."""

from __future__ import annotations

import time
from typing import Any

import pytest
from yt.wrapper import YtClient
from yt.wrapper.errors import YtResolveError, YtResponseError

from tests.cluster.running import Cluster, RealCluster

pytestmark = pytest.mark.quick


@pytest.fixture
def client(any_cluster: Cluster | RealCluster) -> YtClient:
    return any_cluster.client()


def test_create_makes_missing_maps_only_when_recursive(client: YtClient, cypress: str) -> None:
    with pytest.raises(YtResolveError):
        client.create("file", f"{cypress}/a/b")
    client.create("file", f"{cypress}/a/b", recursive=True, attributes={"ключ": {"é": [1, 2.5, True, None, "ü"]}})
    assert client.get(f"{cypress}/a/@type") == "map_node"
    assert client.get(f"{cypress}/a/b/@ключ/é/4") == "ü"


def test_create_refuses_what_exists(client: YtClient, cypress: str) -> None:
    first = client.create("map_node", f"{cypress}/a")
    with pytest.raises(YtResponseError) as error:
        client.create("map_node", f"{cypress}/a")
    assert error.value.is_already_exists()
    assert client.create("map_node", f"{cypress}/a", ignore_existing=True) == first
    with pytest.raises(YtResponseError) as error:
        client.create("file", f"{cypress}/a", ignore_existing=True)
    assert error.value.is_already_exists()
    assert client.create("file", f"{cypress}/a", force=True) != first


def test_get_and_list_with_attributes(client: YtClient, cypress: str) -> None:
    client.create("file", f"{cypress}/a", attributes={"mine": 1})
    client.create("map_node", f"{cypress}/b")
    listed = {str(each): dict(each.attributes) for each in client.list(cypress, attributes=["type", "mine"])}
    assert listed == {"a": {"type": "file", "mine": 1}, "b": {"type": "map_node"}}
    assert client.get(f"{cypress}/a/@", attributes=["mine", "absent"]) == {"mine": 1}
    assert client.get(cypress, attributes=["mine"])["a"].attributes == {"mine": 1}


def test_a_missing_attribute_is_a_resolve_error(client: YtClient, cypress: str) -> None:
    with pytest.raises(YtResolveError):
        client.get(f"{cypress}/@absent")
    assert not client.exists(f"{cypress}/@absent")
    assert client.get_attribute(cypress, "absent", default=3) == 3


def test_set_and_remove_attributes(client: YtClient, cypress: str) -> None:
    client.set(f"{cypress}/@a", {"x": 1})
    client.set(f"{cypress}/@a/y", 2)
    client.remove(f"{cypress}/@a/x")
    assert client.get(f"{cypress}/@a") == {"y": 2}
    client.remove(f"{cypress}/@a")
    assert not client.exists(f"{cypress}/@a")
    with pytest.raises(YtResponseError):
        client.set(f"{cypress}/@id", "1-2-3-4")


def test_ids_are_paths(client: YtClient, cypress: str) -> None:
    node = client.create("document", f"{cypress}/d", attributes={"value": {"k": "v"}})
    assert client.get(f"#{node}/@path") == f"{cypress}/d"
    assert client.get(f"#{node}/k") == "v"


def test_a_link_leads_to_its_target_unless_suppressed(client: YtClient, cypress: str) -> None:
    client.create("file", f"{cypress}/a/file", recursive=True)
    client.link(f"{cypress}/a", f"{cypress}/latest")
    assert client.get(f"{cypress}/latest/file/@type") == "file"
    assert client.get(f"{cypress}/latest&/@target_path") == f"{cypress}/a"
    client.remove(f"{cypress}/latest")
    assert client.exists(f"{cypress}/a/file")


def test_a_link_to_nothing_needs_force(client: YtClient, cypress: str) -> None:
    with pytest.raises(YtResponseError, match="does not exist"):
        client.link(f"{cypress}/absent", f"{cypress}/latest")
    client.link(f"{cypress}/absent", f"{cypress}/latest", force=True)
    assert not client.exists(f"{cypress}/latest")
    assert client.get(f"{cypress}/latest&/@broken")


def test_a_link_is_replaced_by_force(client: YtClient, cypress: str) -> None:
    for name in ("one", "two"):
        client.create("file", f"{cypress}/{name}")
    client.link(f"{cypress}/one", f"{cypress}/latest")
    with pytest.raises(YtResponseError):
        client.link(f"{cypress}/two", f"{cypress}/latest")
    client.link(f"{cypress}/two", f"{cypress}/latest", force=True)
    assert client.get(f"{cypress}/latest/@key") == "two"


def test_copy_and_move(client: YtClient, cypress: str) -> None:
    client.create("map_node", f"{cypress}/a")
    client.write_file(f"{cypress}/a/file", b"content")
    client.copy(f"{cypress}/a", f"{cypress}/b/c", recursive=True)
    client.move(f"{cypress}/a", f"{cypress}/d")
    assert not client.exists(f"{cypress}/a")
    for folder in ("b/c", "d"):
        assert client.read_file(f"{cypress}/{folder}/file").read() == b"content"
    with pytest.raises(YtResponseError) as error:
        client.copy(f"{cypress}/d", f"{cypress}/b")
    assert error.value.is_already_exists()


def test_copy_drops_expiration_unless_asked_to_keep_it(client: YtClient, cypress: str) -> None:
    client.create("file", f"{cypress}/a", attributes={"expiration_timeout": 3_600_000, "mine": 1})
    client.copy(f"{cypress}/a", f"{cypress}/b")
    client.copy(f"{cypress}/a", f"{cypress}/c", preserve_expiration_timeout=True)
    assert client.get(f"{cypress}/b/@mine") == 1
    assert not client.exists(f"{cypress}/b/@expiration_timeout")
    assert client.get(f"{cypress}/c/@expiration_timeout") == 3_600_000


def test_remove(client: YtClient, cypress: str) -> None:
    client.create("file", f"{cypress}/a/b", recursive=True)
    with pytest.raises(YtResponseError):
        client.remove(f"{cypress}/a")
    client.remove(f"{cypress}/a", recursive=True)
    with pytest.raises(YtResolveError):
        client.remove(f"{cypress}/a")
    client.remove(f"{cypress}/a", force=True)


def test_set_needs_force_for_maps(client: YtClient, cypress: str) -> None:
    with pytest.raises(YtResponseError, match="forbidden"):
        client.set(f"{cypress}/a", {"b": 1})
    client.set(f"{cypress}/a", {"b": 1}, force=True)
    assert client.get(f"{cypress}/a") == {"b": 1}


def test_revisions_grow(client: YtClient, cypress: str) -> None:
    before = client.get(f"{cypress}/@revision")
    client.set(f"{cypress}/@a", 1)
    assert client.get(f"{cypress}/@revision") > before


def test_batch(client: YtClient, cypress: str) -> None:
    batch = client.create_batch_client()
    answers = [batch.create("file", f"{cypress}/a"), batch.get(f"{cypress}/absent"), batch.set(f"{cypress}/@x", "é")]
    batch.commit_batch()
    assert [answer.is_ok() for answer in answers] == [True, False, True]
    assert answers[1].get_error()["code"] == 500
    assert client.get(f"{cypress}/@x") == "é"


def test_json_headers(any_cluster: Cluster | RealCluster, cypress: str) -> None:
    client = any_cluster.client(proxy={"header_format": "json"})
    client.create("map_node", f"{cypress}/папка", attributes={"é": "ü"})
    assert client.get(f"{cypress}/папка/@é") == "ü"
    assert client.list(cypress) == ["папка"]


@pytest.mark.parametrize("touch", [None, "{}/@type", "{}"])
def test_expiration_timeout_counts_from_the_last_touch(cluster: Cluster, cypress: str, touch: str | None) -> None:
    client: Any = cluster.client()
    path = f"{cypress}/a"
    client.create("file", path, attributes={"expiration_timeout": 10_000})
    cluster.advance(8)
    if touch is not None:
        assert client.exists(touch.format(path))
    client.list(cypress, attributes=["expiration_timeout"])
    cluster.advance(8)
    assert client.exists(path) == (touch is not None)


def test_expiration_time_is_absolute(cluster: Cluster, cypress: str) -> None:
    client = cluster.client()
    until = time.strftime("%Y-%m-%dT%H:%M:%S.000000Z", time.gmtime(time.time() + 100))
    client.create("map_node", f"{cypress}/a/b", recursive=True)
    client.set(f"{cypress}/a/@expiration_time", until)
    cluster.advance(90)
    assert client.exists(f"{cypress}/a")
    cluster.advance(20)
    assert not client.exists(f"{cypress}/a")
