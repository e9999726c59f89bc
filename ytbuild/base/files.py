"""Files on disk: read without traps, and ours written whole or not at all."""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import stat
import threading
import time
from collections.abc import Iterator
from typing import IO

from ytbuild.base.errors import StoreError
from ytbuild.base.locks import locked_folder

TEMPORARY_PREFIX = ".tmp-"

# O_NONBLOCK: opening a fifo must not wait for somebody who writes to it.
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
READ_NO_LINK = READ | os.O_NOFOLLOW

_OUT_OF_SPACE = (errno.ENOSPC, errno.EDQUOT)
_IN_THE_WAY = (errno.EISDIR, errno.ENOTDIR, errno.EEXIST, errno.ENOTEMPTY)


def read_regular(path: str) -> bytes:
    """Return the content of a regular file; raises `OSError` when it cannot be read or is none."""
    with open(os.open(path, READ), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "it is no regular file")
        return file.read()


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


@contextlib.contextmanager
def temporary_folder(parent: str) -> Iterator[str]:
    """Give a new folder in `parent`, which is made, too, and remove it with all that is in it when the block ends.

    It is locked, so that `remove_abandoned` does not take it for the leftovers of a killed process.
    """
    import shutil

    folder = temporary_name(parent)
    try:
        with translated(folder):
            os.makedirs(folder)
        with locked_folder(folder):
            yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def temporary_name(folder: str) -> str:
    """Return a name in `folder` that no other process or thread of this machine uses."""
    return os.path.join(folder, f"{TEMPORARY_PREFIX}{os.getpid()}-{threading.get_ident()}-{time.monotonic_ns()}")


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
