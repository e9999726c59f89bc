"""Whatever happens to a file of `.build`, the next build succeeds, and its archive is the right one."""

from __future__ import annotations

import os
import random
import shutil
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

from tests.support import Pipeline
from tests.trees import built, digest, fill, fresh_archive, gunzipped, summary, temporary_files, text
from ytbuild.archive import manifest
from ytbuild.base import cachefile
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.store.local import LocalStore

Damage = Callable[[Path], None]


@pytest.fixture(autouse=True)
def trusting(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every build trust all that it has seen, as one does that runs ten seconds after the last edit."""
    monkeypatch.setattr(
        "ytbuild.graph.plan.FingerprintIndex",
        lambda build_dir: FingerprintIndex(build_dir, lambda: time.time_ns() + 10_000_000_000),
    )


@pytest.fixture
def tree(pipeline: Pipeline) -> Pipeline:
    """A pipeline that was built twice: with several chunks, and a warm index."""
    pipeline.configure("upload_paths: [{source: lib}, {source: other}]")
    fill(pipeline, "lib", count=60, size=1000)
    pipeline.write("other/one.py", "1\n")
    built(pipeline)
    built(pipeline)
    return pipeline


@pytest.fixture(scope="module")
def expected(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Digests of fresh archives, made once for each tree."""
    return {}


def fresh_digest(pipeline: Pipeline, tmp_path: Path, known: dict[str, str], name: str) -> str:
    if name not in known:
        fresh_archive(pipeline, tmp_path / "fresh")
        known[name] = digest(tmp_path / "fresh" / ".build" / "source.tar.gz")
    return known[name]


def cut_to(part: float, path: Path) -> None:
    os.truncate(path, int(path.stat().st_size * part))


def flip(position: float, path: Path) -> None:
    with open(path, "r+b") as file:
        file.seek(int((path.stat().st_size - 1) * position))
        byte = file.read(1)
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte[0] ^ 16]))


def flip_keeping_times(path: Path) -> None:
    status = path.stat()
    flip(0.5, path)
    os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))


def overwrite(path: Path) -> None:
    size = path.stat().st_size
    path.write_bytes(random.Random(1).randbytes(size))


def replace(data: bytes, path: Path) -> None:
    path.unlink()
    path.write_bytes(data)


def become_folder(path: Path) -> None:
    path.unlink()
    path.mkdir()
    (path / "file").write_text("x")


def dangle(path: Path) -> None:
    path.unlink()
    path.symlink_to("nowhere")


DAMAGES: dict[str, Damage] = {
    "emptied": partial(cut_to, 0.0),
    "cut in half": partial(cut_to, 0.5),
    "cut by one byte": lambda path: os.truncate(path, path.stat().st_size - 1),
    "one byte longer": lambda path: os.truncate(path, path.stat().st_size + 1),
    "first bit flipped": partial(flip, 0.0),
    "middle bit flipped": partial(flip, 0.5),
    "last bit flipped": partial(flip, 1.0),
    "bit flipped, mtime put back": flip_keeping_times,
    "overwritten": overwrite,
    "replaced by text": partial(replace, b"garbage\n"),
    "replaced by zeros": partial(replace, bytes(70_000)),
    "replaced by a folder": become_folder,
    "replaced by a dangling link": dangle,
    "removed": Path.unlink,
}


def entries(pipeline: Pipeline) -> dict[str, Path]:
    """Return every file that a build keeps in `.build` and reads again."""
    build_dir = pipeline.root / ".build"
    key = summary(pipeline).key
    return {
        "archive": build_dir / "archives" / f"{key}.tar.gz",
        "manifest": build_dir / "manifests" / f"{key}.json",
        "source.tar.gz": build_dir / "source.tar.gz",
        "manifest.json": build_dir / "manifest.json",
        "fingerprints.files": build_dir / "fingerprints.files",
        "fingerprints.config": build_dir / "fingerprints.config",
    }


ENTRIES = ("archive", "manifest", "source.tar.gz", "manifest.json", "fingerprints.files", "fingerprints.config")


def assert_whole(pipeline: Pipeline, expected: str) -> None:
    """Check that the newest archive is the expected one and everything about it is in order."""
    assert digest(pipeline.archive()) == expected
    stored = summary(pipeline)
    assert stored.hash == xxh3_128_hexdigest(pipeline.archive().read_bytes())
    for name, path in entries(pipeline).items():
        assert path.is_file() and not path.is_symlink(), name
    assert entries(pipeline)["archive"].samefile(pipeline.archive())
    assert temporary_files(pipeline) == []


@pytest.mark.parametrize("damage", DAMAGES)
@pytest.mark.parametrize("entry", ENTRIES)
def test_build_repairs(entry: str, damage: str, tree: Pipeline, tmp_path: Path, expected: dict[str, str]) -> None:
    wanted = fresh_digest(tree, tmp_path, expected, "tree")
    path = entries(tree)[entry]
    path.chmod(0o644)
    DAMAGES[damage](path)
    built(tree)
    assert_whole(tree, wanted)
    assert built(tree).built == ()


