"""Clients of a cluster, and of this machine, for one pipeline."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.backends.prod.made import connected
from tests.cluster.running import Cluster, RealCluster
from tests.support import Pipeline
from ytbuild.backends.dev.client import DevClient
from ytbuild.backends.prod.client import ProdClient
from ytbuild.base.errors import YtbuildError
from ytbuild.cluster.connection import Connection
from ytbuild.config import pipeline as configs
from ytbuild.config.documents import Documents
from ytbuild.config.pipeline import PipelineConfig


def configuration(folder: Path) -> PipelineConfig:
    """The configuration of the smallest pipeline, made in a folder."""
    root = str(Pipeline.create(folder).root)
    return configs.load(root, None, (), Documents(root))


def client_of(connection: Connection, folder: Path) -> ProdClient:
    """A client of a connection."""
    return ProdClient(replace(configuration(folder), prod=connection.config), connection, None)


@contextmanager
def prod_client(cluster: Cluster | RealCluster, folder: Path, **config: Any) -> Iterator[ProdClient]:
    """A client of a cluster that gives up within seconds."""
    with connected(cluster, **config) as connection, client_of(connection, folder) as client:
        yield client


@contextmanager
def dev_client(folder: Path) -> Iterator[DevClient]:
    """A client of this machine, without code."""
    config = configuration(folder)
    # A build has made it, otherwise.
    Path(config.build_dir).mkdir()
    with DevClient(config, str(folder / "no-archive")) as client:
        yield client


def outcome(action: Callable[[], Any]) -> Any:
    """What a call returns, or the kind of error that it ends with."""
    try:
        return action()
    except YtbuildError as error:
        return type(error)
