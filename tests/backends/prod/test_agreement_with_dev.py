"""Dev and prod agree: the same call gives the same result, or the same kind of error, and leaves the same nodes."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.backends.prod.clients import dev_client, outcome, prod_client
from tests.cluster.running import Cluster, RealCluster
from ytbuild.backends.base import Client
from ytbuild.backends.prod.client import ProdClient

# The official client leaves the sockets of failed requests to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")


@pytest.fixture
def client(any_cluster: Cluster | RealCluster, tmp_path: Path) -> Iterator[ProdClient]:
    with prod_client(any_cluster, tmp_path / "pipeline") as client:
        yield client


ACTIONS: dict[str, Callable[[Client, str], Any]] = {
    "read a missing table": lambda client, root: client.read_table(f"{root}/no"),
    "iterate over a missing table": lambda client, root: list(client.iter_table(f"{root}/no/no")),
    "count a missing table": lambda client, root: client.row_count(f"{root}/no"),
    "count": lambda client, root: client.row_count(f"{root}/t"),
    "read": lambda client, root: client.read_table(f"{root}/t"),
    "write a bad row": lambda client, root: client.write_table(f"{root}/t", [{"n": float("nan")}]),
    "write to no path": lambda client, root: client.write_table("t", []),
    "write to a range": lambda client, root: client.write_table(f"{root}/t[#1:]", []),
    "a path with an empty part": lambda client, root: client.upload_file("configs/config.yaml", f"{root}//x"),
    "a table exists": lambda client, root: client.exists(f"{root}/t"),
    "a file exists": lambda client, root: client.exists(f"{root}/file"),
    "a folder exists": lambda client, root: client.exists(f"{root}/folder"),
    "nothing exists": lambda client, root: client.exists(f"{root}/no"),
    "make a table": lambda client, root: client.create_path(f"{root}/a/b", "table"),
    "make a table that is there": lambda client, root: client.create_path(f"{root}/t", "table"),
    "make a folder that is there": lambda client, root: client.create_path(f"{root}/folder"),
    "make a file": lambda client, root: client.create_path(f"{root}/a/f", "file"),
    "make what is none": lambda client, root: client.create_path(f"{root}/a", "document"),
    "remove a table": lambda client, root: client.remove(f"{root}/t"),
    "remove a file": lambda client, root: client.remove(f"{root}/file"),
    "remove a full folder": lambda client, root: client.remove(f"{root}/folder"),
    "remove a full folder by force": lambda client, root: client.remove(f"{root}/folder", force=True),
    "remove a full folder and all in it": lambda client, root: client.remove(f"{root}/folder", recursive=True),
    "remove an empty folder": lambda client, root: client.remove(f"{root}/empty"),
    "remove nothing": lambda client, root: client.remove(f"{root}/no"),
    "remove nothing by force": lambda client, root: client.remove(f"{root}/no", force=True),
    "move a table": lambda client, root: client.move(f"{root}/t", f"{root}/x/y"),
    "move a folder": lambda client, root: client.move(f"{root}/folder", f"{root}/x"),
    "move over a file": lambda client, root: client.move(f"{root}/t", f"{root}/file"),
    "move over a file by force": lambda client, root: client.move(f"{root}/t", f"{root}/file", force=True),
    "move over a folder by force": lambda client, root: client.move(f"{root}/t", f"{root}/folder", force=True),
    "move nothing": lambda client, root: client.move(f"{root}/no", f"{root}/x"),
    "move to itself": lambda client, root: client.move(f"{root}/t", f"{root}/t"),
    "move nothing to itself": lambda client, root: client.move(f"{root}/no", f"{root}/no"),
    "move into itself": lambda client, root: client.move(f"{root}/folder", f"{root}/folder/x"),
    "upload no file": lambda client, root: client.upload_file("no", f"{root}/x"),
    "upload a folder as a file": lambda client, root: client.upload_file("stages", f"{root}/x"),
    "upload over a file": lambda client, root: client.upload_file("stages/first/config.yaml", f"{root}/file"),
    "upload a folder": lambda client, root: [
        path.removeprefix(root) for path in client.upload_directory("stages", f"{root}/up", "*.py")
    ],
    "upload no folder": lambda client, root: client.upload_directory("no", f"{root}/up"),
    "an odd row weight": lambda client, root: client.run_yql("SELECT 1", max_row_weight="129M"),
}

PLACES = ("t", "file", "folder", "folder/inside", "empty", "a", "a/b", "a/f", "x", "x/y", "x/inside", "up/first/src")


def prepared(client: Client, root: str) -> None:
    client.write_table(f"{root}/t", [{"n": 1}, {"n": 2}])
    client.upload_file("configs/config.yaml", f"{root}/file", create_parent_dir=True)
    client.write_table(f"{root}/folder/inside", [{"n": 1}])
    client.create_path(f"{root}/empty")


@pytest.mark.parametrize("name", ACTIONS)
def test_dev_and_prod_agree(client: ProdClient, tmp_path: Path, cypress: str, name: str) -> None:
    outcomes: list[Any] = []
    with dev_client(tmp_path / "dev") as dev:
        for each in (dev, client):
            prepared(each, cypress)
            answer = outcome(lambda each=each: ACTIONS[name](each, cypress))  # type: ignore[misc]
            outcomes.append((answer, [each.exists(f"{cypress}/{place}") for place in PLACES]))
    assert outcomes[0] == outcomes[1]
