"""Sending the bytes of an archive to a store on a cluster: in blocks, from several threads, again when it fails."""

from __future__ import annotations

import os
import random
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ytbuild.archive.segments import Segment
from ytbuild.base.errors import ArchiveError, ClusterError, LockedError
from ytbuild.base.reporter import Event, Reporter
from ytbuild.cluster.commands import NO_SUCH_TRANSACTION
from ytbuild.store.remote import Content, CypressStore, Written

_BLOCK = 1 << 20
_ATTEMPTS = 3
_GROUP = 8
"""Segments whose transactions one request opens, at most."""

_SETTLED_EVERY = 1.0
"""Seconds after which what was written appears, if not before: so much a killed upload may lose in each thread."""

_LONGEST_WAIT = 1800
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_SAID_AFTER = 5

Result = TypeVar("Result")


@dataclass(frozen=True)
class UploadWaiting(Event):
    """An upload waits for somebody else, and has done so for some time."""

    whom: str


class Transfer:
    """The bytes of one archive on their way: read in blocks, counted, sent anew when that fails in passing."""

    def __init__(self, path: str, retry_seconds: float, reporter: Reporter) -> None:
        self.meter = Meter(reporter)
        self.stop = threading.Event()
        self._path = path
        self._retry_seconds = retry_seconds

    def persistently(self, action: Callable[[], Result]) -> Result:
        """Do something again, with pauses, while it fails in passing: a write is one attempt for the client."""
        pause, attempts, deadline = _FIRST_PAUSE, 0, 0.0
        while True:
            try:
                return action()
            except ClusterError as error:
                attempts += 1
                deadline = deadline or time.monotonic() + self._retry_seconds
                passing = (error.transient and not error.repeated) or NO_SUCH_TRANSACTION in error.codes
                late = attempts >= _ATTEMPTS and time.monotonic() + pause > deadline
                if not passing or late or self.stop.is_set():
                    raise
            self.stop.wait(pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def content(self, name: str, offset: int, size: int) -> Content:
        """Return what gives a part of the archive, which the progress knows by `name`."""
        return partial(self._blocks, name, offset, size)

    def _blocks(self, name: str, offset: int, size: int) -> Iterator[bytes]:
        self.meter.restart(name)
        end = offset + size
        with open(self._path, "rb", buffering=0) as file:
            while offset < end:
                if self.stop.is_set():
                    raise ClusterError("the upload was stopped")
                block = os.pread(file.fileno(), min(_BLOCK, end - offset), offset)
                if not block:
                    raise ArchiveError(f"{self._path} was cut while it was sent", "upload again")
                yield block
                offset += len(block)
                self.meter.add(name, len(block))


class SegmentSender:
    """Sends segments side by side; `sent` has the sizes of those that it sent, by their keys."""

    def __init__(self, store: CypressStore, transfer: Transfer, threads: int, reporter: Reporter) -> None:
        self.sent: dict[str, int] = {}
        self._store = store
        self._transfer = transfer
        self._threads = threads
        self._reporter = reporter

    def send_missing(self, parts: Sequence[Segment]) -> None:
        """Send those of the segments that are not there; those that somebody else sends are waited for."""
        wanted = self._store.missing(parts, refresh=True)
        pause = Pause(self._reporter, "another upload of the same segments")
        self._store.prepare(wanted)
        while wanted:
            self._transfer.meter.expect(sum(segment.size for segment in wanted))
            if self._send_all(wanted, force=pause.count > 1):
                return
            missing = self._store.missing(wanted, refresh=False)
            if len(missing) == len(wanted):
                pause()
            wanted = missing

    def _send_all(self, wanted: Sequence[Segment], *, force: bool) -> bool:
        """Send segments from several threads; False when somebody else was at some of them."""
        # Uploads of one archive at once begin at different places, and so share the work.
        first = random.randrange(len(wanted))
        turned = (*wanted[first:], *wanted[:first])
        with ThreadPoolExecutor(self._threads, "upload") as threads:
            futures = [threads.submit(self._send, group, force) for group in _groups(turned, self._threads)]
            try:
                done = [future.result() for future in futures]
            except BaseException:
                self._transfer.stop.set()
                threads.shutdown(wait=False, cancel_futures=True)
                raise
        return all(done)

    def _send(self, group: Sequence[Segment], force: bool) -> bool:
        """Send a few segments one after another; False when they are not all there: somebody else is at one of them,
        or its transaction was lost."""
        if self._transfer.stop.is_set():
            return False
        claimed = self._transfer.persistently(lambda: self._store.claim(group, force=force))
        written: list[Written] = []
        sent = 0
        since = time.monotonic()
        try:
            for segment in group:
                if segment.key in claimed:
                    written += self._transfer.persistently(partial(self._write, segment, claimed, force))
                if time.monotonic() > since + _SETTLED_EVERY:
                    sent += self._settle(written)
                    since = time.monotonic()
            return sent + self._settle(written) == len(group)
        finally:
            self._store.cluster.abort([*claimed.values(), *(one.transaction for one in written)])

    def _write(self, segment: Segment, claimed: dict[str, str], force: bool) -> list[Written]:
        """Write one segment; `claimed` has its transaction, or none when the last attempt failed."""
        transaction = claimed.pop(segment.key, None)
        if transaction is None:
            transaction = self._store.claim([segment], force=force).get(segment.key)
        if transaction is None:
            return []
        content = self._transfer.content(segment.key, segment.offset, segment.size)
        return [self._store.write_segment(segment, transaction, content)]

    def _settle(self, written: list[Written]) -> int:
        """Let what was written appear; return how many segments did."""
        if not written:
            return 0
        done = self._store.settle(written)
        written.clear()
        self.sent.update((segment.key, segment.size) for segment in done)
        return len(done)


def _groups(wanted: Sequence[Segment], threads: int) -> Iterator[Sequence[Segment]]:
    """Give the segments in groups that every thread has one of, if there are enough."""
    size = min(_GROUP, -(-len(wanted) // threads))
    return (wanted[start : start + size] for start in range(0, len(wanted), size))


class Meter:
    """Adds up the bytes that are on their way, from several threads."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
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
            self._reporter.progress("uploading", sum(self._done.values()), self._total)


class Pause:
    """Waits longer and longer for somebody else, and says so once."""

    def __init__(self, reporter: Reporter, whom: str) -> None:
        self._reporter = reporter
        self._whom = whom
        self._deadline = time.monotonic() + _LONGEST_WAIT
        self.count = 0

    def __call__(self) -> None:
        if time.monotonic() > self._deadline:
            raise LockedError(f"{self._whom} has not ended for {_LONGEST_WAIT // 60} minutes", "upload again")
        self.count += 1
        if self.count == _SAID_AFTER:
            self._reporter.event(UploadWaiting(self._whom))
        time.sleep(min(_FIRST_PAUSE * 2**self.count, _LONGEST_PAUSE) * random.uniform(0.5, 1))
