"""Test helpers: a disk that is full, and one that cannot be written, real where this machine lets us mount."""

from __future__ import annotations

import contextlib
import errno
import functools
import os
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import pytest

from ytbuild.base import files
from ytbuild.store import local


@contextlib.contextmanager
def mounted(folder: Path, *arguments: str) -> Iterator[None]:
    """Mount something on `folder` until the block ends."""
    folder.mkdir(exist_ok=True)
    subprocess.run(["mount", *arguments, str(folder)], check=True, capture_output=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


@functools.cache
def can_mount() -> bool:
    """Tell whether this process may mount a tmpfs."""
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder:
        try:
            with mounted(Path(folder), "-t", "tmpfs", "-o", "size=64k", "none"):
                return True
        except (OSError, subprocess.CalledProcessError):
            return False


UNWRITABLE = ["injected"] + (["read-only mount"] if can_mount() else [])
FULL = ["injected"] + (["small tmpfs"] if can_mount() else [])


@contextlib.contextmanager
def unwritable(way: str, folder: Path) -> Iterator[None]:
    """Make everything below `folder` unwritable until the block ends."""
    if way == "read-only mount":
        with mounted(folder, "--bind", str(folder)):
            subprocess.run(["mount", "-o", "remount,bind,ro", str(folder)], check=True)
            yield
        return

    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EROFS, os.strerror(errno.EROFS))

    def read_only(path: str, mode: str = "r", *arguments: Any, **keywords: Any) -> IO[Any]:
        if set(mode) & set("wxa+"):
            refuse()
        return open(path, mode, *arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        for name in ("utime", "link", "rename", "mkdir", "makedirs", "unlink"):
            patch.setattr(os, name, refuse)
        for module in (files, local):
            patch.setattr(module, "open", read_only, raising=False)
        yield


class FullDisk:
    """A file that takes `room` bytes, which all files share, and then says that there is no space."""

    def __init__(self, file: IO[bytes], room: list[int]) -> None:
        self._file = file
        self._room = room

    def write(self, data: bytes) -> int:
        """Write as `file.write` does, while there is room."""
        if len(data) > self._room[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        self._room[0] -= len(data)
        return self._file.write(data)

    def __enter__(self) -> FullDisk:
        return self

    def __exit__(self, *_: object) -> None:
        self._file.close()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._file, name)


@contextlib.contextmanager
def full(room: int) -> Iterator[None]:
    """Leave `room` bytes for everything that is written through `files` until the block ends."""
    left = [room]

    def open_(path: str, mode: str = "r", *arguments: Any, **keywords: Any) -> Any:
        if set(mode) & set("wxa+"):
            return FullDisk(open(path, mode, *arguments, **keywords), left)
        return open(path, mode, *arguments, **keywords)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(files, "open", open_, raising=False)
        # flock wants a real file; who holds which lock is not what these tests are about.
        patch.setattr(files.fcntl, "flock", lambda *_: None)
        yield
