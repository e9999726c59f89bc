"""The code that the jobs of a run get: what is built now, or an archive of an earlier build or upload."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from ytbuild.archive import manifest as manifests
from ytbuild.archive.chunks import WRAPPERS
from ytbuild.archive.manifest import Manifest
from ytbuild.backends.base import OperationSpec
from ytbuild.base.errors import ConfigError
from ytbuild.base.reporter import Event, Reporter
from ytbuild.graph.plan import Plan, Planner
from ytbuild.store.local import LocalStore
from ytbuild.store.remote import CypressStore
from ytbuild.upload import built_archive

_SHORTEST_PREFIX = 4


@dataclass(frozen=True)
class ArchiveChosen(Event):
    """The jobs get the code of an earlier archive, not what is there now."""

    key: str


@dataclass(frozen=True)
class JobCode:
    """Which code the jobs of a run get: what is built from `plan`, or the archive whose key begins with `earlier`.

    `specs` are the operations that are known beforehand: an earlier archive must have their wrappers.
    """

    plan: Plan
    specs: tuple[OperationSpec, ...]
    earlier: str | None = None


def archive_here(planner: Planner, code: JobCode, reporter: Reporter) -> str:
    """Return the path of an earlier archive of the local store."""
    store = LocalStore(planner.build_dir, planner.index)
    key = _one_key(str(code.earlier), store.keys(), planner.build_dir)
    archive, manifest = built_archive(planner, key)
    _check_wrappers(manifests.decode(manifest), code)
    reporter.event(ArchiveChosen(key))
    return archive.path


def archive_there(store: CypressStore, code: JobCode, reporter: Reporter) -> str:
    """Return the path of an earlier archive on the cluster, which stays for another while."""
    key = _one_key(str(code.earlier), store.keys(), store.folder)
    _check_wrappers(manifests.decode(store.read_manifest(key)), code)
    store.refresh(key)
    reporter.event(ArchiveChosen(key))
    return store.archive_path(key)


def _one_key(prefix: str, keys: Iterable[str], where: str) -> str:
    matching = [key for key in keys if key.startswith(prefix)] if len(prefix) >= _SHORTEST_PREFIX else []
    if len(matching) == 1:
        return matching[0]
    if not matching:
        raise ConfigError(
            f"there is no archive {prefix!r} in {where}",
            f"give the key that `ytbuild build` prints, or its first {_SHORTEST_PREFIX} digits or more",
        )
    raise ConfigError(f"{len(matching)} archives in {where} begin with {prefix!r}", "give more digits of the key")


def _check_wrappers(manifest: Manifest, code: JobCode) -> None:
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
