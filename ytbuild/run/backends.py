"""Opening the backend of a run, with the code that its jobs get: what was built now, or an earlier archive."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager
from dataclasses import dataclass

from ytbuild.archive import manifest as manifests
from ytbuild.archive.chunks import WRAPPERS
from ytbuild.archive.manifest import Manifest
from ytbuild.backends.base import Backend, Client, OperationSpec
from ytbuild.backends.dev.client import DevClient
from ytbuild.base.errors import ConfigError
from ytbuild.base.reporter import Event, Reporter
from ytbuild.build import build_archive
from ytbuild.cluster.connection import connect
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.graph.plan import Plan, Planner
from ytbuild.store.local import LocalStore
from ytbuild.store.remote import CypressStore
from ytbuild.upload import build_and_send, built_archive, cypress_store

_SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class ArchiveChosen(Event):
    """The jobs get the code of an earlier archive, not what is there now."""

    key: str


@dataclass(frozen=True)
class Code:
    """Which code the jobs of a run get: what is built from `plan`, or the archive whose key begins with `earlier`.

    `specs` are the operations that are known beforehand: an earlier archive must have their wrappers.
    """

    plan: Plan
    specs: tuple[OperationSpec, ...]
    earlier: str | None = None


def chosen(config: PipelineConfig) -> Backend:
    """Return the backend that a configuration chooses; nothing is connected."""
    if config.mode == "prod":
        from ytbuild.backends.prod.backend import ProdBackend

        return ProdBackend()
    from ytbuild.backends.dev.backend import DevBackend

    return DevBackend()


def opened(
    planner: Planner,
    code: Code,
    reporter: Reporter,
    known_secrets: dict[str, str],
    *,
    keep_sandboxes: bool,
    strict: bool,
) -> AbstractContextManager[Client]:
    """Give the client of the backend that the configuration chooses, with the code where its jobs find it."""
    if planner.config.mode == "prod":
        return prod(planner, code, reporter, known_secrets)
    return dev(planner, code, reporter, keep_sandboxes=keep_sandboxes, strict=strict)


@contextlib.contextmanager
def dev(planner: Planner, code: Code, reporter: Reporter, *, keep_sandboxes: bool, strict: bool) -> Iterator[Client]:
    """Give the client of this machine, with the code built."""
    if code.earlier is None:
        archive = build_archive(planner, code.plan, reporter).archive
    else:
        archive = _earlier_here(planner, code, reporter)
    with DevClient(planner.config, archive, keep_sandboxes=keep_sandboxes, strict=strict) as client:
        yield client


@contextlib.contextmanager
def prod(planner: Planner, code: Code, reporter: Reporter, known_secrets: dict[str, str]) -> Iterator[Client]:
    """Give the client of a cluster, with the code built and uploaded.

    Raises a `UsageError` when it is not known which cluster, or where the code goes.
    """
    from ytbuild.backends.prod.client import ProdClient

    with connect(planner.config, known_secrets, reporter) as connection:
        if code.earlier is not None:
            archive: str | None = _earlier_there(cypress_store(planner.config, connection), code, reporter)
        elif planner.config.build_folder is None:
            # The backend has made sure that no enabled stage has code.
            archive = None
        else:
            archive = build_and_send(planner, connection, code.plan, reporter).archive
        with ProdClient(planner.config, connection, archive) as client:
            yield client


def _earlier_here(planner: Planner, code: Code, reporter: Reporter) -> str:
    """Return the path of an earlier archive of the local store."""
    store = LocalStore(planner.build_dir, planner.index)
    key = _one_key(str(code.earlier), store.keys(), planner.build_dir)
    archive, manifest = built_archive(planner, key)
    _check_wrappers(manifests.decode(manifest), code)
    reporter.event(ArchiveChosen(key))
    return archive.path


def _earlier_there(store: CypressStore, code: Code, reporter: Reporter) -> str:
    """Return the path of an earlier archive on the cluster, which stays for another while."""
    key = _one_key(str(code.earlier), store.keys(), store.folder)
    _check_wrappers(manifests.decode(store.read_manifest(key)), code)
    store.refresh(key)
    reporter.event(ArchiveChosen(key))
    return store.archive_path(key)


def _one_key(prefix: str, keys: Iterable[str], where: str) -> str:
    found = [key for key in keys if key.startswith(prefix)] if len(prefix) >= _SHORTEST_PREFIX else []
    if len(found) == 1:
        return found[0]
    if not found:
        raise ConfigError(
            f"there is no archive {prefix!r} in {where}",
            f"give the key that `ytbuild build` prints, or its first {_SHORTEST_PREFIX} digits or more",
        )
    raise ConfigError(f"{len(found)} archives in {where} begin with {prefix!r}", "give more digits of the key")


def _check_wrappers(manifest: Manifest, code: Code) -> None:
    """Raise `ConfigError` when the archive cannot start what is known to run."""
    there = {member.name for member in manifest.members.get(WRAPPERS, ())}
    for spec in code.specs:
        for wrapper in code.plan.wrappers:
            used = any(wrapper.arcname in leg.command for leg in spec.legs)
            if used and wrapper.stage == spec.stage and wrapper.arcname not in there:
                raise ConfigError(
                    f"the archive {manifest.summary.key} cannot start {spec.label}: it has no {wrapper.arcname}",
                    "it was built before that script was there: choose another archive, or run what is there now",
                )
