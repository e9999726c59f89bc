"""A disk without space: an error that says so, the last good archive, and nothing half-written."""

from __future__ import annotations

import errno
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.store.disks import FULL, full, mounted
from tests.support import Pipeline
from tests.trees import built, digest, temporary_files
from ytbuild.base.errors import StoreError


@contextmanager
def filled_up(way: str, pipeline: Pipeline) -> Iterator[None]:
    """Build a small archive, then give the pipeline more than the disk of `.build` has room for."""
    if way == "small tmpfs":
        with mounted(pipeline.root / ".build", "-t", "tmpfs", "-o", "size=1m", "none"):
            built(pipeline)
            pipeline.write("stages/first/src/large", random.Random(1).randbytes(3_000_000))
            yield
        return
    built(pipeline)
    pipeline.write("stages/first/src/large", random.Random(1).randbytes(3_000_000))
    with full(1_000_000):
        yield


@pytest.mark.parametrize("way", FULL)
def test_a_full_disk_is_a_store_error_that_says_so(way: str, pipeline: Pipeline) -> None:
    with filled_up(way, pipeline):
        with pytest.raises(StoreError, match="no space left") as caught:
            built(pipeline)
        assert caught.value.exit_code == 1
        assert "free some space" in caught.value.hint


@pytest.mark.parametrize("way", FULL)
def test_a_full_disk_leaves_the_last_archive(way: str, pipeline: Pipeline) -> None:
    with filled_up(way, pipeline):
        before = digest(pipeline.archive())
        with pytest.raises(StoreError):
            built(pipeline)
        assert digest(pipeline.archive()) == before


@pytest.mark.parametrize("way", FULL)
def test_a_full_disk_leaves_no_temporary_file(way: str, pipeline: Pipeline) -> None:
    with filled_up(way, pipeline):
        with pytest.raises(StoreError):
            built(pipeline)
        assert temporary_files(pipeline) == []


@pytest.mark.parametrize("way", FULL)
def test_the_build_after_a_full_disk_succeeds(way: str, pipeline: Pipeline) -> None:
    with filled_up(way, pipeline):
        with pytest.raises(StoreError):
            built(pipeline)
        (pipeline.root / "stages/first/src/large").unlink()
        pipeline.write("stages/first/src/small", "x")
        built(pipeline)
        assert pipeline.content("stages/first/src/small") == b"x"


@pytest.mark.parametrize("way", [way for way in FULL if way != "injected"])
def test_the_command_exits_1_on_a_full_disk(way: str, pipeline: Pipeline) -> None:
    with filled_up(way, pipeline):
        result = pipeline.run("build")
    assert result.returncode == 1
    assert "error: no space left on the device" in result.stderr
    assert "hint: " in result.stderr and "Traceback" not in result.stderr


@pytest.mark.parametrize("room", [0, 1, 2, 10, 50, 90, 95, 100, 500, *range(700, 4600, 300), 6000, 9000])
def test_wherever_the_space_ends_the_store_stays_whole(pipeline: Pipeline, room: int) -> None:
    built(pipeline)
    before = digest(pipeline.archive())
    pipeline.write("stages/first/src/new.py", "x = 1\n")
    try:
        with full(room):
            built(pipeline)
    except StoreError as error:
        assert "no space left" in error.message
        assert digest(pipeline.archive()) == before
    else:
        assert pipeline.content("stages/first/src/new.py") == b"x = 1\n"
    assert temporary_files(pipeline) == []
    built(pipeline)
    assert pipeline.content("stages/first/src/new.py") == b"x = 1\n"


@pytest.mark.parametrize("room", [0, 1, 14, 50, 100, 200])
def test_a_first_build_on_a_full_disk_is_a_store_error(pipeline: Pipeline, room: int) -> None:
    with full(room), pytest.raises(StoreError, match="no space left"):
        built(pipeline)
    assert temporary_files(pipeline) == []


def test_a_copy_that_has_no_room_is_removed_where_there_are_no_hard_links(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    built(pipeline)
    before = digest(pipeline.archive())

    def no_links(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    def no_room(_: str, destination: str) -> None:
        with open(destination, "wb") as file:
            file.write(b"half of it")
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "link", no_links)
    monkeypatch.setattr(shutil, "copyfile", no_room)
    pipeline.write("stages/first/src/new.py", "x = 1\n")
    with pytest.raises(StoreError, match="no space left"):
        built(pipeline)
    assert digest(pipeline.archive()) == before
    assert temporary_files(pipeline) == []
