"""Dev files: what is uploaded lies under `.dev/files`, in the folders of its Cypress path."""

from __future__ import annotations

import os
import shutil

from ytbuild.base import files
from ytbuild.base.errors import TableError
from ytbuild.base.text import quote
from ytbuild.config.cypress_path import node_path


class FileStore:
    """The files and folders below one `.dev` folder."""

    def __init__(self, dev_dir: str) -> None:
        self._folder = os.path.join(dev_dir, "files")

    def path_of(self, path: str) -> str:
        """Return where a Cypress path lies on disk, whether it exists or not; raises `TableError` for no path."""
        return os.path.join(self._folder, *node_path(path)[2:].split("/"))

    def existing(self, path: str) -> str:
        """Return the local file of a Cypress path; raises `TableError` when there is none."""
        local = self.path_of(path)
        if not os.path.isfile(local):
            raise TableError(
                f"there is no file {path} in dev ({quote(local)} does not exist)",
                "upload it in a stage before, with yt_client.upload_file, or put a copy there",
            )
        return local

    def is_file(self, path: str) -> bool:
        """Tell whether there is a file at this path."""
        return os.path.isfile(self.path_of(path))

    def is_folder(self, path: str) -> bool:
        """Tell whether there is a folder at this path."""
        return os.path.isdir(self.path_of(path))

    def make_folder(self, path: str) -> None:
        """Make a folder and those above it."""
        _make_folder(self.path_of(path))

    def make_file(self, path: str) -> None:
        """Make an empty file unless one is there."""
        destination = self.path_of(path)
        if not os.path.isfile(destination):
            _make_folder(os.path.dirname(destination))
            with files.replacing(destination):
                pass

    def upload(self, local: str, path: str) -> None:
        """Copy a local file to a path, whole or not at all; raises `TableError` when it cannot be read."""
        destination = self.path_of(path)
        if not os.path.isfile(local) or not os.access(local, os.R_OK):
            raise TableError(f"{quote(local)} is no readable file", "give the path of one")
        _make_folder(os.path.dirname(destination))
        # Nobody writes to it again, not a job either: the cluster's jobs cannot change their files.
        mode = 0o555 if os.stat(local).st_mode & 0o100 else 0o444
        with open(local, "rb") as source, files.replacing(destination, mode) as out:
            shutil.copyfileobj(source, out, 1 << 20)

    def remove(self, path: str) -> None:
        """Remove a file, or a folder with all that is in it."""
        files.remove(self.path_of(path))

    def is_empty_folder(self, path: str) -> bool:
        """Tell whether a folder holds nothing."""
        return not os.listdir(self.path_of(path))

    def move(self, source: str, destination: str) -> None:
        """Give a file or a folder another path; what was there is replaced."""
        target = self.path_of(destination)
        _make_folder(os.path.dirname(target))
        with files.translated(target):
            files.rename_over(self.path_of(source), target)


def _make_folder(path: str) -> None:
    with files.translated(path):
        os.makedirs(path, exist_ok=True)
