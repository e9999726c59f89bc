"""What a build removes at its end: old archives, and what killed builds left behind; and what it must not touch."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from tests.support import Pipeline
from tests.trees import built, temporary_files
from ytbuild.graph.plan import Planner
from ytbuild.store import trim
from ytbuild.store.local import LocalStore

DAY = 24 * 3600.0


def key_of(number: int) -> str:
    return f"{number:032x}"


def add(pipeline: Pipeline, number: int, days: float, size: int = 100) -> None:
    """Add an archive that was last used `days` ago."""
    for folder, name, length in (("archives", "tar.gz", size), ("manifests", "json", 10)):
        path = pipeline.write(f".build/{folder}/{key_of(number)}.{name}", bytes(length))
        os.utime(path, (time.time() - days * DAY,) * 2)


def kept(pipeline: Pipeline) -> list[int]:
    """Return the numbers of the added archives that are still there, whole."""
    folder = pipeline.root / ".build"
    archives = {path.name.removesuffix(".tar.gz") for path in (folder / "archives").iterdir()}
    manifests = {path.name.removesuffix(".json") for path in (folder / "manifests").iterdir()}
    assert archives == manifests
    return sorted(int(key, 16) for key in archives if key.startswith("0" * 20))


def rebuild(pipeline: Pipeline) -> str:
    """Edit, so that the build writes something, and return the archive's key."""
    pipeline.write("stages/first/src/edited.py", f"{time.monotonic_ns()}\n")
    return built(pipeline).key


def store(pipeline: Pipeline) -> LocalStore:
    planner = Planner(str(pipeline.root))
    return LocalStore(planner.build_dir, planner.index)


def test_archives_not_used_for_30_days_and_not_among_the_last_ten_go(pipeline: Pipeline) -> None:
    for number in range(15):
        add(pipeline, number, days=31 + number)
    rebuild(pipeline)
    assert kept(pipeline) == list(range(9))


def test_the_last_ten_archives_stay_however_old(pipeline: Pipeline) -> None:
    for number in range(9):
        add(pipeline, number, days=400 + number)
    rebuild(pipeline)
    assert kept(pipeline) == list(range(9))


def test_archives_of_the_last_30_days_stay_however_many(pipeline: Pipeline) -> None:
    for number in range(40):
        add(pipeline, number, days=29 * number / 40)
    rebuild(pipeline)
    assert kept(pipeline) == list(range(40))


def test_archives_beyond_the_last_ten_go_when_they_take_too_much(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "KEPT_BYTES", 20_000)
    for number in range(30):
        add(pipeline, number, days=number / 100, size=1000)
    rebuild(pipeline)
    assert 9 < len(kept(pipeline)) < 20
    assert kept(pipeline) == list(range(len(kept(pipeline))))


def test_the_last_ten_archives_stay_however_large(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trim, "KEPT_BYTES", 1)
    for number in range(30):
        add(pipeline, number, days=number, size=1000)
    rebuild(pipeline)
    assert kept(pipeline) == list(range(9))


def test_the_archive_in_use_stays_however_old(pipeline: Pipeline) -> None:
    for number in range(20):
        add(pipeline, number, days=40 + number)
    planner = Planner(str(pipeline.root))
    assert trim.trim_store(LocalStore(planner.build_dir, planner.index), planner.index, key_of(19)) == 9
    assert kept(pipeline) == [*range(10), 19]


def test_a_build_that_finds_an_archive_counts_as_its_use(pipeline: Pipeline) -> None:
    first = built(pipeline).key
    manifest = Path(store(pipeline).manifest_path(first))
    os.utime(manifest, (1e9, 1e9))
    built(pipeline)
    assert manifest.stat().st_mtime > time.time() - DAY


def test_a_build_that_writes_nothing_removes_nothing(pipeline: Pipeline) -> None:
    built(pipeline)
    for number in range(20):
        add(pipeline, number, days=100)
    built(pipeline)
    assert kept(pipeline) == list(range(20))


def test_a_removed_archive_is_built_again(pipeline: Pipeline) -> None:
    first = built(pipeline)
    data = pipeline.archive().read_bytes()
    Path(store(pipeline).archive_path(first.key)).unlink()
    Path(store(pipeline).manifest_path(first.key)).unlink()
    built(pipeline)
    assert pipeline.archive().read_bytes() == data


