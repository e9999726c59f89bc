"""Files that change between being looked at, hashed and packed: the build fails by name or ships what it hashed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support import Pipeline, clean_environment
from tests.trees import built, digest, temporary_files, text
from ytbuild.base.errors import ChangedWhileBuildingError, YtbuildError
from ytbuild.build import build_archive
from ytbuild.graph.plan import Planner
from ytbuild.sources import tree_scanner
from ytbuild.sources.fingerprints import RecentContents

MAPPER = "stages/first/src/mapper.py"
SMALL = "lib/small.py"
LARGE = "lib/large.bin"


@pytest.fixture(autouse=True)
def alarm() -> Iterator[None]:
    """End a test that hangs: opening a fifo waits for a writer that never comes."""

    def hangs(*_: object) -> None:
        raise AssertionError("the build hangs")

    old = signal.signal(signal.SIGALRM, hangs)
    signal.alarm(5)
    yield
    signal.alarm(0)
    signal.signal(signal.SIGALRM, old)


@pytest.fixture
def edited(pipeline: Pipeline) -> Pipeline:
    """A built pipeline, then edited, so that everything in `lib` has to be packed."""
    pipeline.configure("upload_paths: [{source: lib}]")
    pipeline.write(SMALL, "small = 1\n")
    pipeline.write(LARGE, text(4_300_000, 5))
    built(pipeline)
    pipeline.write(SMALL, "small = 2\n")
    pipeline.write(LARGE, text(4_300_000, 6))
    return pipeline


def same_size(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def longer(path: Path) -> None:
    with open(path, "ab") as file:
        file.write(b"x")


def shorter(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 1)


def empty(path: Path) -> None:
    path.write_bytes(b"")


def removed(path: Path) -> None:
    path.unlink()


def folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def fifo(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def dangling(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


CHANGES = [same_size, longer, shorter, empty, removed, folder, fifo, dangling]


def plan_then(pipeline: Pipeline, change: Callable[[Path], None], name: str) -> None:
    """Plan, change a file whose content is not in memory, and pack."""
    planner = Planner(str(pipeline.root))
    planner.index.recent = RecentContents(0)
    plan = planner.plan()
    change(pipeline.root / name)
    build_archive(planner, plan)


@pytest.mark.parametrize("change", CHANGES)
@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_a_file_that_changes_before_it_is_packed_is_an_error_by_name(
    edited: Pipeline, name: str, change: Callable[[Path], None]
) -> None:
    with pytest.raises(ChangedWhileBuildingError) as caught:
        plan_then(edited, change, name)
    assert name in caught.value.message
    assert (caught.value.exit_code, bool(caught.value.hint)) == (1, True)


@pytest.mark.parametrize("change", [same_size, shorter, removed])
@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_a_failed_build_leaves_the_last_archive_and_nothing_else(
    edited: Pipeline, name: str, change: Callable[[Path], None]
) -> None:
    before = digest(edited.archive())
    archives = os.listdir(edited.root / ".build" / "archives")
    with pytest.raises(ChangedWhileBuildingError):
        plan_then(edited, change, name)
    assert digest(edited.archive()) == before
    assert os.listdir(edited.root / ".build" / "archives") == archives
    assert temporary_files(edited) == []


def test_the_next_build_ships_what_the_file_became(edited: Pipeline) -> None:
    with pytest.raises(ChangedWhileBuildingError):
        plan_then(edited, same_size, LARGE)
    built(edited)
    assert edited.content(LARGE) == (edited.root / LARGE).read_bytes()


def test_a_small_file_ships_as_it_was_when_it_was_hashed(edited: Pipeline) -> None:
    planner = Planner(str(edited.root))
    plan = planner.plan()
    same_size(edited.root / SMALL)
    assert build_archive(planner, plan).key == plan.key
    assert edited.content(SMALL) == b"small = 2\n"
    built(edited)
    assert edited.content(SMALL) == (edited.root / SMALL).read_bytes()


COMMAND = """
import sys
from ytbuild.cli import main
from ytbuild.graph.plan import Planner
plan = Planner.plan
def plan_and_change(*arguments):
    found = plan(*arguments)
    with open("lib/large.bin", "r+b") as file:
        file.write(b"changed")
    return found
