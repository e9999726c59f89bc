"""Test helper: something between here and the cluster that changes data."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress


class _Replacing:
    """Replaces `old` by `new`, which is as long, in a stream that comes in pieces."""

    def __init__(self, old: bytes, new: bytes) -> None:
        assert len(old) == len(new)
        self._old, self._new = old, new
        self._held = b""

    def __call__(self, piece: bytes) -> bytes:
        data = (self._held + piece).replace(self._old, self._new)
        held = next(size for size in range(len(self._old) - 1, -1, -1) if data.endswith(self._old[:size]))
        self._held = data[len(data) - held :]
        return data[: len(data) - held]


def _pump(source: socket.socket, target: socket.socket, change: _Replacing | None) -> None:
    with suppress(OSError):
        while piece := source.recv(1 << 16):
            target.sendall(change(piece) if change else piece)
    for each in (source, target):
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)


@contextmanager
def relay(address: str, old: bytes, new: bytes) -> Iterator[str]:
    """Give the address of a relay to `address` that replaces bytes on their way there."""
    host, port = address.split(":")
    opened: list[socket.socket] = []
    threads: list[threading.Thread] = []

    def serve(server: socket.socket) -> None:
        with suppress(OSError):
            while True:
                near, _ = server.accept()
                far = socket.create_connection((host, int(port)))
                opened.extend((near, far))
                for arguments in ((near, far, _Replacing(old, new)), (far, near, None)):
                    threads.append(threading.Thread(target=_pump, args=arguments))
                    threads[-1].start()

    with socket.create_server(("127.0.0.1", 0)) as server:
        threads.append(threading.Thread(target=serve, args=(server,)))
        threads[0].start()
        try:
            yield f"127.0.0.1:{server.getsockname()[1]}"
        finally:
            for each in (server, *opened):
                with suppress(OSError):
                    each.shutdown(socket.SHUT_RDWR)
            for thread in threads:
                thread.join()
            for each in opened:
                each.close()
