"""Operation specs and connections for the tests of operations on a cluster."""

from __future__ import annotations

import io
import tarfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any

from tests.cluster.running import Cluster, RealCluster
from ytbuild.backends.base import LegCommand, OperationSpec, Resources
from ytbuild.base.mappings import merged
from ytbuild.cluster.connection import Connection
from ytbuild.config.access import ClusterAccess
from ytbuild.config.prod import ProdConfig

ARCHIVE = "//build/archives/0123.tar.gz"
START = "tar -xzf source.tar.gz && ./operation_wrapper_stage_{}.sh"

LEGS = {
    "map": ("map",),
    "reduce": ("reduce",),
    "map_reduce": ("map_reduce_mapper", "map_reduce_reducer"),
    "vanilla": ("vanilla",),
}


def spec(kind: str = "map", *commands: Any, **changes: Any) -> OperationSpec:
    """An operation of a stage `stage`, named as its kind; a leg's command is its wrapper's unless one is given.

    What is no text is a TypedJob.
    """
    operation = OperationSpec(stage="stage", name=kind, kind=kind, legs=_legs(kind, commands))
    if kind in ("map", "reduce", "map_reduce"):
        operation = replace(operation, input_table="//t/in", output_table="//t/out")
    if kind in ("reduce", "map_reduce"):
        operation = replace(operation, reduce_by=("k",))
    if kind == "sort":
        operation = replace(operation, input_table="//t/in", sort_by=("k",))
    if kind == "yql":
        operation = replace(operation, query="SELECT 1")
    return replace(
        operation, **{"resources": Resources(pool="research", memory_limit=1 << 30, cpu_limit=1), **changes}
    )


def _legs(kind: str, commands: tuple[Any, ...]) -> tuple[LegCommand, ...]:
    legs = LEGS.get(kind, ())
    given = commands or tuple(START.format(leg) for leg in legs)
    return tuple(
        LegCommand(leg, command, 1) if isinstance(command, str) else LegCommand(leg, "", 1, typed_job=command)
        for leg, command in zip(legs, given, strict=True)
    )


# The official client's pauses before it tries again, and ours: a tenth of the real ones, which no assertion needs.
_BACKOFF = {
    "policy": "exponential",
    "exponential_policy": {"start_timeout": 25, "base": 2, "max_timeout": 500, "decay_factor_bound": 0.3},
}
_RETRIES = ("write", "read", "start_operation", "get_operation", "batch_requests", "concatenate")
QUICK: dict[str, Any] = {
    "proxy": {"retries": {"backoff": _BACKOFF}},
    **{f"{name}_retries": {"backoff": _BACKOFF} for name in _RETRIES},
}


@contextmanager
def connected(cluster: Cluster | RealCluster, *, hidden: tuple[str, ...] = (), **config: Any) -> Iterator[Connection]:
    """A connection to a cluster, impatient: it asks often, and gives up within seconds."""
    settings: dict[str, Any] = {"retry_seconds": 3, "queue_seconds": 1, "poll_seconds": 0.2, **config}
    settings["client_config"] = merged(QUICK, settings.get("client_config", {}))
    environment = cluster.environment
    access = ClusterAccess(environment["YT_PROXY"], "the test", environment["YT_TOKEN"], "the test")
    with Connection(access, ProdConfig(**settings), hidden) as connection:
        yield connection


def archive(files: Mapping[str, str]) -> bytes:
    """The bytes of a `source.tar.gz` with these files, `ytjobs` among them as always."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w:gz") as tar:
        for name, text in {"ytjobs/__init__.py": "", **files}.items():
            member = tarfile.TarInfo(name)
            member.size, member.mode = len(text.encode()), 0o755 if name.endswith(".sh") else 0o644
            tar.addfile(member, io.BytesIO(text.encode()))
    return stream.getvalue()
