"""`.build`: what lies in it, what a build leaves alone, and what it says when it cannot write."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.store.disks import UNWRITABLE, unwritable
from tests.support import Pipeline
from tests.trees import built, fill, snapshot, summary, temporary_files
from ytbuild.base.errors import StoreError
from ytbuild.build import build_archive
from ytbuild.graph.plan import Planner
from ytbuild.store.local import LocalStore

pytestmark = pytest.mark.quick


def store(pipeline: Pipeline) -> LocalStore:
    planner = Planner(str(pipeline.root))
    return LocalStore(planner.build_dir, planner.index)


def files_in(pipeline: Pipeline, folder: str) -> list[str]:
    return sorted(os.listdir(pipeline.root / ".build" / folder))


def identity(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_ino, status.st_size, status.st_mtime_ns


def test_build_folder_has_a_cache_directory_tag(pipeline: Pipeline) -> None:
    built(pipeline)
    tag = (pipeline.root / ".build" / "CACHEDIR.TAG").read_bytes()
    assert tag.startswith(b"Signature: 8a477f597d28d172789f06886806bc55")


def test_git_sees_nothing_of_the_build_folder(pipeline: Pipeline) -> None:
    built(pipeline)
    subprocess.run(["git", "init", "-q"], cwd=pipeline.root, check=True)
    status = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=pipeline.root, check=True, capture_output=True, text=True
    ).stdout
    assert "configs/config.yaml" in status
    assert ".build" not in status


def test_build_folder_holds_what_is_documented_and_nothing_else(pipeline: Pipeline) -> None:
    key = built(pipeline).key
    assert sorted({*os.listdir(pipeline.root / ".build")} - {"lock"}) == [
        ".gitignore",
        "CACHEDIR.TAG",
        "archives",
        "fingerprints.config",
        "fingerprints.files",
        "log",
        "manifest.json",
        "manifests",
        "source.tar.gz",
    ]
    assert files_in(pipeline, "archives") == [f"{key}.tar.gz"]
    assert files_in(pipeline, "manifests") == [f"{key}.json"]


def test_nothing_is_written_outside_the_build_folder(pipeline: Pipeline, tmp_path: Path) -> None:
    pipeline.configure("upload_modules: [package]\nupload_paths: [{source: lib}]")
    pipeline.write("package/__init__.py", "raise AssertionError('imported')\n")
    fill(pipeline, "lib", count=20, size=3000)
    for name in ("home", "temporary"):
        (tmp_path / name).mkdir()

    def times() -> dict[str, tuple[int, int]]:
        return {
            str(path): (path.lstat().st_mtime_ns, path.lstat().st_mode)
            for path in pipeline.root.rglob("*")
            if ".build" not in path.parts
        }

    before, times_before = snapshot(pipeline.root), times()
    for arguments in (["build"], ["build", "--extract", "--json"]):
        pipeline.run(*arguments, check=True, HOME=str(tmp_path / "home"), TMPDIR=str(tmp_path / "temporary"))
    assert snapshot(pipeline.root) == before
    assert times() == times_before
    assert [*(tmp_path / "home").iterdir(), *(tmp_path / "temporary").iterdir()] == []


def test_newest_archive_and_manifest_are_hard_links_into_the_store(pipeline: Pipeline) -> None:
    key = built(pipeline).key
    build_dir = pipeline.root / ".build"
    assert (build_dir / "source.tar.gz").samefile(build_dir / "archives" / f"{key}.tar.gz")
    assert (build_dir / "manifest.json").samefile(build_dir / "manifests" / f"{key}.json")


def test_without_hard_links_the_newest_archive_is_a_copy(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(errno.EPERM, "no hard links here")

    monkeypatch.setattr(os, "link", refuse)
    for text in ("one", "two", "two"):
        pipeline.write("stages/first/src/a.py", text)
        key = built(pipeline).key
        assert pipeline.archive().read_bytes() == Path(store(pipeline).archive_path(key)).read_bytes()
        assert pipeline.content("stages/first/src/a.py") == text.encode()
    assert temporary_files(pipeline) == []


def test_archives_cannot_be_written_to_by_accident(pipeline: Pipeline) -> None:
    built(pipeline)
    assert oct(pipeline.archive().stat().st_mode & 0o777) == "0o444"


def test_second_build_says_that_everything_is_cached(pipeline: Pipeline) -> None:
    first = built(pipeline)
    second = built(pipeline)
    assert (second.compressed, second.reused, second.built) == (0, 0, ())
    assert (second.key, second.archive, second.size) == (first.key, first.archive, first.size)


def test_second_build_rewrites_no_archive_and_no_manifest(pipeline: Pipeline) -> None:
    key = built(pipeline).key
    paths = [Path(store(pipeline).archive_path(key)), pipeline.archive()]
    before = [identity(path) for path in paths]
    manifest = Path(store(pipeline).manifest_path(key))
    inode = manifest.stat().st_ino
    built(pipeline)
    assert [identity(path) for path in paths] == before
    assert manifest.stat().st_ino == inode


def test_going_back_finds_the_first_archive_without_compressing(pipeline: Pipeline) -> None:
    first = built(pipeline)
    data = pipeline.archive().read_bytes()
    original = (pipeline.root / "stages/first/src/mapper.py").read_bytes()
    pipeline.write("stages/first/src/mapper.py", "something else\n")
    assert built(pipeline).key != first.key
    before = identity(Path(first.archive))
    pipeline.write("stages/first/src/mapper.py", original)
    third = built(pipeline)
    assert (third.key, third.compressed, third.built) == (first.key, 0, ())
    assert identity(Path(first.archive)) == before
    assert pipeline.archive().read_bytes() == data
    assert pipeline.archive().samefile(first.archive)
    assert summary(pipeline).key == first.key


def test_both_archives_stay_in_the_store(pipeline: Pipeline) -> None:
    first = built(pipeline)
    pipeline.write("stages/first/src/mapper.py", "something else\n")
    second = built(pipeline)
    assert files_in(pipeline, "archives") == sorted(f"{key}.tar.gz" for key in (first.key, second.key))


def test_newest_manifest_belongs_to_the_newest_archive_when_two_builds_end_at_once(pipeline: Pipeline) -> None:
    first = built(pipeline)
    pipeline.write("stages/first/src/mapper.py", "something else\n")
    built(pipeline)
    slow = f"""
