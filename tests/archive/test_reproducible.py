"""Same inputs, same bytes: one tree made in many ways and places gives one archive and one manifest."""

from __future__ import annotations

import hashlib
import os
import random
import shutil
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

import ytbuild
from tests.support import CONFIG, MAPPER, STAGE_CONFIG, Pipeline, clean_environment
from tests.trees import digest, text

EXECUTABLE = {"lib/tool.sh"}
LINKS = {"lib/alias.py": "имя/é 日本.py", "lib/again": "имя"}
FILES: dict[str, bytes] = {
    "configs/config.yaml": CONFIG.encode()
    + b"pipeline:\n  upload_paths: [{source: lib}, {source: data.bin, target: data/blob.bin}]\n",
    "stages/first/config.yaml": STAGE_CONFIG.encode(),
    "stages/first/requirements.txt": b"six==1.16.0\n",
    "stages/first/src/mapper.py": MAPPER.encode(),
    "lib/.ytignore": b"*.log\n",
    "lib/left-out.log": b"never\n",
    "lib/__init__.py": b"",
    "lib/copy-of-tool.sh": b"#!/bin/sh\n",
    "lib/tool.sh": b"#!/bin/sh\n",
    "lib/имя/é 日本.py": b"x = 1\n",
    f"lib/{'long' * 40}.py": b"y = 2\n",
    **{f"lib/many/file{number:03}.py": text(900 + number, number) for number in range(60)},
    "data.bin": text(5_000_000, 42),
}

Build = tuple[str, bytes]
"""The sha256 of an archive, and its manifest."""


@dataclass
class Making:
    """How a tree comes to be and is built; every field has a value that differs from the reference's."""

    order: Callable[[list[str]], list[str]] = sorted
    umask: int = 0o022
    times: Callable[[int], float] | None = None
    copy: Callable[[Path, Path], object] | None = None
    environment: tuple[tuple[str, str], ...] = ()
    away: bool = False
    folder: str = "pipeline"

    def make(self, tmp_path: Path) -> Path:
        """Write the tree and return its folder."""
        root = tmp_path / self.folder
        old = os.umask(self.umask)
        try:
            for number, name in enumerate(self.order([*FILES, *LINKS])):
                path = root / name
                path.parent.mkdir(parents=True, exist_ok=True)
                if name in LINKS:
                    path.symlink_to(LINKS[name])
                elif self.copy:
                    (tmp_path / "store").mkdir(exist_ok=True)
                    original = tmp_path / "store" / hashlib.sha256(name.encode()).hexdigest()
                    original.write_bytes(FILES[name])
                    self.copy(original, path)
                else:
                    path.write_bytes(FILES[name])
                if name in EXECUTABLE:
                    path.chmod(path.stat().st_mode | 0o100)
                if self.times:
                    os.utime(path, (self.times(number),) * 2, follow_symlinks=False)
        finally:
            os.umask(old)
        return root

    def build(self, tmp_path: Path) -> Build:
        """Make the tree, build it with the real command, and return archive and manifest."""
        root = self.make(tmp_path)
        arguments = ["-C", os.path.relpath(root, tmp_path), "build"] if self.away else ["build"]
        subprocess.run(
            [sys.executable, "-m", "ytbuild", *arguments],
            cwd=tmp_path if self.away else root,
            env=clean_environment(**dict(self.environment)),
            check=True,
            capture_output=True,
            umask=self.umask,
        )
        return results(root)


def results(root: Path) -> Build:
    return digest(root / ".build" / "source.tar.gz"), (root / ".build" / "manifest.json").read_bytes()


@pytest.fixture(scope="module")
def reference(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Build]:
    yield Making().build(tmp_path_factory.mktemp("reference"))


def shuffled(names: list[str]) -> list[str]:
    return random.Random(7).sample(names, len(names))


