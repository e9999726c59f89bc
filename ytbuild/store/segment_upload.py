"""The upload of segments from several threads: each is claimed, written and settled, and appears on its own."""

from __future__ import annotations

import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial

from ytbuild.archive.segments import Segment
from ytbuild.base.errors import ClusterError
from ytbuild.base.reporter import Reporter
from ytbuild.cluster import files
from ytbuild.cluster.error_codes import NO_SUCH_TRANSACTION
from ytbuild.cluster.files import WrittenFile
from ytbuild.store.remote import CONFLICTS, CypressStore
from ytbuild.store.transfer import OtherUpload, Transfer

_GROUP = 8
"""Segments whose transactions one request opens, at most."""

_SETTLED_EVERY = 1.0
"""Seconds after which what was written appears, if not before: so much a killed upload may lose in each thread."""


class SegmentUpload:
    """Sends segments side by side; `sent` has the sizes of those that it sent, by their keys."""

    def __init__(self, store: CypressStore, transfer: Transfer, reporter: Reporter) -> None:
        self.sent: dict[str, int] = {}
        self._store = store
        self._connection = store.connection
        self._transfer = transfer
        self._threads = store.connection.config.upload_threads
        self._reporter = reporter

    def send_missing(self, parts: Sequence[Segment]) -> None:
        """Send those of the segments that are not there; those that somebody else sends are waited for.

        Raises `UploadError` when one is not what was sent.
        """
        wanted = self._store.missing(parts, refresh=True)
        other = OtherUpload(self._reporter, "another upload of the same segments")
        self._store.prepare(wanted)
        while wanted:
            self._transfer.meter.expect(sum(segment.size for segment in wanted))
            # What is in the way and not the segment is replaced, but only if it stays.
            if self._send_all(wanted, force=other.count > 1):
                return
            missing = self._store.missing(wanted, refresh=False)
            if len(missing) == len(wanted):
                other.wait()
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
        claimed = self._transfer.persistently(lambda: self._claim(group, force))
        written: dict[Segment, WrittenFile] = {}
        settled = 0
        since = time.monotonic()
        try:
            for segment in group:
                if segment.key in claimed:
                    written |= self._transfer.persistently(partial(self._write, segment, claimed, force))
                if time.monotonic() > since + _SETTLED_EVERY:
                    settled += self._settle(written)
                    since = time.monotonic()
            return settled + self._settle(written) == len(group)
        finally:
            self._connection.transactions.abort([*claimed.values(), *(file.transaction for file in written.values())])

    def _claim(self, wanted: Sequence[Segment], force: bool) -> dict[str, str]:
        """Open a transaction for each segment and create it there; return the transactions by the segments' keys.

        Those that somebody else writes, or has, are left out. `force` replaces what has their names and is not them.
        """
        transactions = self._connection.transactions.start([f"ytbuild: segment {segment.key}" for segment in wanted])
        claimed: dict[str, str] = {}
        try:
            claims = list(zip(wanted, transactions, strict=True))
            creations = [
                self._store.creation(self._store.segment_path(segment.key), segment.key, segment.size, one, force)
                for segment, one in claims
            ]
            for (segment, transaction), answer in zip(claims, self._connection.batch(creations), strict=True):
                if not answer.has(*CONFLICTS):
                    answer.get()
                    claimed[segment.key] = transaction
        except BaseException:
            self._connection.transactions.abort(transactions)
            raise
        self._connection.transactions.abort([one for one in transactions if one not in claimed.values()])
        return claimed

    def _write(self, segment: Segment, claimed: dict[str, str], force: bool) -> dict[Segment, WrittenFile]:
        """Write one segment, which nobody sees before it is settled; nothing when somebody else is at it.

        `claimed` has its transaction, or none when the last attempt failed: a failure ends it.
        """
        transaction = claimed.pop(segment.key, None) or self._claim([segment], force).get(segment.key)
        if transaction is None:
            return {}
        content = self._transfer.content(segment.key, segment.offset, segment.size)
        try:
            return {
                segment: files.write(self._connection, self._store.segment_path(segment.key), transaction, content())
            }
        except BaseException:
            self._connection.transactions.abort([transaction])
            raise

    def _settle(self, written: dict[Segment, WrittenFile]) -> int:
        """Let written segments appear, once they are what was sent; return how many have.

        The others have lost their transactions.
        """
        transactions = [file.transaction for file in written.values()]
        committed: list[str] = []
        try:
            files.check(self._connection, list(written.values()))
            committed = self._connection.transactions.commit(transactions)
        except ClusterError as error:
            if NO_SUCH_TRANSACTION not in error.codes:
                raise
        finally:
            self._connection.transactions.abort(transactions)
        done = [segment for segment, file in written.items() if file.transaction in committed]
        written.clear()
        self.sent.update((segment.key, segment.size) for segment in done)
        return len(done)


def _groups(wanted: Sequence[Segment], threads: int) -> Iterator[Sequence[Segment]]:
    """Give the segments in groups that every thread has one of, if there are enough."""
    size = min(_GROUP, -(-len(wanted) // threads))
    return (wanted[start : start + size] for start in range(0, len(wanted), size))
