"""Files under `.build`: written whole or not at all, and disposable ones that prove they are intact.

A cache file is `MAGIC, 16 bytes of xxh3_128, payload`. The payload is `marshal` data of plain values: reading
100,000 fingerprints takes 40 ms this way and 200 ms as JSON, and the index is read by every build. marshal may
crash on damaged data, so nothing is decoded before its hash has been compared; its format may change with the
interpreter, so the interpreter's marshal version is part of the magic and another one is a miss.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import marshal
import os
import threading
import time
from collections.abc import Iterator
from typing import IO, Any

from xxhash import xxh3_128_digest

from ytbuild.base.errors import StoreError
from ytbuild.base.reading import READ_NO_LINK

TEMPORARY_PREFIX = ".tmp-"

# Version 2 writes no back references, so equal values give equal bytes.
_MARSHAL_FORMAT = 2
_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY)


def dumps(value: Any) -> bytes:
    """Return `value`, made of None, bool, int, str, bytes, tuple, list and dict, as bytes."""
    return marshal.dumps(value, _MARSHAL_FORMAT)


loads = marshal.loads


def _magic(schema: str) -> bytes:
    return f"ytbuild {schema} marshal-{marshal.version}\n".encode()


def load(path: str, schema: str) -> Any | None:
    """Return what `save` wrote to `path` under the same `schema`, or None.

    A missing, cut, corrupt or otherwise written file is None, never an error.
    """
    magic = _magic(schema)
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None
    body = len(magic) + 16
    payload = memoryview(data)[body:]
    if data[: len(magic)] != magic or xxh3_128_digest(payload) != data[len(magic) : body]:
        return None
    try:
        return loads(payload)
    except (ValueError, EOFError, TypeError):
        return None


def save(path: str, schema: str, value: Any) -> None:
    """Write `value` to `path` so that `load` returns it; raises `StoreError` when it cannot be written."""
    payload = dumps(value)
    with replacing(path) as file:
        file.write(_magic(schema) + xxh3_128_digest(payload))
        file.write(payload)


@contextlib.contextmanager
def replacing(path: str, mode: int = 0o644) -> Iterator[IO[bytes]]:
    """Give a new file to write; when the block ends well it becomes `path`, otherwise it is removed.

    The file is created beside `path`, so that the rename cannot cross file systems, and is locked while it is
    open: `remove_abandoned` tells the leftovers of a killed process from the work of a live one by that lock.
    Raises `StoreError` when the file system refuses.
    """
    with translated(path):
        temporary = temporary_name(os.path.dirname(path))
        try:
            with open(temporary, "x+b") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield file
                file.flush()
                os.fchmod(file.fileno(), mode)
                rename_over(temporary, path)
        except BaseException:
            with contextlib.suppress(FileNotFoundError):
                os.unlink(temporary)
            raise


def rename_over(source: str, destination: str) -> None:
    """Rename a file or folder of ours to `destination`, in one step unless a folder is in its way."""
    try:
        os.rename(source, destination)
    except OSError as error:
        if error.errno not in _IN_THE_WAY:
            raise
        remove(destination)
        os.rename(source, destination)


def remove(path: str) -> None:
    """Remove a file, a link or a whole folder, whatever is there."""
    if os.path.isdir(path) and not os.path.islink(path):
        # First out of the way: a folder cannot be removed in one step, and others may look at it.
        import shutil

        aside = temporary_name(os.path.dirname(path))
        os.rename(path, aside)
        shutil.rmtree(aside, ignore_errors=True)
    else:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def temporary_name(folder: str) -> str:
    """Return a name in `folder` that no other process or thread of this machine uses."""
    return os.path.join(folder, f"{TEMPORARY_PREFIX}{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}")


@contextlib.contextmanager
def locked_folder(path: str) -> Iterator[None]:
    """Hold the lock of a folder of ours, waiting for whoever holds it; it needs no file and no right to write."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextlib.contextmanager
def translated(path: str) -> Iterator[None]:
    """Turn the file system's refusal to write `path` into a `StoreError` that says what to do."""
    try:
        yield
    except OSError as error:
        if error.errno in _OUT_OF_SPACE:
            raise StoreError(
                f"no space left on the device while writing {path}",
                "free some space, or remove old archives under .build/archives; the last good archive is intact",
            ) from error
        if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
            raise StoreError(
                f"cannot write {path}: {error.strerror}",
                "the pipeline's folder must be writable: ytbuild keeps its archives in .build there",
            ) from error
        if error.errno in _IN_THE_WAY:
            raise StoreError(
                f"cannot write {path}: {error.strerror}",
                "something else is in the place of a folder of ytbuild's: move it away",
            ) from error
        raise


def remove_abandoned(folder: str, older_than: float) -> None:
    """Remove the temporary files in `folder` that no live process holds and that are older than `older_than`.

    `older_than` is a time in seconds since the epoch: it keeps a file that was created a moment ago and is not
    yet locked. The age is that of the name (ctime): a temporary link is as old as its file by its mtime.
    """
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if not entry.name.startswith(TEMPORARY_PREFIX):
                continue
            if entry.stat(follow_symlinks=False).st_ctime < older_than:
                _remove_if_unlocked(entry.path)


def _remove_if_unlocked(path: str) -> None:
    with contextlib.suppress(OSError):
        descriptor = os.open(path, READ_NO_LINK)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            if os.path.isdir(path):
                import shutil

                shutil.rmtree(path, ignore_errors=True)
            else:
                os.unlink(path)
        finally:
            os.close(descriptor)
