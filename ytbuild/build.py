"""The verb `build`: bring `.build` up to date with the pipeline's sources."""

from __future__ import annotations

import contextlib
import itertools
import os
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ytbuild.base import files, locks
from ytbuild.base.errors import StoreError
from ytbuild.base.reporter import SILENT, Event, Reporter, Warned
from ytbuild.graph.plan import Plan, Planner, collector_paused
from ytbuild.graph.target import Target
from ytbuild.store.local import LocalStore, StoredArchive

if TYPE_CHECKING:
    from ytbuild.archive.compress import Compressing, Compressors


@dataclass(frozen=True)
class BuiltTarget:
    """One target of a build; `built` is False when every byte of it came from an older archive."""

    name: str
    key: str
    files: int
    size: int
    built: bool


@dataclass(frozen=True)
class BuildResult:
    """What a build did.

    `size` counts the bytes of the archive file, `seconds` is the time that everything took, `compressed` and
    `reused` count chunks.
    """

    key: str
    archive: str
    size: int
    targets: tuple[BuiltTarget, ...]
    compressed: int
    reused: int
    seconds: float
    warnings: tuple[str, ...]

    @property
    def files(self) -> int:
        """The number of members of the archive."""
        return sum(target.files for target in self.targets)

    @property
    def built(self) -> tuple[BuiltTarget, ...]:
        """The targets that were not cached."""
        return tuple(target for target in self.targets if target.built)


@dataclass(frozen=True)
class BuildDone(Event):
    """A build has ended; what it warns of was told before."""

    result: BuildResult


def build_archive(planner: Planner, plan: Plan | None = None, reporter: Reporter = SILENT) -> BuildResult:
    """Build a pipeline's archive, or find that it is there already; `plan` is one that was made a moment ago.

    Raises a `UsageError` before anything is written when the pipeline is wrong, `ChangedWhileBuildingError` when a
    source does not stay still, and `StoreError` when `.build` cannot be written; the last good archive stays.
    """
    with collector_paused():
        result = _built(planner, plan, reporter, time.perf_counter())
    for warning in result.warnings:
        reporter.event(Warned(warning))
    reporter.event(BuildDone(result))
    return result


def _built(planner: Planner, plan: Plan | None, reporter: Reporter, started: float) -> BuildResult:
    if plan is None and not os.path.exists(os.path.join(planner.build_dir, "manifest.json")):
        from ytbuild.archive.ahead import CompressingAhead
        from ytbuild.archive.compress import Compressors

        # One core is left to the thread that makes the plan: three threads on two cores would slow it by a third.
        with Compressors(max(1, (os.cpu_count() or 1) - 1)) as compressors:
            ahead = CompressingAhead(compressors, planner.index.recent)
            plan = planner.plan(ahead)
            compressors.grow()
            return _build(planner, plan, reporter, started, compressors, ahead.chunks)
    return _build(planner, plan or planner.plan(), reporter, started, None, {})


def _build(
    planner: Planner,
    plan: Plan,
    reporter: Reporter,
    started: float,
    compressors: Compressors | None,
    ahead: dict[bytes, Compressing],
) -> BuildResult:
    store = LocalStore(planner.build_dir, planner.index)
    store.prepare()
    found = store.find(plan.key)
    if found is not None:
        built: frozenset[str] = frozenset()
        compressed = reused = 0
        _finish(planner, store, plan, wrote=False)
    else:
        found, built, compressed, reused = _make(planner, store, plan, reporter, compressors, ahead)
        _finish(planner, store, plan, wrote=True)
    return BuildResult(
        key=plan.key,
        archive=found.path,
        size=found.summary.size,
        targets=tuple(_result(target, built) for target in plan.targets),
        compressed=compressed,
        reused=reused,
        seconds=time.perf_counter() - started,
        warnings=plan.warnings,
    )


def _make(
    planner: Planner,
    store: LocalStore,
    plan: Plan,
    reporter: Reporter,
    compressors: Compressors | None,
    ahead: dict[bytes, Compressing],
) -> tuple[StoredArchive, frozenset[str], int, int]:
    # Imported here: an unchanged build, the most frequent one, packs nothing.
    from ytbuild.archive import compress, manifest
    from ytbuild.archive.chunks import cut
    from ytbuild.archive.pack import WINDOW, pack, raw

    recent = planner.index.recent
    inputs = [target.load() for target in plan.targets]
    chunks = cut(inputs, compress.identity())
    total = sum(chunk.size for chunk in chunks)
    done = 0

    def advance(count: int) -> None:
        nonlocal done
        done += count
        reporter.progress("packing", done, total)

    with contextlib.ExitStack() as stack:
        reader = stack.enter_context(store.chunk_reader(chunk.key for chunk in chunks))
        if compressors is None:
            compressors = stack.enter_context(compress.Compressors())
        new = (chunk for chunk in chunks if chunk.key not in ahead and not reader.holds(chunk.key))
        for chunk in itertools.islice(new, WINDOW):
            ahead[chunk.key] = compressors.submit(raw(chunk, recent))
        members = manifest.encode_members(inputs)
        file = stack.enter_context(store.writing(plan.key))
        packed = pack(chunks, file, reader.read, recent, advance, compressors, ahead)
    summary = manifest.Summary(
        key=plan.key,
        size=packed.size,
        hash=packed.hash,
        tar_size=total,
        chunks=packed.chunks,
        targets=tuple(
            manifest.StoredTarget(target.name, target.key.hex(), target.files, target.size) for target in plan.targets
        ),
    )
    store.publish(plan.key, manifest.encode(summary, members))
    return (
        StoredArchive(store.archive_path(plan.key), summary),
        packed.built,
        packed.compressed,
        packed.reused,
    )


def _finish(planner: Planner, store: LocalStore, plan: Plan, wrote: bool) -> None:
    store.use(plan.key)
    if wrote:
        store.trim(plan.key)
    # The archive is complete; caches that cannot be written only cost time.
    try:
        planner.save()
    except StoreError:
        return


def _result(target: Target, built: frozenset[str]) -> BuiltTarget:
    return BuiltTarget(target.name, target.key.hex(), target.files, target.size, target.name in built)


def extract_source(result: BuildResult, planner: Planner) -> str:
    """Extract the archive anew into `.build/source` and return that folder.

    Raises `ArchiveError` when the archive is not what its manifest says, `StoreError` when there is no room.
    """
    from ytbuild.archive.extract import extract_archive

    destination = os.path.join(planner.build_dir, "source")
    found = LocalStore(planner.build_dir, planner.index).find(result.key)
    assert found is not None
    with files.temporary_folder(planner.build_dir) as fresh, files.translated(fresh):
        extract_archive(found.path, found.summary, fresh)
        with locks.locked_folder(planner.build_dir):
            files.rename_over(fresh, destination)
    return destination
