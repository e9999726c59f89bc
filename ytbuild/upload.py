"""The verb `upload`: send to `build_folder` what it lacks of an archive, and nothing else.

A small archive goes up whole. Of a larger one only the missing segments go up, side by side, and the cluster joins
them. Segments appear one by one, so that a killed upload is not lost; the archive appears last, at once.
"""

from __future__ import annotations

import contextlib
import time
from collections.abc import Sequence
from dataclasses import dataclass

from ytbuild.archive.segments import Segment, segments
from ytbuild.base.errors import ArchiveError, ClusterError, ConfigError
from ytbuild.base.reporter import SILENT, Event, Reporter
from ytbuild.build import build_archive
from ytbuild.cluster.connection import Connection
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.graph.plan import Plan, Planner
from ytbuild.store.local import LocalStore, StoredArchive
from ytbuild.store.remote import Conflict, CypressStore, Presence, SegmentVanished, Upload
from ytbuild.store.segment_upload import SegmentUpload
from ytbuild.store.transfer import OtherUpload, Transfer

WHOLE_ARCHIVE = 32 << 20
"""An archive up to this size goes up in one write."""

_ROUNDS = 5


@dataclass(frozen=True)
class UploadPlan:
    """What an upload would send: segments and bytes of content, of how many; `whole` if not in segments.

    `archive` is the Cypress path that the archive has or would have.
    """

    key: str
    proxy: str
    archive: str
    whole: bool
    archive_present: bool
    manifest_present: bool
    segments: int
    segments_to_send: int
    size: int
    bytes_to_send: int

    @property
    def folder(self) -> str:
        """The `build_folder`."""
        return self.archive.rpartition("/archives/")[0]


@dataclass(frozen=True)
class UploadResult:
    """What an upload did; `bytes_sent` counts content, `bytes_skipped` what of the archive was there already.

    `archive`, `manifest` and `link` are Cypress paths. `manifest_sent` counts the bytes of the manifest.
    """

    key: str
    proxy: str
    archive: str
    manifest: str
    link: str
    size: int
    whole: bool
    segments: int
    segments_sent: int
    bytes_sent: int
    bytes_skipped: int
    manifest_sent: int
    seconds: float

    @property
    def folder(self) -> str:
        """The `build_folder`."""
        return self.link.rpartition("/")[0]


@dataclass(frozen=True)
class PackagingStarted(Event):
    """Code is about to be built for a cluster."""


@dataclass(frozen=True)
class UploadPlanned(Event):
    """It is known what an upload would send; nothing was sent."""

    plan: UploadPlan


@dataclass(frozen=True)
class UploadStarted(Event):
    """Something goes up; `archive` is the Cypress path that it goes to."""

    archive: str


@dataclass(frozen=True)
class UploadDone(Event):
    """The cluster has the archive."""

    result: UploadResult


def cypress_store(config: PipelineConfig, connection: Connection) -> CypressStore:
    """Return the store in a pipeline's `build_folder`; raises `ConfigError` when there is none."""
    if config.build_folder is None:
        raise ConfigError(
            f"{config.label}: pipeline.build_folder is missing",
            "give the Cypress folder that the code goes to, such as //home/me/build",
        )
    return CypressStore(connection, config.build_folder, config.prod.expiration_days)


def built_archive(planner: Planner, key: str) -> tuple[StoredArchive, bytes]:
    """Return an archive of the local store and its manifest as bytes; raises `ArchiveError` when one is gone."""
    local = LocalStore(planner.build_dir, planner.index)
    archive = local.find(key)
    with contextlib.suppress(OSError), open(local.manifest_path(key), "rb") as file:
        if archive is not None:
            return archive, file.read()
    raise ArchiveError(f"the archive {key} is gone from {planner.build_dir}", "build again")


def plan_upload(store: CypressStore, archive: StoredArchive, manifest: bytes) -> UploadPlan:
    """Return what an upload would send, by reading only."""
    parts = segments(archive.summary)
    size = archive.summary.size
    whole = size <= WHOLE_ARCHIVE
    present = store.look(archive.summary.key, refresh=False)
    missing: Sequence[Segment] = ()
    if not present.archive:
        missing = parts if whole else store.missing(parts, refresh=False)
    return UploadPlan(
        archive.summary.key,
        store.connection.access.proxy,
        store.archive_path(archive.summary.key),
        whole,
        present.archive,
        present.manifest,
        len(parts),
        len(missing),
        size,
        sum(segment.size for segment in missing),
    )


