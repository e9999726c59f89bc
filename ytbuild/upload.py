"""The verb `upload`: send to `build_folder` what it lacks of an archive, and nothing else.

A small archive goes up whole. Of a larger one only the missing segments go up, side by side, and the cluster joins
them. Segments appear one by one, so that a killed upload is not lost; the archive appears last, at once.
"""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

from ytbuild.archive.segments import Segment, segments
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.errors import ArchiveError, ClusterError, ConfigError, LockedError
from ytbuild.graph.plan import Workspace
from ytbuild.store.cluster import NO_SUCH_TRANSACTION, Cluster
from ytbuild.store.cypress import Conflict, CypressStore, Presence, SegmentVanished, Upload
from ytbuild.store.local import LocalStore, StoredArchive

WHOLE_ARCHIVE = 32 << 20
"""An archive up to this size goes up in one write."""

_BLOCK = 1 << 20
_ROUNDS = 5
_LONGEST_WAIT = 1800
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0


@dataclass(frozen=True)
class UploadPlan:
    """What an upload would send: segments and bytes of content, of how many; `whole` if not in segments."""

    whole: bool
    archive_present: bool
    segments: int
    segments_to_send: int
    size: int
    bytes_to_send: int


@dataclass(frozen=True)
class UploadResult:
    """What an upload did; `bytes_sent` counts content, `bytes_skipped` what of the archive was there already.

    `archive`, `manifest` and `link` are Cypress paths. `manifest_sent` counts the bytes of the manifest.
    """

    key: str
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


@dataclass(frozen=True)
class UploadEvents:
    """What the caller hears: `sending` once, with where to, when something goes up; bytes done and to do."""

    sending: Callable[[str], None] = lambda _: None
    progress: Callable[[int, int], None] = lambda _, __: None
    waiting: Callable[[str], None] = lambda _: None


def cypress_store(config: PipelineConfig, cluster: Cluster) -> CypressStore:
    """Return the store in a pipeline's `build_folder`; raises `ConfigError` when there is none."""
    if config.build_folder is None:
        raise ConfigError(
            f"{config.shown}: pipeline.build_folder is missing",
            "give the Cypress folder that the code goes to, such as //home/me/build",
        )
    return CypressStore(cluster, config.build_folder, config.prod.expiration_days)


def built_archive(workspace: Workspace, key: str) -> tuple[StoredArchive, bytes]:
    """Return an archive of the local store and its manifest as bytes; raises `ArchiveError` when one is gone."""
    local = LocalStore(workspace.build_dir, workspace.index)
    found = local.find(key)
    with contextlib.suppress(OSError), open(local.manifest_path(key), "rb") as file:
        if found is not None:
            return found, file.read()
    raise ArchiveError(f"the archive {key} is gone from {workspace.build_dir}", "build again")


def plan_upload(store: CypressStore, archive: StoredArchive, manifest: bytes) -> UploadPlan:
    """Return what an upload would send, by reading only."""
    parts = segments(archive.summary)
    size = archive.summary.size
    whole = size <= WHOLE_ARCHIVE
    present = store.look(_upload(archive, manifest), refresh=False)
    missing: Sequence[Segment] = ()
    if not present.archive:
        missing = parts if whole else store.missing(parts, refresh=False)
    return UploadPlan(
        whole, present.archive, len(parts), len(missing), size, sum(segment.size for segment in missing)
    )


def upload(
    store: CypressStore,
    archive: StoredArchive,
    manifest: bytes,
    *,
    threads: int,
    retry_seconds: float,
    events: UploadEvents | None = None,
) -> UploadResult:
    """Bring `build_folder` up to date with an archive of the local store.

    `manifest` is its manifest as bytes. Transient failures are repeated for `retry_seconds`. Raises `ClusterError`
    for what the cluster refuses, `UploadError` when it holds other bytes than were sent, `ArchiveError` when the
    local archive changes meanwhile; nothing half-written can be seen in any case.
    """
    return _Uploading(store, archive, manifest, threads, retry_seconds, events or UploadEvents()).run()


def _upload(archive: StoredArchive, manifest: bytes) -> Upload:
    return Upload(archive.summary.key, archive.summary.size, manifest)


