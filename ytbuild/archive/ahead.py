"""Compressing while the plan is still being made: a first build would otherwise leave all cores but one idle.

Where chunks are cut depends on the members' names and sizes alone, and a scan hashes files in the archive's order, so
a chunk is known as soon as its last file has been read. A guess that turns out wrong (a link belongs to the chunk, or
the plan ends in an error) costs only the work.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import Future
from queue import SimpleQueue
from threading import Thread
from types import TracebackType

from ytbuild.archive.chunks import Cutter, run_key
from ytbuild.archive.compress import compress, identity
from ytbuild.archive.pack import raw_run
from ytbuild.errors import ChangedWhileBuildingError
from ytbuild.graph.target import Member
from ytbuild.sources.fingerprints import RecentContents

_LIMIT = 64 << 20


class CompressingAhead:
    """A listener of plans that compresses each run of members as soon as it is complete.

    `chunks` holds the results by key. It stops after 64 MiB, so that what waits to be written stays small.
    """

    def __init__(self, recent: RecentContents) -> None:
        self.chunks: dict[bytes, Future[bytes]] = {}
        self._recent = recent
        self._cutter = Cutter()
        self._left = _LIMIT
        self._waiting: SimpleQueue[tuple[bytes, Future[bytes]] | None] = SimpleQueue()
        self._threads: list[Thread] = []

    def __enter__(self) -> CompressingAhead:
        # One core is left to the thread that makes the plan: three threads on two cores would slow it by a third.
        for _ in range(max(1, (os.cpu_count() or 1) - 1)):
            self._start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is not None:
            for future in self.chunks.values():
                future.cancel()
        for _ in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def hashed(self, member: Member) -> None:
        """Add a member; compress the runs that it completes."""
        self._submit(self._cutter.add(member))

    def finished(self) -> None:
        """Compress the last run of the source; the next one begins a chunk of its own."""
        self._submit(self._cutter.finish())

    def planned(self) -> None:
        """Use the core of the thread that made the plan, which only waits from now on."""
        self._start()

    def _start(self) -> None:
        thread = Thread(target=self._work, name="compress-ahead", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            data, future = item
            if future.set_running_or_notify_cancel():
                try:
                    future.set_result(compress(data))
                except BaseException as error:
                    future.set_exception(error)

    def _submit(self, runs: Iterator[tuple[tuple[Member, ...], int]]) -> None:
        for members, size in runs:
            if size > self._left:
                continue
            self._left -= size
            try:
                data = raw_run(members, self._recent)
            except ChangedWhileBuildingError:
                # The plan or the pack will meet the file again, and say so if it matters.
                continue
            future: Future[bytes] = Future()
            self.chunks[run_key(members, identity())] = future
            self._waiting.put((data, future))
