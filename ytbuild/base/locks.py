"""Locks that end with the process that holds them."""

from __future__ import annotations

import contextlib
import fcntl
import os
import time
from collections.abc import Iterator
from typing import IO

from ytbuild.base.errors import LockedError


@contextlib.contextmanager
def locked_folder(path: str) -> Iterator[None]:
    """Hold the lock of a folder of ours, waiting for whoever holds it; it needs no file and no right to write."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


def lock_file(path: str) -> IO[str]:
    """Lock a file for as long as it is open; raises `LockedError` naming who holds it."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "a+", encoding="utf-8"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise LockedError(
                f"another run uses {os.path.dirname(path)}: {holder}",
                "wait until it ends, or stop it: two runs would write the same tables",
            ) from None
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}, since {time.strftime('%H:%M:%S')}\n")
        file.flush()
        stack.pop_all()
        return file
