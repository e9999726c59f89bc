"""The tar stream: headers byte for byte Python's own, one valid archive, and what other programs make of it."""

from __future__ import annotations

import io
import random
import shutil
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support import Pipeline
from tests.trees import Snapshot, built, gunzipped, only_files, snapshot, text
from ytbuild.archive import tar

pytestmark = pytest.mark.quick

ASCII = "abcdefghijklmnopqrstuvwxyz0123456789_-. "
LETTERS = ASCII + "/éßЖ日本語🐍\t\n'\"\\"
SIZES = (0, 1, 511, 512, 513, 8**11 - 1, 8**11, 8**11 + 1, 8**12)


def python_header(name: str, size: int, executable: bool, link: str = "") -> bytes:
    info = tarfile.TarInfo(name)
    info.size = size
    info.mode = 0o755 if executable else 0o644
    info.mtime = 315532800
    if link:
        info.type = tarfile.SYMTYPE
        info.linkname = link
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8")


@pytest.mark.parametrize("length", [1, 2, 98, 99, 100, 101, 102, 155, 156, 255, 256, 600])
@pytest.mark.parametrize("char", ["a", "é", "日", "🐍"])
def test_header_of_a_name_of_this_length_is_pythons(length: int, char: str) -> None:
    for name in (char * length, "d/" + char * (length - 1), ("x" * length)[:-1] + char):
        assert tar.header(name, 5, False) == python_header(name, 5, False)


@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("executable", [False, True])
def test_header_of_a_file_of_this_size_is_pythons(size: int, executable: bool) -> None:
    for name in ("plain", "n" * 101, "имя"):
        assert tar.header(name, size, executable) == python_header(name, size, executable)


@pytest.mark.parametrize("link", ["a", "../a/b", "x" * 100, "x" * 101, "ссылка", "y" * 99 + "é"])
def test_header_of_a_link_is_pythons(link: str) -> None:
    for name in ("plain", "n" * 101, "имя"):
        assert tar.header(name, 0, False, link) == python_header(name, 0, False, link)


def test_headers_of_random_fields_are_pythons() -> None:
    source = random.Random(20240229)
    for _ in range(3000):
        letters = source.choice((ASCII, ASCII, LETTERS))
        name = "".join(source.choices(letters, k=source.choice((3, 20, 99, 100, 101, 180)))).strip("/") or "n"
        link = "".join(source.choices(letters, k=source.randrange(1, 130))) if source.random() < 0.3 else ""
        size = 0 if link else source.choice((*SIZES, source.randrange(1 << 40)))
        executable = not link and source.random() < 0.5
        assert tar.header(name, size, executable, link) == python_header(name, size, executable, link), (name, link)


@pytest.mark.parametrize(
    ("size", "expected"), [(0, 0), (1, 512), (511, 512), (512, 512), (513, 1024), (8**11, 8**11)]
)
def test_contents_fill_whole_blocks(size: int, expected: int) -> None:
    assert tar.padded(size) == expected
    assert tar.padding(size) == bytes(expected - size)


def extract_with_python(archive: Path, destination: Path) -> None:
    with tarfile.open(archive, "r:gz") as opened:
        opened.extraction_filter = getattr(tarfile, "tar_filter", None)
        opened.extractall(destination)


def extract_with(*command: str) -> Callable[[Path, Path], None]:
    def extract(archive: Path, destination: Path) -> None:
        subprocess.run([*command, "-xzf", str(archive)], cwd=destination, check=True, env={"LC_ALL": "C.UTF-8"})

    return extract


READERS = {"python": extract_with_python, "gnu-tar": extract_with("tar")}
if bsdtar := shutil.which("bsdtar"):
    READERS["bsdtar"] = extract_with(bsdtar)
if busybox := shutil.which("busybox"):
    READERS["busybox"] = extract_with(busybox, "tar")


@pytest.fixture
def plain(pipeline: Pipeline) -> Pipeline:
    """A pipeline with everything that needs no pax record: links, executables, empty and large files."""
    pipeline.configure("upload_paths: [{source: lib}]")
    pipeline.write("lib/empty.py")
    pipeline.write("lib/large.bin", text(9_000_001, 3))
    pipeline.write("lib/sub/with space 'and' quotes.txt", "x")
    pipeline.write("lib/tool.sh", "#!/bin/sh\n").chmod(0o755)
    (pipeline.root / "lib" / "to-file").symlink_to("sub/with space 'and' quotes.txt")
    (pipeline.root / "lib" / "sub" / "to-folder").symlink_to("../nested")
    pipeline.write("lib/nested/deep/er/module.py", text(700, 4))
    return pipeline


