"""Compressing while the plan is still being made: a first build would otherwise leave all cores but one idle.

Where chunks are cut depends on the members' names and sizes alone, and a scan hashes files in the archive's order, so
a chunk is known as soon as its last file has been read. A guess that turns out wrong (a link belongs to the chunk, or
the plan ends in an error) costs only the work.
"""

from __future__ import annotations

from collections.abc import Iterable

from ytbuild.archive.chunks import Cutter, Run, run_key
from ytbuild.archive.compress import Compressing, Compressors, identity
from ytbuild.archive.pack import raw_run
from ytbuild.base.errors import ChangedWhileBuildingError
from ytbuild.graph.target import Member
from ytbuild.sources.fingerprints import RecentContents

_LIMIT = 64 << 20


class CompressingAhead:
    """A listener of plans that compresses each run of members as soon as it is complete.

    `chunks` holds the results by key. It stops after 64 MiB, so that what waits to be written stays small.
    """

    def __init__(self, compressors: Compressors, recent: RecentContents) -> None:
        self.chunks: dict[bytes, Compressing] = {}
        self._compressors = compressors
        self._recent = recent
        self._cutter = Cutter()
        self._left = _LIMIT

    def hashed(self, member: Member) -> None:
        """Add a member; compress the runs that it completes."""
        self._submit(self._cutter.add(member))

    def finished(self) -> None:
        """Compress the last run of the source; the next one begins a chunk of its own."""
        self._submit(self._cutter.finish())

    def _submit(self, runs: Iterable[Run]) -> None:
        for members, size in runs:
            if size > self._left:
                continue
            self._left -= size
            try:
                data = raw_run(members, self._recent)
            except ChangedWhileBuildingError:
                # The plan or the pack will meet the file again, and say so if it matters.
                continue
            self.chunks[run_key(members, identity())] = self._compressors.submit(data)