MAKINGS = {
    "another absolute path": Making(folder="deeper/and with space/имя/p"),
    "old mtimes": Making(times=lambda number: 100_000_000.0 + number),
    "mtimes before 1970": Making(times=lambda number: -1000.0 - number),
    "mtimes in the future": Making(times=lambda number: 4_000_000_000.5 + number),
    "umask 077": Making(umask=0o077),
    "umask 002": Making(umask=0o002),
    "reversed creation order": Making(order=lambda names: sorted(names, reverse=True)),
    "random creation order": Making(order=shuffled),
    "hard links": Making(copy=os.link),
    "copies with the times kept": Making(copy=shutil.copy2),
    "TZ=Asia/Kathmandu": Making(environment=(("TZ", "Asia/Kathmandu"),)),
    "LC_ALL=C": Making(environment=(("LC_ALL", "C"), ("LANG", "C"))),
    "LC_ALL=POSIX": Making(environment=(("LC_ALL", "POSIX"),)),
    "LC_ALL=C.UTF-8": Making(environment=(("LC_ALL", "C.UTF-8"), ("LANGUAGE", "de"))),
    "another cwd with -C": Making(away=True),
    "PYTHONHASHSEED=1": Making(environment=(("PYTHONHASHSEED", "1"),)),
    "PYTHONHASHSEED=4294967295": Making(environment=(("PYTHONHASHSEED", "4294967295"),)),
    "SOURCE_DATE_EPOCH": Making(environment=(("SOURCE_DATE_EPOCH", "1"),)),
    "another user name": Making(environment=(("USER", "nobody"), ("LOGNAME", "nobody"))),
}


@pytest.mark.parametrize("name", MAKINGS)
def test_archive_and_manifest_are_the_same_with(name: str, reference: Build, tmp_path: Path) -> None:
    archive, manifest = MAKINGS[name].build(tmp_path)
    assert archive == reference[0]
    assert manifest == reference[1]


ENCODINGS = ["ASCII"]
if shutil.which("localedef") and Path("/usr/share/i18n/charmaps/ISO-8859-1.gz").exists():
    ENCODINGS.append("ISO-8859-1")


@pytest.mark.parametrize("encoding", ENCODINGS)
def test_archive_is_the_same_where_names_are_not_utf8(encoding: str, reference: Build, tmp_path: Path) -> None:
    """Python then decodes names by the locale: they must not end up in the archive that way."""
    environment = {"LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    if encoding != "ASCII":
        locale = tmp_path / f"en_US.{encoding}"
        subprocess.run(["localedef", "-i", "en_US", "-f", encoding, str(locale)], check=True)
        environment = {"LC_ALL": locale.name, "LOCPATH": str(tmp_path)}
    assert Making(environment=tuple(environment.items())).build(tmp_path) == reference


def test_archive_is_the_same_in_a_second_and_later_build(reference: Build, tmp_path: Path) -> None:
    root = Making().make(tmp_path)
    pipeline = Pipeline(root)
    pipeline.build()
    shutil.rmtree(root / ".build" / "archives")
    pipeline.build()
    assert results(root) == reference


def test_archive_is_the_same_when_its_chunks_come_from_an_older_one(reference: Build, tmp_path: Path) -> None:
    root = Making().make(tmp_path)
    pipeline = Pipeline(root)
    pipeline.write("lib/many/file030.py", "something else\n")
    pipeline.build()
    pipeline.write("lib/many/file030.py", FILES["lib/many/file030.py"])
    answer = pipeline.build()
    assert answer["chunks"]["reused"] > 0
    assert results(root) == reference


def test_archive_is_the_same_from_another_checkout_of_ytbuild(reference: Build, tmp_path: Path) -> None:
    here = Path(ytbuild.__file__).parent.parent
    for name in ("ytbuild", "rules", "ytjobs"):
        shutil.copytree(here / name, tmp_path / "checkout" / name, ignore=shutil.ignore_patterns("__pycache__"))
    making = Making(environment=(("PYTHONPATH", str(tmp_path / "checkout")),))
    assert making.build(tmp_path) == reference


def test_a_changed_byte_changes_the_archive(reference: Build, tmp_path: Path) -> None:
    root = Making().make(tmp_path)
    (root / "lib" / "имя" / "é 日本.py").write_bytes(b"x = 2\n")
    Pipeline(root).build()
    assert results(root)[0] != reference[0]
