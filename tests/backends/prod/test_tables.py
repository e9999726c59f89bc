"""Tables of a cluster: all rows or none, types kept, nothing cut short."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.prod.clients import prod_client
from tests.cluster.running import Cluster, RealCluster
from ytbuild.backends.prod.client import ProdClient
from ytbuild.base.errors import ClusterError, TableError
from ytbuild.cluster import nodes, pieces
from ytbuild.rows import encode

# The official client leaves the sockets of failed requests to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

Row = dict[str, Any]


@pytest.fixture
def client(any_cluster: Cluster | RealCluster, tmp_path: Path) -> Iterator[ProdClient]:
    with prod_client(any_cluster, tmp_path / "pipeline") as client:
        yield client


@pytest.fixture
def small_pieces(monkeypatch: pytest.MonkeyPatch) -> None:
    """Ten rows or so in a request."""
    monkeypatch.setattr(pieces, "PIECE", 100)
    monkeypatch.setattr(pieces, "_BLOCK", 50)


def numbers(count: int, first: int = 0) -> list[Row]:
    return [{"n": number} for number in range(first, first + count)]


# Writing and reading


def test_what_is_written_is_read(client: ProdClient, cypress: str) -> None:
    rows: list[Row] = [
        {"text": "é\u2028\U0001f600\x07", "n": 1, "f": 1.0, "yes": True, "none": None},
        {"text": "", "n": -(2**63), "f": 1e300, "list": [None, True, {"ключ": [1.5, "\\u00e9"]}], "map": {}},
        {"n": 2**64 - 1},
    ]
    client.write_table(f"{cypress}/t", rows)
    read = client.read_table(f"{cypress}/t")
    assert read == rows
    assert [type(value) for value in read[0].values()] == [str, int, float, bool, type(None)]


def test_names_that_begin_with_a_dollar_stay_as_they_are(client: ProdClient, cypress: str) -> None:
    rows: list[Row] = [{"$value": 1, "$$x": "$y", "map": {"$attributes": {"$type": [{"$": 1}]}}}]
    client.write_table(f"{cypress}/t", rows)
    assert client.read_table(f"{cypress}/t") == rows


def test_a_text_that_is_not_utf8_comes_as_bytes(
    client: ProdClient, any_cluster: Cluster | RealCluster, cypress: str
) -> None:
    any_cluster.client().write_table(
        f"{cypress}/t", [b'{"a":"\\u00ff","b":"\\u00c3\\u00a9"}'], format="json", raw=True
    )
    assert client.read_table(f"{cypress}/t") == [{"a": b"\xff", "b": "é"}]


def test_a_table_is_replaced(client: ProdClient, cypress: str) -> None:
    client.write_table(f"{cypress}/t", numbers(5))
    client.write_table(f"{cypress}/t", numbers(2))
    assert client.read_table(f"{cypress}/t") == numbers(2)


def test_rows_are_appended(client: ProdClient, cypress: str) -> None:
    client.write_table(f"{cypress}/t", numbers(2))
    client.write_table(f"{cypress}/t", numbers(3, first=2), append=True)
    assert client.read_table(f"{cypress}/t") == numbers(5)


@pytest.mark.parametrize("append", [False, True])
def test_no_rows_make_an_empty_table(client: ProdClient, cypress: str, append: bool) -> None:
    client.write_table(f"{cypress}/t", [], append=append)
    assert (client.row_count(f"{cypress}/t"), client.read_table(f"{cypress}/t")) == (0, [])


def test_no_rows_empty_a_table(client: ProdClient, cypress: str) -> None:
    client.write_table(f"{cypress}/t", numbers(2))
    client.write_table(f"{cypress}/t", [])
    assert client.row_count(f"{cypress}/t") == 0


@pytest.mark.usefixtures("small_pieces")
def test_rows_go_in_pieces_and_stay_in_order(client: ProdClient, cluster: Cluster, cypress: str) -> None:
    client.write_table(f"{cypress}/t", (row for row in numbers(100)))
    assert cluster.counters()["requests"]["write_table"] > 5
    assert client.read_table(f"{cypress}/t") == numbers(100)


def test_a_row_longer_than_the_clusters_default_is_written(client: ProdClient, cypress: str) -> None:
    client.write_table(f"{cypress}/t", [{"text": "x" * (17 << 20)}])
    assert len(client.read_table(f"{cypress}/t")[0]["text"]) == 17 << 20


@pytest.mark.usefixtures("small_pieces")
def test_others_see_the_old_rows_until_all_are_written(
    client: ProdClient, any_cluster: Cluster | RealCluster, cypress: str
) -> None:
    client.write_table(f"{cypress}/t", numbers(1))
    seen: list[int] = []

    def rows() -> Iterator[Row]:
        for number in range(100):
            if number == 99:
                seen.append(any_cluster.client().get(f"{cypress}/t/@row_count"))
            yield {"n": number}

    client.write_table(f"{cypress}/t", rows())
    assert (seen, client.row_count(f"{cypress}/t")) == ([1], 100)


def test_the_table_stays_the_same_node(client: ProdClient, any_cluster: Cluster | RealCluster, cypress: str) -> None:
    client.write_table(f"{cypress}/t", numbers(1))
    official = any_cluster.client()
    official.set(f"{cypress}/t/@mine", "kept")
    node = official.get(f"{cypress}/t/@id")
    client.write_table(f"{cypress}/t", numbers(2))
    assert (official.get(f"{cypress}/t/@id"), official.get(f"{cypress}/t/@mine")) == (node, "kept")


def test_a_new_table_has_the_replication_factor(
    client: ProdClient, any_cluster: Cluster | RealCluster, cypress: str
) -> None:
    client.write_table(f"{cypress}/t", numbers(1), replication_factor=2)
    assert any_cluster.client().get(f"{cypress}/t/@replication_factor") == 2


def test_folders_above_a_table_are_made(client: ProdClient, cypress: str) -> None:
    client.write_table(f"{cypress}/a/b/t", numbers(1))
    assert client.row_count(f"{cypress}/a/b/t") == 1


def test_without_make_parents_a_missing_folder_is_an_error(client: ProdClient, cypress: str) -> None:
    with pytest.raises(TableError, match=f"there is no folder {cypress}/a for {cypress}/a/t"):
        client.write_table(f"{cypress}/a/t", numbers(1), make_parents=False)


def test_a_table_is_written_through_a_link(
    client: ProdClient, any_cluster: Cluster | RealCluster, cypress: str
) -> None:
    client.write_table(f"{cypress}/t", numbers(1))
    any_cluster.client().link(f"{cypress}/t", f"{cypress}/link")
    client.write_table(f"{cypress}/link", numbers(3))
    assert client.row_count(f"{cypress}/t") == 3


# What no table can hold

BAD_ROWS = [
    ({"n": float("nan")}, "row 1, column 'n': a float that JSON cannot hold"),
    ({"n": float("inf")}, "row 1, column 'n': a float that JSON cannot hold"),
    ({"n": 2**64}, "row 1, column 'n': an integer outside int64 and uint64"),
    ({"n": [{"x": -(2**63) - 1}]}, "row 1, column 'n': an integer outside int64 and uint64"),
    ({"n": b"x"}, "row 1, column 'n': a bytes that JSON cannot hold"),
    ({"n": "\ud800"}, "row 1, column 'n': a str that JSON cannot hold"),
    ({1: "x"}, "row 1 has the column 1, which is no text"),
    ([1], "row 1 is list, not a dict"),
]


@pytest.mark.parametrize(("row", "message"), BAD_ROWS)
def test_a_row_that_no_table_can_hold_is_named(client: ProdClient, cypress: str, row: Any, message: str) -> None:
    with pytest.raises(TableError) as caught:
        client.write_table(f"{cypress}/t", [{"n": 0}, row])
    assert caught.value.message == f"{cypress}/t: {message}"
    assert not client.exists(f"{cypress}/t")


def test_a_row_that_is_too_long_is_named(client: ProdClient, cypress: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(encode, "DEFAULT_MAX_ROW_WEIGHT", 100)
    with pytest.raises(TableError, match="row 0 has 108 bytes, and YTsaurus takes 100"):
        client.write_table(f"{cypress}/t", [{"n": "x" * 99}])


def test_a_bad_first_row_is_found_before_the_cluster_is_asked(
    client: ProdClient, cluster: Cluster, cypress: str
) -> None:
    cluster.reset()
    with pytest.raises(TableError):
        client.write_table(f"{cypress}/t", [{"n": float("nan")}])
    assert cluster.counters()["total"] == 0


@pytest.mark.usefixtures("small_pieces")
def test_a_bad_last_row_leaves_the_table_as_it_was(client: ProdClient, cypress: str) -> None:
    client.write_table(f"{cypress}/t", numbers(1))
    with pytest.raises(TableError, match="row 100"):
        client.write_table(f"{cypress}/t", [*numbers(100), {"n": float("nan")}])
    assert client.read_table(f"{cypress}/t") == numbers(1)


@pytest.mark.usefixtures("small_pieces")
def test_what_the_rows_raise_goes_through_and_nothing_is_written(client: ProdClient, cypress: str) -> None:
    def rows() -> Iterator[Row]:
        yield from numbers(100)
        raise KeyError("mine")

    with pytest.raises(KeyError, match="mine"):
        client.write_table(f"{cypress}/t", rows())
    assert not client.exists(f"{cypress}/t")


# Failures on the way


@pytest.mark.usefixtures("small_pieces")
@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "503"])
def test_a_piece_that_fails_once_is_written_once(
    client: ProdClient, cluster: Cluster, cypress: str, kind: str
) -> None:
    cluster.fault("write_table", kind, nth=3)
    client.write_table(f"{cypress}/t", numbers(100))
    assert client.read_table(f"{cypress}/t") == numbers(100)


@pytest.mark.usefixtures("small_pieces")
def test_a_piece_that_always_fails_leaves_the_table_as_it_was(cluster: Cluster, tmp_path: Path, cypress: str) -> None:
    with prod_client(cluster, tmp_path / "pipeline", retry_seconds=0.7) as client:
        client.write_table(f"{cypress}/t", numbers(1))
        cluster.fault("write_table", "503", nth=5, count=1000)
        with pytest.raises(ClusterError, match="503"):
            client.write_table(f"{cypress}/t", numbers(100))
        cluster.clear_faults()
        assert client.read_table(f"{cypress}/t") == numbers(1)


@pytest.mark.parametrize("kind", ["reset_before", "reset_after", "503", "short_body", "trailer_error"])
def test_a_download_that_breaks_once_goes_on(client: ProdClient, cluster: Cluster, cypress: str, kind: str) -> None:
    client.write_table(f"{cypress}/t", numbers(3000))
    cluster.fault("read_table", kind)
    assert client.read_table(f"{cypress}/t") == numbers(3000)
    assert cluster.faults()[0]["applied"] == 1


def test_a_download_that_is_always_cut_short_is_an_error(cluster: Cluster, tmp_path: Path, cypress: str) -> None:
    with prod_client(cluster, tmp_path / "pipeline", retry_seconds=0.7) as client:
        client.write_table(f"{cypress}/t", numbers(3000))
        cluster.fault("read_table", "short_body", nth="every")
        with pytest.raises(ClusterError, match="of 3,000 rows arrived whole"):
            client.read_table(f"{cypress}/t")


def test_rows_are_those_of_one_moment(client: ProdClient, cypress: str) -> None:
    client.write_table(f"{cypress}/t", numbers(3000))
    rows = client.iter_table(f"{cypress}/t")
    first = next(rows)
    client.write_table(f"{cypress}/t", numbers(1, first=7))
    assert [first, *rows] == numbers(3000)


def test_rows_that_nobody_reads_on_keep_nothing_locked(
    client: ProdClient, any_cluster: Cluster | RealCluster, cypress: str
) -> None:
    client.write_table(f"{cypress}/t", numbers(3000))
    rows = client.iter_table(f"{cypress}/t")
    next(rows)
    assert any_cluster.client().get(f"{cypress}/t/@lock_count") == 1
    rows.close()  # type: ignore[attr-defined]
    assert any_cluster.client().get(f"{cypress}/t/@lock_count") == 0


# Nodes


def test_a_missing_table_names_the_cluster(
    client: ProdClient, any_cluster: Cluster | RealCluster, cypress: str
) -> None:
    with pytest.raises(TableError) as caught:
        client.row_count(f"{cypress}/t")
    assert caught.value.message == f"there is no table {cypress}/t on {any_cluster.address}"


def test_a_folder_is_no_table(client: ProdClient, cypress: str) -> None:
    for action in (client.read_table, client.row_count, lambda path: client.write_table(path, numbers(1))):
        with pytest.raises(TableError, match="is a map_node, not a table"):
            action(cypress)


def test_a_dynamic_table_is_refused(client: ProdClient, cypress: str, monkeypatch: pytest.MonkeyPatch) -> None:
    client.create_path(f"{cypress}/t", "table")
    real = nodes.attributes
    monkeypatch.setattr(nodes, "attributes", lambda *given: {**real(*given), "dynamic": True})
    for action in (client.read_table, client.row_count):
        with pytest.raises(TableError, match="is a dynamic table"):
            action(f"{cypress}/t")


def test_another_node_at_the_path_is_named(client: ProdClient, cypress: str) -> None:
    client.create_path(f"{cypress}/x", "file")
    with pytest.raises(TableError, match=f"{cypress}/x is a file, not a map_node"):
        client.create_path(f"{cypress}/x")
