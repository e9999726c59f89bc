"""Unpacking an archive, every chunk compared with the manifest before it is believed."""

from __future__ import annotations

import io
import tarfile
import zlib
from collections.abc import Iterator

from xxhash import xxh3_128_hexdigest

from ytbuild.archive.manifest import Summary
from ytbuild.base.errors import ArchiveError
from ytbuild.base.text import quote

_GZIP = 31
_DRAIN = 1 << 20


def extract_archive(path: str, summary: Summary, destination: str) -> None:
    """Unpack the archive at `path` into the empty folder `destination`.

    Raises `ArchiveError` when the archive is cut or damaged: a gzip file that ends between two members looks
    whole to every reader of gzip, so the manifest is asked.
    """
    stream = _Stream(_chunks(path, summary))
    with tarfile.open(fileobj=stream, mode="r|", encoding="utf-8", errors="strict") as archive:
        # Python before 3.11.4 has no filters; what is extracted here was compared with the manifest either way.
        archive.extraction_filter = getattr(tarfile, "tar_filter", None)
        for info in archive:
            archive.extract(info, destination)
    while stream.read(_DRAIN):
        pass


def _chunks(path: str, summary: Summary) -> Iterator[bytes]:
    with open(path, "rb") as file:
        for chunk in summary.chunks:
            data = file.read(chunk.size)
            if xxh3_128_hexdigest(data) != chunk.hash:
                raise ArchiveError(
                    f"{quote(path)} is damaged: the chunk at byte {chunk.offset} is not what the manifest says",
                    "remove it and build again",
                )
            yield zlib.decompress(data, _GZIP)
        if file.read(1):
            raise ArchiveError(f"{quote(path)} goes on after its end", "remove it and build again")


class _Stream(io.RawIOBase):
    """The tar stream of an archive, read chunk by chunk."""

    def __init__(self, chunks: Iterator[bytes]) -> None:
        self._chunks = chunks
        self._rest = b""

    def readable(self) -> bool:
        """Tell that it can be read, as `tarfile` asks."""
        return True

    def read(self, size: int = -1) -> bytes:
        """Return up to `size` bytes of tar; fewer only at the end."""
        parts: list[bytes] = []
        while size:
            if not self._rest:
                self._rest = next(self._chunks, b"")
                if not self._rest:
                    break
            part = self._rest[:size] if size > 0 else self._rest
            self._rest = self._rest[len(part) :]
            parts.append(part)
            size = size - len(part) if size > 0 else size
        return b"".join(parts)