class _Uploading:
    """One upload."""

    def __init__(
        self,
        store: CypressStore,
        archive: StoredArchive,
        manifest: bytes,
        threads: int,
        retry_seconds: float,
        events: UploadEvents,
    ) -> None:
        self._store = store
        self._archive = archive
        self._upload = _upload(archive, manifest)
        self._threads = threads
        self._retry_seconds = retry_seconds
        self._events = events
        self._parts = segments(archive.summary)
        self._whole = archive.summary.size <= WHOLE_ARCHIVE
        self._sent: dict[str, int] = {}
        self._manifest_sent = 0
        self._meter = _Meter(events.progress)
        self._stop = threading.Event()

    def run(self) -> UploadResult:
        started = time.perf_counter()
        present = self._store.look(self._upload, refresh=True)
        if not (present.archive and present.manifest):
            self._events.sending(self._store.archive_path(self._upload.key))
            self._bring_up(present)
        if not present.linked:
            self._store.link(self._upload.key)
        size = self._upload.size
        sent = sum(self._sent.values())
        return UploadResult(
            key=self._upload.key,
            archive=self._store.archive_path(self._upload.key),
            manifest=self._store.manifest_path(self._upload.key),
            link=self._store.link_path,
            size=size,
            whole=self._whole,
            segments=len(self._parts),
            segments_sent=len(self._parts) if self._whole and sent else len(self._sent),
            bytes_sent=sent,
            bytes_skipped=max(0, size - sent),
            manifest_sent=self._manifest_sent,
            seconds=time.perf_counter() - started,
        )

    def _bring_up(self, present: Presence) -> None:
        """Publish the archive; a conflict means that somebody else is about to, or just has."""
        self._store.prepare()
        pause = _Pause(self._events.waiting, "another upload of the same archive")
        force = False
        for vanished in range(_ROUNDS):
            try:
                while not (present.archive and present.manifest):
                    if not self._whole and not present.archive:
                        self._send_missing()
                    try:
                        self._publish(present, force)
                        return
                    except Conflict:
                        before, present = present, self._store.look(self._upload, refresh=False)
                        # What is in the way and not what we would write is replaced, but only if it stays.
                        force = pause.count > 1 and before == present
                        if not (present.archive and present.manifest):
                            pause()
                return
            except SegmentVanished:
                if vanished == _ROUNDS - 1:
                    raise ClusterError(
                        f"segments vanish from {self._store.folder}/segments while they are joined",
                        "something removes them: stop it, and upload again",
                    ) from None

    def _publish(self, present: Presence, force: bool) -> None:
        def once() -> None:
            self._meter.restart("archive")
            whole = self._content("archive", 0, self._upload.size) if self._whole else None
            self._store.publish(self._upload, present, whole, self._parts, force=force)

        if self._whole and not present.archive:
            self._meter.expect(self._upload.size)
        self._persistently(once)
        if self._whole and not present.archive:
            self._sent["archive"] = self._upload.size
        if not present.manifest:
            self._manifest_sent = len(self._upload.manifest)

    def _send_missing(self) -> None:
        """Send the segments that are not there, side by side; those that somebody else sends are waited for."""
        wanted = self._store.missing(self._parts, refresh=True)
        pause = _Pause(self._events.waiting, "another upload of the same segments")
        self._store.prepare(wanted)
        while wanted:
            self._meter.expect(sum(segment.size for segment in wanted))
            # Uploads of one archive at once begin at different places, and so share the work.
            first = random.randrange(len(wanted))
            force = pause.count > 1
            with ThreadPoolExecutor(self._threads, "upload") as threads:
                futures = [
                    threads.submit(self._send, segment, force) for segment in (*wanted[first:], *wanted[:first])
                ]
                try:
                    done = [future.result() for future in futures]
                except BaseException:
                    self._stop.set()
                    threads.shutdown(wait=False, cancel_futures=True)
                    raise
            if all(done):
                return
            busy = self._store.missing(wanted, refresh=False)
            if len(busy) == len(wanted):
                pause()
            wanted = busy

    def _send(self, segment: Segment, force: bool) -> bool:
        """Send one segment; False when somebody else is at it."""
        if self._stop.is_set():
            return False

        def once() -> None:
            self._meter.restart(segment.key)
            self._store.send_segment(segment, self._content(segment.key, segment.offset, segment.size), force=force)

        try:
            self._persistently(once)
        except Conflict:
            self._meter.restart(segment.key)
            return False
        self._sent[segment.key] = segment.size
        return True

    def _persistently(self, action: Callable[[], None]) -> None:
        """Do something again, with pauses, while it fails in passing: a write is one attempt for the client."""
        deadline = time.monotonic() + self._retry_seconds
        pause = _FIRST_PAUSE
        while True:
            try:
                return action()
            except ClusterError as error:
                passing = error.transient or NO_SUCH_TRANSACTION in error.codes
                if not passing or self._stop.is_set() or time.monotonic() + pause > deadline:
                    raise
            self._stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _content(self, name: str, offset: int, size: int) -> Callable[[], Iterable[bytes]]:
        return lambda: self._blocks(name, offset, size)

    def _blocks(self, name: str, offset: int, size: int) -> Iterator[bytes]:
        end = offset + size
        with open(self._archive.path, "rb", buffering=0) as file:
            while offset < end:
                if self._stop.is_set():
                    raise ClusterError("the upload was stopped")
                block = os.pread(file.fileno(), min(_BLOCK, end - offset), offset)
                if not block:
                    raise ArchiveError(f"{self._archive.path} was cut while it was sent", "upload again")
                yield block
                offset += len(block)
                self._meter.add(name, len(block))


class _Meter:
    """Adds up the bytes that are on their way, from several threads."""

    def __init__(self, progress: Callable[[int, int], None]) -> None:
        self._progress = progress
        self._lock = threading.Lock()
        self._done: dict[str, int] = {}
        self._total = 0

    def expect(self, size: int) -> None:
        """Set how many bytes are to come, beside those that have gone."""
        with self._lock:
            self._total = sum(self._done.values()) + size

    def restart(self, name: str) -> None:
        """Forget what was sent of one file: it is sent anew."""
        with self._lock:
            self._done.pop(name, None)

    def add(self, name: str, size: int) -> None:
        """Count bytes of one file."""
        with self._lock:
            self._done[name] = self._done.get(name, 0) + size
            self._progress(sum(self._done.values()), self._total)


class _Pause:
    """Waits longer and longer for somebody else, and says so once."""

    def __init__(self, waiting: Callable[[str], None], whom: str) -> None:
        self._waiting = waiting
        self._whom = whom
        self._deadline = time.monotonic() + _LONGEST_WAIT
        self.count = 0

    def __call__(self) -> None:
        if time.monotonic() > self._deadline:
            raise LockedError(f"{self._whom} has not ended for {_LONGEST_WAIT // 60} minutes", "upload again")
        self.count += 1
        if self.count == 5:
            self._waiting(f"waiting for {self._whom}")
        time.sleep(min(_FIRST_PAUSE * 2**self.count, _LONGEST_PAUSE) * random.uniform(0.5, 1))
