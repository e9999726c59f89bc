"""The chunks of the archives in `.build`: a new archive copies those that it has in common with older ones."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable
from typing import IO

from xxhash import xxh3_128_hexdigest

from ytbuild.archive import manifest
from ytbuild.archive.manifest import StoredChunk
from ytbuild.base.errors import ArchiveError
from ytbuild.store.local import LocalStore

_ARCHIVES = 8
_NOT_WORTH_A_MANIFEST = 2


class ChunkReader:
    """Reads those of the `wanted` chunks, given by their keys, that the latest archives hold.

    It reads their manifests, the latest first, until nearly all chunks are known: reading one more takes about as
    long as compressing a chunk or two.
    """

    def __init__(self, store: LocalStore, wanted: Iterable[bytes]) -> None:
        self._places: dict[str, tuple[IO[bytes], StoredChunk]] = {}
        self._files = contextlib.ExitStack()
        missing = {key.hex() for key in wanted}
        for number, archive in enumerate(store.keys()[:_ARCHIVES]):
            if number == 0 or len(missing) > _NOT_WORTH_A_MANIFEST:
                missing -= self._learn(store, archive, missing)

    def __enter__(self) -> ChunkReader:
        return self

    def __exit__(self, *_: object) -> None:
        self._files.close()

    def read(self, key: bytes) -> bytes | None:
        """Return the compressed bytes of a chunk if an archive holds them unharmed."""
        place = self._places.get(key.hex())
        if place is None:
            return None
        file, chunk = place
        try:
            data = os.pread(file.fileno(), chunk.size, chunk.offset)
        except OSError:
            return None
        return data if xxh3_128_hexdigest(data) == chunk.hash else None

    def _learn(self, store: LocalStore, archive: str, missing: set[str]) -> set[str]:
        """Note where an archive holds missing chunks; return their keys."""
        try:
            with open(store.manifest_path(archive), "rb") as manifest_file:
                summary = manifest.decode_summary(manifest_file.read())
            file = self._files.enter_context(open(store.archive_path(archive), "rb"))  # noqa: SIM115
        except (OSError, ArchiveError):
            return set()
        places = {chunk.key: (file, chunk) for chunk in summary.chunks if chunk.key in missing}
        self._places |= places
        return set(places)