Planner.plan = plan_and_change
main.run(["build"])
"""


def test_the_command_exits_1_and_names_the_file(edited: Pipeline) -> None:
    result = subprocess.run(
        [sys.executable, "-c", COMMAND], cwd=edited.root, env=clean_environment(), capture_output=True, text=True
    )
    assert result.returncode == 1
    assert "error: " in result.stderr and "lib/large.bin changed while it was being packed" in result.stderr
    assert "hint: " in result.stderr and "Traceback" not in result.stderr


def change_after_listing(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Path], None]
) -> None:
    """Let a file change once, after its folder was listed and before the file is opened."""
    list_directory = tree_scanner.list_directory
    changes = [change]

    def list_and_change(path: str, *arguments: str) -> object:
        found = list_directory(path, *arguments)
        if path.endswith("/lib") and changes:
            changes.pop()(pipeline.root / name)
        return found

    monkeypatch.setattr(tree_scanner, "list_directory", list_and_change)


@pytest.mark.parametrize("change", [removed, folder, fifo, dangling])
@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_a_file_that_is_no_file_any_more_when_it_is_hashed_is_an_error_by_name(
    edited: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Path], None]
) -> None:
    change_after_listing(edited, monkeypatch, name, change)
    with pytest.raises(YtbuildError) as caught:
        built(edited)
    assert name in caught.value.message


@pytest.mark.parametrize("change", [same_size, longer, shorter, empty])
@pytest.mark.parametrize("name", [SMALL, LARGE])
def test_a_file_that_changed_before_it_was_hashed_ships_as_it_is_now(
    edited: Pipeline, monkeypatch: pytest.MonkeyPatch, name: str, change: Callable[[Path], None]
) -> None:
    change_after_listing(edited, monkeypatch, name, change)
    built(edited)
    assert edited.content(name) == (edited.root / name).read_bytes()


def test_a_link_that_took_a_files_place_brings_in_nothing_from_outside(
    edited: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    outside = tmp_path / "outside"
    outside.write_bytes(b"secret = 1\n")

    def link(path: Path) -> None:
        path.unlink()
        path.symlink_to(outside)

    change_after_listing(edited, monkeypatch, SMALL, link)
    with pytest.raises(YtbuildError) as caught:
        built(edited)
    assert SMALL in caught.value.message


@pytest.mark.parametrize("name", ["configs/config.yaml", "stages/first/config.yaml", "stages/first/requirements.txt"])
def test_a_fifo_in_place_of_a_configuration_file_is_an_error_by_name(pipeline: Pipeline, name: str) -> None:
    pipeline.write(name)
    fifo(pipeline.root / name)
    with pytest.raises(YtbuildError) as caught:
        built(pipeline)
    assert name in caught.value.message


def change_while_hashed(path: Path, change: Callable[[], object], monkeypatch: pytest.MonkeyPatch) -> None:
    """Call `change` whenever `path` was read and before it is asked whether the file is as it was."""
    open_, fstat = os.open, os.fstat
    opened: set[int] = set()

    def opening(name: str, *arguments: int) -> int:
        descriptor = open_(name, *arguments)
        if name == str(path):
            opened.add(descriptor)
        return descriptor

    def asking(descriptor: int) -> os.stat_result:
        if descriptor in opened:
            opened.discard(descriptor)
            change()
        return fstat(descriptor)

    monkeypatch.setattr(os, "open", opening)
    monkeypatch.setattr(os, "fstat", asking)


@pytest.mark.parametrize("size", [6, 5_000_000])
def test_a_file_that_changes_once_while_it_is_hashed_is_hashed_again(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = pipeline.write(MAPPER, bytes(size))
    contents = [b"x" * size]

    def change() -> None:
        if contents:
            path.write_bytes(contents.pop())

    change_while_hashed(path, change, monkeypatch)
    built(pipeline)
    assert contents == []
    assert pipeline.content(MAPPER) == b"x" * size


@pytest.mark.parametrize("size", [6, 5_000_000])
def test_a_file_that_never_stays_still_is_an_error_by_name(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    path = pipeline.write(MAPPER, bytes(size))
    change_while_hashed(path, lambda: path.write_bytes(os.urandom(size)), monkeypatch)
    with pytest.raises(ChangedWhileBuildingError, match=r"stages/first/src/mapper\.py changes while"):
        Planner(str(pipeline.root)).plan()
