"""The verb `build`: bring `.build` up to date with the pipeline's sources."""

from __future__ import annotations

import contextlib
import os
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from ytbuild.base import files, locks
from ytbuild.base.errors import StoreError
from ytbuild.base.reporter import SILENT, Event, Reporter, Warned
from ytbuild.graph.plan import Plan, Planner, collector_paused
from ytbuild.graph.target import Target
from ytbuild.store.local import LocalStore, StoredArchive

if TYPE_CHECKING:
    from ytbuild.archive.compress import ChunkCompressor
    from ytbuild.archive.pack import Packed


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
    result = _build(planner, plan, reporter)
    for warning in result.warnings:
        reporter.event(Warned(warning))
    reporter.event(BuildDone(result))
    return result


def _build(planner: Planner, plan: Plan | None, reporter: Reporter) -> BuildResult:
    started = time.perf_counter()
    with collector_paused(), contextlib.ExitStack() as stack:
        compressor: ChunkCompressor | None = None
        if plan is None and not os.path.exists(os.path.join(planner.build_dir, "manifest.json")):
            compressor = _compressor(planner, stack)
            with compressor.ahead() as listener:
                plan = planner.plan(listener)
        plan = plan or planner.plan()
        store = LocalStore(planner.build_dir, planner.index)
        store.prepare()
        archive, packed = store.find(plan.key), None
        if archive is None:
            archive, packed = _packed(planner, store, plan, reporter, compressor or _compressor(planner, stack))
        _finish(planner, store, plan, wrote=packed is not None)
    return BuildResult(
        key=plan.key,
        archive=archive.path,
        size=archive.summary.size,
        targets=tuple(_built_target(target, packed) for target in plan.targets),
        compressed=packed.compressed if packed else 0,
        reused=packed.reused if packed else 0,
        seconds=time.perf_counter() - started,
        warnings=plan.warnings,
    )


def _compressor(planner: Planner, stack: contextlib.ExitStack) -> ChunkCompressor:
    # Imported here: an unchanged build, the most frequent one, packs nothing.
    from ytbuild.archive.compress import ChunkCompressor

    return stack.enter_context(ChunkCompressor(planner.index.recent))


def _packed(
    planner: Planner, store: LocalStore, plan: Plan, reporter: Reporter, compressor: ChunkCompressor
) -> tuple[StoredArchive, Packed]:
    """Write the archive and its manifest."""
    from ytbuild.archive import compress, manifest
    from ytbuild.archive.chunks import cut
    from ytbuild.archive.pack import pack
    from ytbuild.store.chunk_reader import ChunkReader

    inputs = [target.load() for target in plan.targets]
    chunks = cut(inputs, compress.identity())
    members = manifest.encode_members(inputs)
    with ChunkReader(store, (chunk.key for chunk in chunks)) as reader, store.writing(plan.key) as file:
        packed = pack(chunks, file, reader.read, compressor, partial(reporter.progress, "packing"))
    targets = [manifest.StoredTarget(item.name, item.key.hex(), item.files, item.size) for item in plan.targets]
    summary = manifest.Summary(
        key=plan.key,
        size=packed.size,
        hash=packed.hash,
        tar_size=packed.tar_size,
        chunks=packed.chunks,
        targets=tuple(targets),
    )
    store.publish(plan.key, manifest.encode(summary, members))
    return StoredArchive(store.archive_path(plan.key), summary), packed


def _finish(planner: Planner, store: LocalStore, plan: Plan, wrote: bool) -> None:
    store.use(plan.key)
    if wrote:
        from ytbuild.store.trim import trim_store

        trim_store(store, planner.index, plan.key)
    # The archive is complete; caches that cannot be written only cost time.
    try:
        planner.save()
    except StoreError:
        return


def _built_target(target: Target, packed: Packed | None) -> BuiltTarget:
    is_built = packed is not None and target.name in packed.built
    return BuiltTarget(target.name, target.key.hex(), target.files, target.size, is_built)


def extract_source(result: BuildResult, planner: Planner) -> str:
    """Extract the archive anew into `.build/source` and return that folder.

    Raises `ArchiveError` when the archive is not what its manifest says, `StoreError` when there is no room.
    """
    from ytbuild.archive.extract import extract_archive

    destination = os.path.join(planner.build_dir, "source")
    archive = LocalStore(planner.build_dir, planner.index).find(result.key)
    assert archive is not None
    with files.temporary_folder(planner.build_dir) as fresh, files.translated(fresh):
        extract_archive(archive.path, archive.summary, fresh)
        with locks.locked_folder(planner.build_dir):
            files.rename_over(fresh, destination)
    return destination