@pytest.fixture
def odd(plain: Pipeline) -> Pipeline:
    """The same with names that need pax records."""
    plain.write(f"lib/{'n' * 200}.py", "long")
    plain.write(f"lib/{'p' * 90}/{'q' * 90}/{'r' * 90}.py", "deep").chmod(0o700)
    plain.write("lib/имя/файл 🐍.py", "non-ASCII")
    plain.write("lib/new\nline.txt", "odd")
    (plain.root / "lib" / "ссылка").symlink_to("имя/файл 🐍.py")
    return plain


def expected_tree(pipeline: Pipeline) -> Snapshot:
    """Return what an extracted archive has to hold of the user's sources."""
    tree = only_files(snapshot(pipeline.root))
    return {name: entry for name, entry in tree.items() if not name.startswith("configs/")}


def extracted_tree(pipeline: Pipeline, destination: Path, extract: Callable[[Path, Path], None]) -> Snapshot:
    destination.mkdir()
    extract(pipeline.archive(), destination)
    tree = only_files(snapshot(destination))
    return {name: entry for name, entry in tree.items() if name.startswith(("lib/", "stages/"))}


@pytest.mark.parametrize("reader", READERS)
def test_archive_extracts_to_the_tree_it_was_made_of(plain: Pipeline, tmp_path: Path, reader: str) -> None:
    built(plain)
    assert extracted_tree(plain, tmp_path / "out", READERS[reader]) == expected_tree(plain)


@pytest.mark.parametrize("reader", READERS)
def test_archive_with_long_and_foreign_names_extracts(odd: Pipeline, tmp_path: Path, reader: str) -> None:
    built(odd)
    assert extracted_tree(odd, tmp_path / "out", READERS[reader]) == expected_tree(odd)


@pytest.mark.parametrize("reader", READERS)
def test_wrappers_and_ytjobs_extract(plain: Pipeline, tmp_path: Path, reader: str) -> None:
    built(plain)
    (tmp_path / "out").mkdir()
    READERS[reader](plain.archive(), tmp_path / "out")
    tree = snapshot(tmp_path / "out")
    assert tree["operation_wrapper_first_map.sh"][:2] == ("file", "x")
    assert "ytjobs/__init__.py" in tree


def test_stream_is_one_tar_with_one_end_and_no_record_padding(odd: Pipeline) -> None:
    files = built(odd).files
    data = gunzipped(odd.archive())
    with tarfile.open(fileobj=io.BytesIO(data), mode="r:") as archive:
        members = archive.getmembers()
    last = members[-1]
    assert len(members) == files
    assert len(data) == last.offset_data + tar.padded(last.size) + 1024
    assert data[-1024:] == bytes(1024)


@pytest.fixture
def members(odd: Pipeline) -> list[tarfile.TarInfo]:
    built(odd)
    with tarfile.open(odd.archive(), "r:gz") as archive:
        return archive.getmembers()


def test_members_of_a_target_are_sorted_by_the_bytes_of_their_names(members: list[tarfile.TarInfo]) -> None:
    names = [member.name.encode() for member in members if member.name.startswith("lib/")]
    assert names == sorted(names)
    assert len(names) > 10


def test_targets_are_sorted_by_name_with_wrappers_last(members: list[tarfile.TarInfo]) -> None:
    tops = list(dict.fromkeys(member.name.split("/")[0].split("_first_")[0] for member in members))
    assert tops == ["ytjobs", "lib", "stages", "operation_wrapper"]


def test_there_are_no_directory_entries(members: list[tarfile.TarInfo]) -> None:
    assert {member.type for member in members} == {tarfile.REGTYPE, tarfile.SYMTYPE}


def test_owner_is_nobody_in_particular(members: list[tarfile.TarInfo]) -> None:
    assert {(member.uid, member.gid, member.uname, member.gname) for member in members} == {(0, 0, "", "")}


def test_times_are_1980(members: list[tarfile.TarInfo]) -> None:
    assert {member.mtime for member in members} == {315532800}


def test_modes_are_0755_for_the_owners_executable_bit_and_0644_otherwise(members: list[tarfile.TarInfo]) -> None:
    modes = {member.name: oct(member.mode) for member in members if member.isreg()}
    wrappers = {name for name in modes if name.startswith("operation_wrapper_")}
    executable = {"lib/tool.sh", f"lib/{'p' * 90}/{'q' * 90}/{'r' * 90}.py", *wrappers}
    assert modes == {name: "0o755" if name in executable else "0o644" for name in modes}


def test_pax_records_are_there_only_where_needed(plain: Pipeline) -> None:
    built(plain)
    with tarfile.open(plain.archive(), "r:gz") as archive:
        assert [member.name for member in archive if member.pax_headers] == []