@pytest.mark.parametrize("damage", ["cut in half", "middle bit flipped", "overwritten", "removed"])
@pytest.mark.parametrize("entry", ENTRIES)
def test_build_after_an_edit_takes_nothing_from(
    entry: str, damage: str, tree: Pipeline, tmp_path: Path, expected: dict[str, str]
) -> None:
    tree.write("other/one.py", "2\n")
    wanted = fresh_digest(tree, tmp_path, expected, "edited")
    path = entries(tree)[entry]
    path.chmod(0o644)
    DAMAGES[damage](path)
    built(tree)
    assert_whole(tree, wanted)


@pytest.mark.parametrize("position", [round(number / 24, 3) for number in range(25)])
@pytest.mark.parametrize("entry", ["fingerprints.files", "fingerprints.config"])
def test_a_bit_flipped_anywhere_in_an_index_changes_nothing(entry: str, position: float, tree: Pipeline) -> None:
    before = digest(tree.archive())
    flip(position, entries(tree)[entry])
    built(tree)
    assert_whole(tree, before)


@pytest.mark.parametrize("position", [round(number / 12, 3) for number in range(13)])
def test_a_bit_flipped_anywhere_in_an_archive_is_repaired(position: float, tree: Pipeline) -> None:
    before = digest(tree.archive())
    tree.archive().chmod(0o644)
    flip(position, tree.archive())
    built(tree)
    assert_whole(tree, before)


@pytest.mark.parametrize("chunk", range(4))
def test_a_damaged_chunk_of_an_older_archive_is_compressed_anew(chunk: int, tree: Pipeline) -> None:
    tree.write("lib/in-two-pieces", text(4_200_000, 2))
    built(tree)
    stored = summary(tree).chunks[chunk]
    tree.archive().chmod(0o644)
    with open(tree.archive(), "r+b") as file:
        file.seek(stored.offset + stored.size // 2)
        byte = file.read(1)[0]
        file.seek(-1, os.SEEK_CUR)
        file.write(bytes([byte ^ 1]))
    tree.write("other/one.py", "3\n")
    result = built(tree)
    assert result.compressed == 2
    assert len(gunzipped(tree.archive())) == summary(tree).tar_size


def another_schema(path: Path) -> None:
    cachefile.save(str(path), "fingerprints-0", ({}, {}, {}, {}))


def another_shape(path: Path) -> None:
    for schema in ("fingerprints-1", "config-1"):
        if (value := cachefile.load(str(path), schema)) is not None:
            cachefile.save(str(path), schema, [value, 5])
            return
    raise AssertionError("the schema has another name now")


@pytest.mark.parametrize("change", [another_schema, another_shape])
@pytest.mark.parametrize("entry", ["fingerprints.files", "fingerprints.config"])
def test_an_index_of_another_version_is_ignored(entry: str, change: Damage, tree: Pipeline) -> None:
    before = digest(tree.archive())
    change(entries(tree)[entry])
    built(tree)
    assert_whole(tree, before)


def test_a_manifest_of_another_version_is_replaced(tree: Pipeline) -> None:
    before = digest(tree.archive())
    path = entries(tree)["manifest"]
    body = path.read_bytes()[48:].replace(b'"format_version":"1.', b'"format_version":"9.', 1)
    path.write_bytes(b'{"checksum":"%s",\n%s' % (xxh3_128_hexdigest(body).encode(), body))
    built(tree)
    assert_whole(tree, before)
    manifest.decode(path.read_bytes())


@pytest.mark.parametrize("both", [True, False])
def test_another_archive_under_this_key_is_not_taken_for_it(tree: Pipeline, both: bool) -> None:
    old = entries(tree)
    before = digest(tree.archive())
    tree.write("other/one.py", "4\n")
    built(tree)
    new = entries(tree)
    for name in ("archive", "manifest") if both else ("archive",):
        old[name].unlink()
        shutil.copyfile(new[name], old[name])
    tree.write("other/one.py", "1\n")
    built(tree)
    assert_whole(tree, before)


def test_every_archive_can_be_damaged_at_once(tree: Pipeline) -> None:
    before = digest(tree.archive())
    tree.write("other/one.py", "5\n")
    built(tree)
    for path in (tree.root / ".build").rglob("*"):
        if path.is_file():
            path.chmod(0o644)
            overwrite(path)
    tree.write("other/one.py", "1\n")
    built(tree)
    assert_whole(tree, before)


@pytest.mark.parametrize("folder", ["archives", "manifests", "log"])
def test_a_removed_folder_is_made_again(folder: str, tree: Pipeline) -> None:
    before = digest(tree.archive())
    shutil.rmtree(tree.root / ".build" / folder)
    built(tree)
    assert_whole(tree, before)
    assert (tree.root / ".build" / folder).is_dir()


def test_removing_the_build_folder_costs_nothing_but_time(tree: Pipeline) -> None:
    before = digest(tree.archive())
    shutil.rmtree(tree.root / ".build")
    built(tree)
    assert_whole(tree, before)


def test_a_damaged_archive_is_not_found(tree: Pipeline) -> None:
    path = entries(tree)["archive"]
    store = LocalStore(str(tree.root / ".build"), FingerprintIndex(str(tree.root / ".build")))
    assert store.find(summary(tree).key) is not None
    path.chmod(0o644)
    flip(0.5, path)
    assert store.find(summary(tree).key) is None
