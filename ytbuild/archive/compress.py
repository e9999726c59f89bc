"""One gzip member from one chunk, by libdeflate: three times as fast as zlib at the same level."""

from __future__ import annotations

import functools
import os
from queue import SimpleQueue
from threading import Event, Thread

import deflate
from xxhash import xxh3_128_digest

LEVEL = 6

_PROBE = b"".join(b"%d def probe(self, value): return %d\n" % (n * 7919 % 1009, n * n) for n in range(600))


def compress(data: bytes) -> bytes:
    """Return `data` as one gzip member (RFC 1952), with no name and no time in it."""
    return bytes(deflate.gzip_compress(data, LEVEL))


@functools.cache
def identity() -> bytes:
    """Return what tells this compressor's output from another's.

    It is the hash of a compressed probe, not a version number: libraries change their output without changing
    their version, and change their version without changing their output.
    """
    return b"level %d " % LEVEL + xxh3_128_digest(compress(_PROBE))


class Compressing:
    """A chunk on its way through a `Compressors`."""

    __slots__ = ("_data", "_done", "_error")

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._done = Event()
        self._error: BaseException | None = None

    def run(self) -> None:
        """Compress it here and now."""
        try:
            self._data = compress(self._data)
        except BaseException as error:
            self._error = error
        self._done.set()

    def result(self) -> bytes:
        """Wait, and return the compressed bytes."""
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._data


class Compressors:
    """Threads that compress; they start as there is work, up to `threads`.

    `concurrent.futures` would do, but importing it (and with it `logging`) takes as long as compressing half a
    megabyte, in a build that often compresses no more.
    """

    def __init__(self, threads: int = os.cpu_count() or 1) -> None:
        self._limit = threads
        self._threads: list[Thread] = []
        self._waiting: SimpleQueue[Compressing | None] = SimpleQueue()
        self._abandoned = False

    def __enter__(self) -> Compressors:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        self._abandoned = kind is not None
        for _thread in self._threads:
            self._waiting.put(None)
        for thread in self._threads:
            thread.join()

    def submit(self, data: bytes) -> Compressing:
        """Begin to compress a chunk."""
        item = Compressing(data)
        self._waiting.put(item)
        if len(self._threads) < self._limit:
            self._start()
        return item

    def grow(self) -> None:
        """Use one thread more from now on."""
        self._limit += 1
        if not self._waiting.empty():
            self._start()

    def _start(self) -> None:
        thread = Thread(target=self._work, name="compress", daemon=True)
        self._threads.append(thread)
        thread.start()

    def _work(self) -> None:
        while (item := self._waiting.get()) is not None:
            if not self._abandoned:
                item.run()
