"""What the tests of operations share: a connection, and a place to run them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

import ytbuild.backends.prod.start_operation
import ytbuild.cluster.connection
from tests.backends.prod.made import connected
from tests.backends.prod.place import Place
from tests.cluster.running import Cluster
from ytbuild.cluster.connection import Connection


@pytest.fixture(autouse=True)
def soon(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses before something is tried again are a tenth of the real ones."""
    monkeypatch.setattr(ytbuild.cluster.connection, "_FIRST_PAUSE", 0.05)
    monkeypatch.setattr(ytbuild.backends.prod.start_operation, "_FIRST_PAUSE", 0.1)


@pytest.fixture
def connection(cluster: Cluster) -> Iterator[Connection]:
    """An impatient connection that hides one secret."""
    with connected(cluster, hidden=("hunter22",)) as connection:
        yield connection


@pytest.fixture
def place(connection: Connection, cluster: Cluster, cypress: str, tmp_path: Path) -> Place:
    """An input table, and an archive."""
    return Place(connection, cluster, cypress, tmp_path / "log")
