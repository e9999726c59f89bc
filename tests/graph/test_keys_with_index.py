"""After any change, a plan that has the index of earlier ones says what a plan without any index says."""

from __future__ import annotations

import contextlib
import mmap
import os
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Pipeline
from ytbuild.base.errors import UsageError
from ytbuild.graph.plan import Planner

STEPS = 25
NAMES = ["a", "b", "c", "data.csv", "x.py", "deep", "site.pem", ".env"]
LINES = [
    "*.csv",
    "!*.csv",
    "/a",
    "deep/",
    "b/*",
    "!b",
    "/lib/a",
    "/vendor/*.py",
    "lib",
    "**/c",
    "!.env",
    ".env",
    "x.*",
]
CONTENTS = [b"", b"one", b"two", b"-----BEGIN PRIVATE KEY-----\n", b"three\n" * 1000]
PLACES = ["lib", "vendor", "shared", "ours", "stages/first/src"]


class Changes:
    """Random changes of one pipeline's files."""

    def __init__(self, pipeline: Pipeline, seed: int) -> None:
        self.root = pipeline.root
        self.pipeline = pipeline
        self.rng = random.Random(seed)

    def _path(self) -> Path:
        parts = [self.rng.choice(NAMES) for _ in range(self.rng.choice([1, 1, 2, 3]))]
        return self.root.joinpath(self.rng.choice(PLACES), *parts)

    def _existing(self) -> Path | None:
        found = [
            Path(folder, name)
            for place in PLACES
            for folder, folders, files in os.walk(self.root / place)
            for name in folders + files
        ]
        return self.rng.choice(sorted(found)) if found else None

    def write(self) -> None:
        path = self._path()
        folders = [folder for folder in path.parents if folder.is_relative_to(self.root)]
        if (os.path.lexists(path) and not path.is_file()) or any(folder.is_file() for folder in folders):
            return
        if not any(os.path.lexists(folder) and not folder.exists() for folder in folders):
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(self.rng.choice(CONTENTS))

    def remove(self) -> None:
        path = self._existing()
        if path is not None:
            if path.is_dir() and not path.is_symlink():
                shutil.rmtree(path)
            else:
                path.unlink()

    def rename(self) -> None:
        old, new = self._existing(), self._path()
        if old is not None and not os.path.lexists(new) and new.parent.is_dir():
            with contextlib.suppress(OSError):  # a folder into itself
                old.rename(new)

    def chmod(self) -> None:
        path = self._existing()
        if path is not None and path.is_file():
            path.chmod(self.rng.choice([0o644, 0o755, 0o600]))

    def touch(self) -> None:
        path = self._existing()
        if path is not None and path.exists():
            os.utime(path)

    def link(self) -> None:
        path, aim = self._path(), self._existing()
        if aim is not None and path.parent.is_dir() and not os.path.lexists(path):
            path.symlink_to(self.rng.choice([str(aim), os.path.relpath(aim, path.parent)]))

    def hard_link(self) -> None:
        path, aim = self._path(), self._existing()
        if aim is not None and aim.is_file() and path.parent.is_dir() and not os.path.lexists(path):
            os.link(aim, path)

    def ignore(self) -> None:
        folder = self.rng.choice([self.root, *(self.root / place for place in PLACES), self._path().parent])
        if folder.is_dir():
            lines = [self.rng.choice(LINES) for _ in range(self.rng.randrange(4))]
            (folder / ".ytignore").write_text("\n".join(lines))

    def move_source(self) -> None:
        one, two = self.root / "lib", self.root / "vendor"
        if one.exists() and not two.exists():
            one.rename(two)
        elif two.exists() and not one.exists():
            two.rename(one)
        self.configure()

    def configure(self) -> None:
        source = self.rng.choice([name for name in ("lib", "vendor") if (self.root / name).exists()] or ["lib"])
        module = self.rng.choice(["", "ours"])
        self.pipeline.configure(f"upload_paths: [{{source: {source}, target: here}}]\nupload_modules: [{module}]")

    def repair(self) -> None:
        """Remove what most often stops a build: links, and rules that leave out everything."""
        for place in PLACES:
            for path in [*(self.root / place).rglob("*")]:
                if path.is_symlink() or (path.name == ".ytignore" and self.rng.random() < 0.5):
                    path.unlink()
        (self.root / ".ytignore").unlink(missing_ok=True)
        self.configure()

    def one(self) -> str:
        """Make one change and return what it was."""
        changes: list[Callable[[], None]] = [
            *([self.write] * 4 + [self.ignore] * 3 + [self.rename] * 3 + [self.link] * 2 + [self.configure] * 2),
            *(self.remove, self.chmod, self.touch, self.hard_link, self.move_source, self.move_source),
        ]
        change = self.rng.choice(changes)
        change()
        return change.__name__


def _said(pipeline: Pipeline, saves: bool, quiet: int = 10**10) -> tuple[object, ...]:
    """Return a plan's key, warnings and left-out files, or the error that it ends in.

    `saves` keeps the index as if the files had been left alone for `quiet` nanoseconds: only then it is believed.
    """
    try:
        planner = Planner(str(pipeline.root))
        found = planner.plan()
    except UsageError as error:
        return (type(error).__name__, error.message, error.hint)
    if saves:
        planner.index._started_ns += quiet
        (pipeline.root / ".build").mkdir(exist_ok=True)
        planner.save()
    ignored = sorted(
        (name, tuple(item)) for name, trees in found.trees.items() for tree in trees for item in tree.ignored()
    )
    members = [
        (member.arcname, member.executable, member.size, member.digest, member.link, os.path.exists(member.origin))
        for target in found.targets
        if target.name != "wrappers"
        for member in target.load().members
    ]
    return (found.key, sorted(found.warnings), ignored, members)


def _said_without_index(pipeline: Pipeline, aside: Path) -> tuple[object, ...]:
    built = pipeline.root / ".build"
    if built.exists():
        built.rename(aside)
    try:
        return _said(pipeline, saves=False)
    finally:
        if aside.exists():
            aside.rename(built)


def test_a_change_that_the_file_s_times_do_not_show_is_noticed_all_the_same(pipeline: Pipeline) -> None:
    path = pipeline.write("stages/first/src/data.bin", bytes(4096))
    with open(path, "r+b") as file, mmap.mmap(file.fileno(), 4096) as memory:
        memory[0] = 1
        before = _said(pipeline, saves=True, quiet=0)
        status = os.stat(path)
        memory[0] = 2  # the page is dirty already, so the kernel leaves the times alone
        assert os.stat(path) == status
        assert _said(pipeline, saves=False)[0] != before[0]


@pytest.mark.parametrize("seed", range(12))
def test_the_index_never_changes_the_answer(pipeline: Pipeline, tmp_path: Path, seed: int) -> None:
    for path in ("lib/a/x.py", "lib/b/data.csv", "shared/c", "ours/__init__.py"):
        pipeline.write(path, path)
    pipeline.configure("upload_paths: [{source: lib, target: here}]\nupload_modules: [ours]")
    changes = Changes(pipeline, seed)
    done = []
    for _ in range(STEPS):
        done.append(changes.one())
        said = _said(pipeline, saves=True)
        assert said == _said_without_index(pipeline, tmp_path / "aside"), done
        if isinstance(said[-1], str):  # an error, which would only hide what comes next
            changes.repair()