def build_and_send(
    planner: Planner, connection: Connection, plan: Plan | None = None, reporter: Reporter = SILENT
) -> UploadResult:
    """Build a pipeline's archive and bring `build_folder` up to date with it; raises what the two raise."""
    return send(*_packaged(planner, connection, plan, reporter), reporter)


def build_and_plan(planner: Planner, connection: Connection, reporter: Reporter = SILENT) -> UploadPlan:
    """Build a pipeline's archive and return what an upload would send of it."""
    plan = plan_upload(*_packaged(planner, connection, None, reporter))
    reporter.event(UploadPlanned(plan))
    return plan


def _packaged(
    planner: Planner, connection: Connection, plan: Plan | None, reporter: Reporter
) -> tuple[CypressStore, StoredArchive, bytes]:
    store = cypress_store(planner.config, connection)
    reporter.event(PackagingStarted())
    result = build_archive(planner, plan, reporter)
    return store, *built_archive(planner, result.key)


def send(store: CypressStore, archive: StoredArchive, manifest: bytes, reporter: Reporter = SILENT) -> UploadResult:
    """Bring `build_folder` up to date with an archive of the local store; `manifest` is its manifest as bytes.

    Raises `ClusterError` for what the cluster refuses, `UploadError` when it holds other bytes than were sent,
    `ArchiveError` when the local archive changes meanwhile; nothing half-written can be seen in any case.
    """
    result = _Uploading(store, archive, manifest, reporter).run()
    reporter.event(UploadDone(result))
    return result


class _Uploading:
    """One upload."""

    def __init__(self, store: CypressStore, archive: StoredArchive, manifest: bytes, reporter: Reporter) -> None:
        self._store = store
        self._upload = Upload(archive.summary.key, archive.summary.size, manifest)
        self._reporter = reporter
        self._parts = segments(archive.summary)
        self._whole = archive.summary.size <= WHOLE_ARCHIVE
        self._transfer = Transfer(archive.path, store.connection.config.retry_seconds, reporter)
        self._segments = SegmentUpload(store, self._transfer, reporter)
        self._whole_sent = 0
        self._manifest_sent = 0

    def run(self) -> UploadResult:
        started = time.perf_counter()
        present = self._store.look(self._upload.key, refresh=True)
        if not present.is_complete:
            self._reporter.event(UploadStarted(self._store.archive_path(self._upload.key)))
            self._bring_up(present)
        if not present.linked:
            self._store.link(self._upload.key)
        size = self._upload.size
        sent = self._whole_sent + sum(self._segments.sent.values())
        return UploadResult(
            key=self._upload.key,
            proxy=self._store.connection.access.proxy,
            archive=self._store.archive_path(self._upload.key),
            manifest=self._store.manifest_path(self._upload.key),
            link=self._store.link_path,
            size=size,
            whole=self._whole,
            segments=len(self._parts),
            segments_sent=len(self._parts) if self._whole_sent else len(self._segments.sent),
            bytes_sent=sent,
            bytes_skipped=max(0, size - sent),
            manifest_sent=self._manifest_sent,
            seconds=time.perf_counter() - started,
        )

    def _bring_up(self, present: Presence) -> None:
        """Publish the archive; a conflict means that somebody else is about to, or just has."""
        self._store.prepare()
        other = OtherUpload(self._reporter, "another upload of the same archive")
        force = False
        vanished = 0
        while not present.is_complete:
            if not self._whole and not present.archive:
                self._segments.send_missing(self._parts)
            try:
                self._publish(present, force)
                return
            except Conflict:
                before, present = present, self._store.look(self._upload.key, refresh=False)
                # What is in the way and not what we would write is replaced, but only if it stays.
                force = other.count > 1 and before == present
                if not present.is_complete:
                    other.wait()
            except SegmentVanished:
                vanished += 1
                if vanished == _ROUNDS:
                    raise ClusterError(
                        f"segments vanish from {self._store.folder}/segments while they are joined",
                        "something removes them: stop it, and upload again",
                    ) from None

    def _publish(self, present: Presence, force: bool) -> None:
        def once() -> None:
            whole = self._transfer.content("archive", 0, self._upload.size) if self._whole else None
            self._store.publish(self._upload, present, whole, self._parts, force=force)

        if self._whole and not present.archive:
            self._transfer.meter.expect(self._upload.size)
        self._transfer.persistently(once)
        if self._whole and not present.archive:
            self._whole_sent = self._upload.size
        if not present.manifest:
            self._manifest_sent = len(self._upload.manifest)