import sys, time
from ytbuild.graph.plan import Planner
from ytbuild.store import local
link = local._link
def slowly(source, destination):
    link(source, destination)
    print("linked", flush=True)
    time.sleep(0.5)
local._link = slowly
planner = Planner({str(pipeline.root)!r})
local.LocalStore(planner.build_dir, planner.index).use({first.key!r})
"""
    process = subprocess.Popen([sys.executable, "-c", slow], stdout=subprocess.PIPE)
    assert process.stdout is not None
    process.stdout.readline()
    pipeline.run("build", check=True)
    process.communicate()
    assert pipeline.archive().samefile(store(pipeline).archive_path(summary(pipeline).key))


@pytest.mark.parametrize("where", [".build", ".build/archives", ".build/manifests", ".build/log"])
def test_a_file_in_place_of_a_folder_is_a_store_error_with_a_hint(pipeline: Pipeline, where: str) -> None:
    pipeline.write(where, "not a folder")
    result = pipeline.run("build")
    assert result.returncode == 1
    assert "error: cannot write" in result.stderr and "hint: " in result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize("code", [errno.EACCES, errno.EPERM, errno.EROFS])
def test_an_unwritable_build_folder_is_a_store_error_with_a_hint(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, code: int
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise OSError(code, os.strerror(code))

    monkeypatch.setattr(os, "makedirs", refuse)
    with pytest.raises(StoreError, match="cannot write") as caught:
        built(pipeline)
    assert caught.value.exit_code == 1
    assert "must be writable" in caught.value.hint


@pytest.mark.parametrize("way", UNWRITABLE)
def test_a_changed_pipeline_on_a_read_only_disk_is_a_store_error_and_leaves_the_archive(
    pipeline: Pipeline, way: str
) -> None:
    built(pipeline)
    data = pipeline.archive().read_bytes()
    pipeline.write("stages/first/src/mapper.py", "something else\n")
    with unwritable(way, pipeline.root / ".build"), pytest.raises(StoreError, match="cannot write"):
        built(pipeline)
    assert pipeline.archive().read_bytes() == data
    assert temporary_files(pipeline) == []


@pytest.mark.parametrize("way", UNWRITABLE)
def test_an_unchanged_pipeline_builds_on_a_read_only_disk(pipeline: Pipeline, way: str) -> None:
    first = built(pipeline)
    with unwritable(way, pipeline.root / ".build"):
        assert built(pipeline).key == first.key


def test_archive_is_found_by_its_key_alone(pipeline: Pipeline) -> None:
    key = built(pipeline).key
    archive = store(pipeline).find(key)
    assert archive is not None
    assert archive.summary.key == key
    assert store(pipeline).find("0" * 32) is None


def test_building_some_stages_only_keeps_the_archive_of_all(pipeline: Pipeline) -> None:
    pipeline.write("stages/second/config.yaml", "client: {operations: {}}\n")
    pipeline.write("stages/second/src/vanilla.py", "print()\n")
    pipeline.configure("mode: dev", stages="[first, second]")
    whole = built(pipeline)
    part = build_archive(Planner(str(pipeline.root), None, ("stages.enabled_stages=[second]",)))
    assert [target.name for target in part.targets] == ["module:ytjobs", "stage:second", "wrappers"]
    again = built(pipeline)
    assert (again.key, again.compressed) == (whole.key, 0)