@pytest.fixture
def two_minutes_later(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every build trim as if what is there had lain for two minutes."""
    monkeypatch.setattr(trim, "time", SimpleNamespace(time=lambda: time.time() + 120))


@pytest.mark.parametrize("waited", [False, True])
def test_an_archive_without_manifest_goes_after_a_minute(
    pipeline: Pipeline, request: pytest.FixtureRequest, waited: bool
) -> None:
    built(pipeline)
    path = pipeline.write(f".build/archives/{key_of(1)}.tar.gz", "left behind by a killed build")
    if waited:
        request.getfixturevalue("two_minutes_later")
    rebuild(pipeline)
    assert path.exists() == (not waited)


FOLDERS = ["", "archives/", "manifests/"]


@pytest.mark.parametrize("folder", FOLDERS)
@pytest.mark.usefixtures("two_minutes_later")
def test_an_old_temporary_file_is_removed(pipeline: Pipeline, folder: str) -> None:
    path = pipeline.write(f".build/{folder}.tmp-1-2-3", "left behind")
    os.utime(path, (time.time() - 1,) * 2)
    rebuild(pipeline)
    assert temporary_files(pipeline) == []


@pytest.mark.parametrize("folder", FOLDERS)
def test_a_temporary_file_of_a_moment_ago_stays(pipeline: Pipeline, folder: str) -> None:
    pipeline.write(f".build/{folder}.tmp-1-2-3", "not yet locked")
    rebuild(pipeline)
    assert temporary_files(pipeline) == [f"{folder}.tmp-1-2-3"]


KILLED_EXTRACTION = """
import os, signal, sys
from ytbuild.cli import main
rename = os.rename
def rename_or_die(source, destination):
    if destination.endswith("/source"):
        os.kill(os.getpid(), signal.SIGKILL)
    rename(source, destination)
os.rename = rename_or_die
main.run(["-C", sys.argv[1], "build", "--extract"])
"""


def test_the_folder_of_a_killed_extraction_is_removed_when_it_is_old(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    command = [sys.executable, "-c", KILLED_EXTRACTION, str(pipeline.root)]
    assert subprocess.run(command, capture_output=True).returncode == -9
    assert [path for path in (pipeline.root / ".build").glob(".tmp-*") if path.is_dir()]
    monkeypatch.setattr(trim, "time", SimpleNamespace(time=lambda: time.time() + 7200))
    rebuild(pipeline)
    assert temporary_files(pipeline) == []


HOLDER = """
import sys
from ytbuild.base import files
with files.replacing(sys.argv[1]) as file:
    print("ready", flush=True)
    sys.stdin.read()
"""


@pytest.fixture
def holder(pipeline: Pipeline) -> subprocess.Popen[bytes]:
    """Another process that has been writing an archive for a long time."""
    built(pipeline)
    command = [sys.executable, "-c", HOLDER, str(pipeline.root / ".build" / "archives" / "x.tar.gz")]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    assert process.stdout is not None and process.stdout.readline() == b"ready\n"
    return process


@pytest.mark.usefixtures("two_minutes_later")
def test_an_old_temporary_file_that_a_live_process_writes_stays(
    pipeline: Pipeline, holder: subprocess.Popen[bytes]
) -> None:
    rebuild(pipeline)
    assert len(temporary_files(pipeline)) == 1
    holder.communicate()
    assert holder.returncode == 0
    assert (pipeline.root / ".build" / "archives" / "x.tar.gz").exists()


@pytest.mark.usefixtures("two_minutes_later")
def test_the_temporary_file_of_a_killed_process_goes(pipeline: Pipeline, holder: subprocess.Popen[bytes]) -> None:
    holder.kill()
    holder.communicate()
    assert len(temporary_files(pipeline)) == 1
    rebuild(pipeline)
    assert temporary_files(pipeline) == []


TRIM = """
import sys
from ytbuild.graph.plan import Planner
from ytbuild.store.local import LocalStore
from ytbuild.store.trim import trim_store
planner = Planner(sys.argv[1])
trim_store(LocalStore(planner.build_dir, planner.index), planner.index, sys.argv[2])
"""


def test_the_link_that_another_build_is_making_is_no_abandoned_file(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is another name of an archive, so it is as old as the archive."""
    first = built(pipeline)
    original = (pipeline.root / "stages/first/src/mapper.py").read_bytes()
    pipeline.write("stages/first/src/mapper.py", "something else\n")
    second = built(pipeline)
    os.utime(first.archive, (1e9, 1e9))
    link = os.link
    others: list[subprocess.Popen[bytes]] = []

    def link_while_another_build_ends(source: str, destination: str) -> None:
        link(source, destination)
        if not others:
            others.append(subprocess.Popen([sys.executable, "-c", TRIM, str(pipeline.root), second.key]))
            # It may have to wait for us.
            with contextlib.suppress(subprocess.TimeoutExpired):
                others[0].wait(1)

    monkeypatch.setattr(os, "link", link_while_another_build_ends)
    pipeline.write("stages/first/src/mapper.py", original)
    assert built(pipeline).key == first.key
    assert others[0].wait(10) == 0
    assert pipeline.archive().samefile(first.archive)
    assert temporary_files(pipeline) == []
