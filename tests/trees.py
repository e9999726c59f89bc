"""Test helpers: trees with content, builds inside this process, and what a folder or an archive holds."""

from __future__ import annotations

import functools
import gzip
import hashlib
import os
import random
import shutil
import stat
from pathlib import Path

from tests.support import Pipeline
from ytbuild.archive import manifest
from ytbuild.build import BuildResult, build_archive
from ytbuild.graph.plan import Planner

_WORDS = [f"{number * 7919 % 10007:x}" for number in range(4000)]
Snapshot = dict[str, tuple[str, str, bytes]]


@functools.lru_cache(maxsize=8)
def text(size: int, seed: int) -> bytes:
    """Return `size` bytes that look like code: lines of words, the same for the same seed."""
    source = random.Random(seed)
    lines = "\n".join(" ".join(source.choices(_WORDS, k=8)) for _ in range(min(size, 200_000) // 24 + 1))
    data = lines.encode()
    return (data * (size // len(data) + 1))[:size]


def fill(pipeline: Pipeline, folder: str, count: int, size: int, seed: int = 1) -> None:
    """Write `count` files of about `size` bytes below `folder`, in subfolders of fifty."""
    source = random.Random(seed)
    pool = text(max(size * 4, 100_000), seed)
    for number in range(count):
        length = size // 2 + source.randrange(size)
        start = source.randrange(len(pool) - length)
        head = b"# %d of %d\n" % (number, seed)
        pipeline.write(f"{folder}/part{number // 50:03}/file{number:05}.py", head + pool[start : start + length])


def built(pipeline: Pipeline) -> BuildResult:
    """Build inside this process."""
    return build_archive(Planner(str(pipeline.root)))


def copied(pipeline: Pipeline, destination: Path) -> Pipeline:
    """Return a copy of a pipeline, with links as links and without its `.build`."""
    shutil.copytree(pipeline.root, destination, symlinks=True, ignore=shutil.ignore_patterns(".build"))
    return Pipeline(destination)


def fresh_archive(pipeline: Pipeline, destination: Path) -> bytes:
    """Return the archive that the same tree gives elsewhere, where nothing was ever built."""
    other = copied(pipeline, destination)
    built(other)
    return other.archive().read_bytes()


def snapshot(root: Path) -> Snapshot:
    """Return every entry below `root` but `.build`: kind, executable bit, and content or link text."""
    found: Snapshot = {}
    for folder, folders, files in os.walk(root):
        if Path(folder) == root and ".build" in folders:
            folders.remove(".build")
        for name in folders + files:
            path = Path(folder, name)
            status = path.lstat()
            executable = "x" if status.st_mode & stat.S_IXUSR and stat.S_ISREG(status.st_mode) else "-"
            if stat.S_ISLNK(status.st_mode):
                content = os.fsencode(os.readlink(path))
            else:
                content = path.read_bytes() if stat.S_ISREG(status.st_mode) else b""
            kind = "link" if stat.S_ISLNK(status.st_mode) else "file" if stat.S_ISREG(status.st_mode) else "folder"
            found[str(path.relative_to(root))] = (kind, "-" if kind == "link" else executable, content)
    return found


def only_files(tree: Snapshot) -> Snapshot:
    """Return a snapshot without its folders."""
    return {name: entry for name, entry in tree.items() if entry[0] != "folder"}


def gunzipped(archive: Path) -> bytes:
    """Return the tar stream of a whole archive."""
    return gzip.decompress(archive.read_bytes())


def summary(pipeline: Pipeline) -> manifest.Summary:
    """Return what the newest manifest says, apart from the members."""
    return manifest.decode_summary((pipeline.root / ".build" / "manifest.json").read_bytes())


def digest(path: Path) -> str:
    """Return the sha256 of a file."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def temporary_files(pipeline: Pipeline) -> list[str]:
    """Return what a build left behind under temporary names."""
    build_dir = pipeline.root / ".build"
    return sorted(str(path.relative_to(build_dir)) for path in build_dir.rglob(".tmp-*"))
