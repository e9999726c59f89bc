"""Content hashes that are remembered: every change is seen, and what did not change is not opened."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Pipeline, clean_environment
from tests.trees import built, fill
from ytbuild.base.errors import SourceError
from ytbuild.graph.plan import Planner
from ytbuild.sources import fingerprint_index, fingerprints, tree_scanner
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.sources.fingerprints import Fingerprint

pytestmark = pytest.mark.quick

MAPPER = "stages/first/src/mapper.py"
SECOND = 1_000_000_000
CHANGED = 1_700_000_000 * SECOND
FAKE: Fingerprint = (0o100644, 1, 1, 4, CHANGED, CHANGED)


def replace(path: Path, data: bytes) -> None:
    other = path.with_name("other")
    other.write_bytes(data)
    other.rename(path)


def write_in_place(path: Path, data: bytes) -> None:
    path.write_bytes(data)


@pytest.mark.parametrize("change", [write_in_place, replace])
@pytest.mark.parametrize("put_back", [False, True], ids=["", "mtime put back"])
def test_a_same_size_edit_right_after_a_build_is_seen(
    pipeline: Pipeline, change: Callable[[Path, bytes], None], put_back: bool
) -> None:
    path = pipeline.write(MAPPER, "x = 1\n")
    for content in (b"x = 2\n", b"x = 3\n", b"x = 1\n"):
        built(pipeline)
        status = path.stat()
        change(path, content)
        if put_back:
            os.utime(path, ns=(status.st_atime_ns, status.st_mtime_ns))
        built(pipeline)
        assert pipeline.content(MAPPER) == content


def test_the_command_sees_a_same_size_edit(pipeline: Pipeline) -> None:
    pipeline.write(MAPPER, "x = 1\n")
    first = pipeline.build()
    pipeline.write(MAPPER, "x = 2\n")
    second = pipeline.build()
    assert first["key"] != second["key"]
    assert pipeline.content(MAPPER) == b"x = 2\n"


@pytest.fixture
def index_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[float], FingerprintIndex]:
    """Indexes whose scan begins some seconds after `CHANGED`, with a file system that says `FAKE` of every file."""
    (tmp_path / ".build").mkdir()
    for module in (fingerprints, fingerprint_index):
        monkeypatch.setattr(module, "fingerprint_of", lambda status: FAKE)
    monkeypatch.setattr(FingerprintIndex, "_skew_ns", lambda self: 0)

    def make(seconds: float) -> FingerprintIndex:
        return FingerprintIndex(str(tmp_path / ".build"), lambda: CHANGED + int(seconds * SECOND))

    return make


@pytest.mark.parametrize(
    ("seconds", "trusted"), [(0, False), (0.5, False), (1.999, False), (2, False), (2.001, True), (60, True)]
)
def test_an_entry_is_trusted_when_the_file_was_quiet_for_two_seconds(
    index_at: Callable[[float], FingerprintIndex], tmp_path: Path, seconds: float, trusted: bool
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old!")
    first = index_at(seconds)
    old = first.hash_file(str(path), "file").digest
    first.save(set(), set())
    path.write_bytes(b"new!")
    assert (index_at(100).hash_file(str(path), "file").digest == old) == trusted


def test_a_file_from_the_future_is_never_trusted(
    index_at: Callable[[float], FingerprintIndex], tmp_path: Path
) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"old!")
    first = index_at(-3600)
    old = first.hash_file(str(path), "file").digest
    first.save(set(), set())
    path.write_bytes(b"new!")
    assert index_at(-3599).hash_file(str(path), "file").digest != old


def test_an_entry_becomes_trusted_when_it_is_hashed_again_later(
    index_at: Callable[[float], FingerprintIndex], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "file").write_bytes(b"same")
    for seconds in (1, 10):
        index = index_at(seconds)
        index.hash_file(str(tmp_path / "file"), "file")
        index.save(set(), set())
    monkeypatch.setattr(os, "open", lambda *_: pytest.fail("the file was opened"))
    index_at(20).hash_file(str(tmp_path / "file"), "file")


@pytest.mark.parametrize(("ahead", "trusted"), [(-9, False), (-1, False), (1, True)])
def test_what_counts_is_the_clock_of_the_file_system(
    index_at: Callable[[float], FingerprintIndex],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    ahead: int,
    trusted: bool,
) -> None:
    monkeypatch.setattr(FingerprintIndex, "_skew_ns", lambda self: ahead * SECOND)
    path = tmp_path / "file"
    path.write_bytes(b"old!")
    first = index_at(2)
    old = first.hash_file(str(path), "file").digest
    first.save(set(), set())
    path.write_bytes(b"new!")
    assert (index_at(100).hash_file(str(path), "file").digest == old) == trusted


@pytest.mark.parametrize(("seconds", "trusted"), [(1, False), (3, True)])
def test_an_archive_is_believed_unread_when_it_was_quiet(
    index_at: Callable[[float], FingerprintIndex], seconds: float, trusted: bool
) -> None:
    first = index_at(seconds)
    first.mark_verified("key", FAKE)
    first.save(set(), set())
    assert index_at(100).is_verified("key", FAKE) == trusted
    assert not index_at(100).is_verified("key", (*FAKE[:3], 5, *FAKE[4:]))


def later(monkeypatch: pytest.MonkeyPatch, seconds: float) -> None:
    """Let every planner think that it scans some seconds from now."""
    monkeypatch.setattr(
        "ytbuild.graph.plan.FingerprintIndex",
        lambda build_dir: FingerprintIndex(build_dir, lambda: time.time_ns() + int(seconds * SECOND)),
    )


@pytest.mark.parametrize(("seconds", "seen"), [(1, True), (10, False)])
def test_a_folder_is_trusted_when_it_was_quiet_for_two_seconds(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, seconds: float, seen: bool
) -> None:
    """Shown with a file system that says of a changed file what it said before: then only the rule can help."""
    listings: dict[str, object] = {}
    list_directory = tree_scanner.list_directory

    def same_as_before(path: str, *arguments: str) -> object:
        return listings.setdefault(path, list_directory(path, *arguments))

    monkeypatch.setattr(tree_scanner, "list_directory", same_as_before)
    later(monkeypatch, seconds)
    pipeline.write(MAPPER, "x = 1\n")
    before = built(pipeline).key
    pipeline.write(MAPPER, "x = 2\n")
    assert (Planner(str(pipeline.root)).plan().key != before) == seen


AUDITED = """
import json, os, sys, time
import ytbuild.cli.build
from ytbuild.build import build_archive
from ytbuild.graph import plan
from ytbuild.sources.fingerprint_index import FingerprintIndex
plan.FingerprintIndex = lambda folder: FingerprintIndex(folder, lambda: time.time_ns() + 10**10)
root = sys.argv[1]
opened = []
def audit(event, arguments):
    if event == "open" and arguments[2] & os.O_DIRECTORY:
        return
    if event == "open" and isinstance(arguments[0], str) and arguments[0].startswith(root + "/"):
        opened.append(os.path.relpath(arguments[0], root))
