r"""Cypress paths on both backends: what one refuses the other refuses, in the same words; what one takes, too."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.prod.clients import dev_client, prod_client
from tests.cluster.running import Cluster, RealCluster
from ytbuild.backends.base import Client
from ytbuild.base.errors import CypressPathError

FILE = "configs/config.yaml"
CALLS: dict[str, Callable[[Client, Any], Any]] = {
    "write_table": lambda client, path: client.write_table(path, []),
    "read_table": lambda client, path: client.read_table(path),
    "iter_table": lambda client, path: client.iter_table(path),
    "row_count": lambda client, path: client.row_count(path),
    "exists": lambda client, path: client.exists(path),
    "create_path": lambda client, path: client.create_path(path),
    "create_path of a file": lambda client, path: client.create_path(path, "file"),
    "create_path of a table": lambda client, path: client.create_path(path, "table"),
    "remove": lambda client, path: client.remove(path, force=True),
    "move from": lambda client, path: client.move(path, "//tmp/other"),
    "move to": lambda client, path: client.move("//tmp/other", path),
    "upload_file": lambda client, path: client.upload_file(FILE, path),
    "upload_directory": lambda client, path: client.upload_directory("configs", path),
}
REFUSED = [
    *("", "/", "//", "tmp/x", "/tmp/x", "//tmp//x", "//tmp/", "//tmp/../t", "//tmp/./t", r"//tmp/\x2e\x2e/t"),
    *("//tmp/x/@type", "//tmp/x&", "//tmp/*", "#1-2-3-4", "//tmp/x[#1:#2]", "//tmp/x{a}", "<append=%true>//tmp/x"),
    *(r"//tmp/a\q", "//tmp/a\\", r"//tmp/\xff", "//tmp/a\0b", r"//tmp/\x00", None, 7, b"//tmp/x"),
]
# Two spellings of a name each.
TAKEN = [
    *((r"A", r"\x41"), (r"a\@b", r"a\x40b"), (r"a\/b", r"a\x2fb"), (r"a\\b", r"a\x5cb"), (r"\[1]", r"\x5b1]")),
    *(("#1", r"\x231"), ("ж", r"\xd0\xb6"), (r"\x1b", "\x1b"), (r"\*", r"\x2a"), ('a"<b>}', r"a\x22<b>}")),
]


@pytest.fixture(scope="module")
def both(
    running_cluster: Cluster | RealCluster, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[tuple[Client, Client]]:
    """A client of this machine, and one of a cluster."""
    place = tmp_path_factory.mktemp("paths")
    with dev_client(place / "dev") as dev, prod_client(running_cluster, place / "prod") as prod:
        yield dev, prod


@pytest.mark.parametrize("call", CALLS)
def test_what_leads_to_no_node_is_refused_in_the_same_words(both: tuple[Client, Client], call: str) -> None:
    for path in REFUSED:
        said = []
        for client in both:
            with pytest.raises(CypressPathError) as caught:
                CALLS[call](client, path)
            said.append((caught.value.message, caught.value.hint))
        assert said[0] == said[1]


@pytest.mark.parametrize(("one", "other"), TAKEN)
def test_a_node_has_one_name_however_it_is_written(
    both: tuple[Client, Client], folder: str, one: str, other: str
) -> None:
    for client in both:
        client.write_table(f"{folder}/tables/{one}", [{"n": 1}])
        assert client.read_table(f"{folder}/tables/{other}") == [{"n": 1}]
        client.upload_file(FILE, f"{folder}/{one}/file", create_parent_dir=True)
        assert client.exists(f"{folder}/{other}") and client.exists(f"{folder}/{other}/file")
        client.move(f"{folder}/tables/{other}", f"{folder}/moved")
        assert not client.exists(f"{folder}/tables/{one}")
        client.remove(f"{folder}/moved")
        client.remove(f"{folder}/{other}", recursive=True)
        assert not client.exists(f"{folder}/{one}")


def test_local_files_of_odd_names_are_uploaded(both: tuple[Client, Client], folder: str, tmp_path: Path) -> None:
    names = ["a@b", "[1]", "c*", "{d}", "e\\f"]
    for name in names:
        (tmp_path / name).write_text("x")
    uploaded = [client.upload_directory(str(tmp_path), f"{folder}/odd") for client in both]
    assert uploaded[0] == uploaded[1] and len(uploaded[0]) == len(names)
    assert all(client.exists(path) for client in both for path in uploaded[0])
