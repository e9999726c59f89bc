"""The bytes of an archive on their way to a cluster: read in blocks, counted, sent again after passing faults."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from ytbuild.base.backoff import Backoff
from ytbuild.base.errors import ArchiveError, ClusterError, LockedError
from ytbuild.base.reporter import Event, Reporter
from ytbuild.cluster.error_codes import NO_SUCH_TRANSACTION

Content = Callable[[], Iterable[bytes]]
"""Gives the bytes of a file in blocks, anew at each call."""

_BLOCK = 1 << 20
_ATTEMPTS = 3
"""So often a write is tried at least: one attempt may take longer than all of them should."""

_LONGEST_WAIT = 1800
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 2.0
_TOLD_AFTER = 5

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
        seconds, pauses = self._retry_seconds, _ATTEMPTS - 1
        backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, seconds, at_least=pauses, sleep=self.stop.wait)
        return backoff.repeat(action, _may_pass)

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


def _may_pass(error: ClusterError) -> bool:
    return (error.transient and not error.repeated) or NO_SUCH_TRANSACTION in error.codes


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


class OtherUpload:
    """Somebody else who uploads the same: waited for longer and longer, and told of once."""

    def __init__(self, reporter: Reporter, whom: str) -> None:
        self._reporter = reporter
        self._whom = whom
        self._backoff = Backoff(2 * _FIRST_PAUSE, _LONGEST_PAUSE, _LONGEST_WAIT, jitter=(0.5, 1), waiting=self._tell)

    @property
    def count(self) -> int:
        """How often it was waited for."""
        return self._backoff.count

    def wait(self) -> None:
        """Wait for a while; raises `LockedError` when that has been too often."""
        if not self._backoff.wait():
            raise LockedError(f"{self._whom} has not ended for {_LONGEST_WAIT // 60} minutes", "upload again")

    def _tell(self, count: int) -> None:
        if count == _TOLD_AFTER:
            self._reporter.event(UploadWaiting(self._whom))