build_archive(plan.Planner(root))
for path in sys.argv[2:]:
    os.utime(path)
sys.addaudithook(audit)
result = build_archive(plan.Planner(root))
print(json.dumps([opened, len(result.built)]))
"""


def opened_by_second_build(pipeline: Pipeline, *touched: str) -> set[str]:
    """Build twice, touch some files in between, and return which files of the pipeline the second build opened."""
    pipeline.configure("upload_modules: [package]\nupload_paths: [{source: lib}, {source: one.txt}]")
    pipeline.write("package/__init__.py", "x = 1\n")
    pipeline.write("one.txt", "1")
    pipeline.write("stages/first/requirements.txt", "six\n")
    pipeline.write("lib/.ytignore", "*.log\n")
    pipeline.write("lib/large", bytes(5 << 20))
    (pipeline.root / "lib" / "link").symlink_to("../one.txt")
    fill(pipeline, "lib", count=60, size=100)
    command = [sys.executable, "-c", AUDITED, *(str(pipeline.root / path) for path in ("", *touched))]
    command[3] = str(pipeline.root)
    out = subprocess.run(command, env=clean_environment(), check=True, capture_output=True, text=True).stdout
    opened, targets_built = json.loads(out)
    assert targets_built == 0
    return {path for path in opened if not path.startswith(".build/")}


CONFIGURATION = {"configs/config.yaml", "stages/first/config.yaml"}


def test_an_unchanged_tree_opens_no_source(pipeline: Pipeline) -> None:
    assert opened_by_second_build(pipeline) <= CONFIGURATION


def test_only_a_touched_file_is_opened(pipeline: Pipeline) -> None:
    touched = {"lib/part000/file00007.py", "one.txt"}
    rules = {"lib/.ytignore"}
    assert opened_by_second_build(pipeline, *touched) - CONFIGURATION - rules == touched


def key_of(pipeline: Pipeline) -> str:
    return Planner(str(pipeline.root)).plan().key


def test_touching_a_file_gives_the_same_key(pipeline: Pipeline) -> None:
    before = built(pipeline).key
    os.utime(pipeline.root / MAPPER, (1e9, 1e9))
    assert key_of(pipeline) == before


def test_an_executable_bit_changes_the_key(pipeline: Pipeline) -> None:
    before = built(pipeline).key
    (pipeline.root / MAPPER).chmod(0o755)
    assert key_of(pipeline) != before
    (pipeline.root / MAPPER).chmod(0o644)
    assert key_of(pipeline) == before


@pytest.mark.parametrize("mode", [0o600, 0o664, 0o666, 0o655, 0o444])
def test_other_mode_bits_do_not_change_the_key(pipeline: Pipeline, mode: int) -> None:
    before = built(pipeline).key
    (pipeline.root / MAPPER).chmod(mode)
    assert key_of(pipeline) == before


@pytest.mark.parametrize("change", ["added", "removed", "renamed", "empty"])
def test_the_set_of_files_changes_the_key(pipeline: Pipeline, change: str) -> None:
    path = pipeline.write("stages/first/src/more.py", "1\n")
    before = built(pipeline).key
    if change == "added":
        pipeline.write("stages/first/src/new.py", "1\n")
    elif change == "removed":
        path.unlink()
    elif change == "renamed":
        path.rename(path.with_name("less.py"))
    else:
        path.write_bytes(b"")
    assert key_of(pipeline) != before


def test_a_file_that_cannot_be_read_is_an_error_by_name(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch) -> None:
    open_ = os.open

    def refuse(path: str, *arguments: int) -> int:
        if path.endswith("mapper.py"):
            raise PermissionError(13, "Permission denied")
        return open_(path, *arguments)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(SourceError, match=r"cannot read stages/first/src/mapper\.py: Permission denied"):
        Planner(str(pipeline.root)).plan()
