"""What an edit costs: which chunks are compressed anew; and what a cut archive is good for."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from tests.support import Pipeline, clean_environment
from tests.trees import built, fill, summary, text
from ytbuild.archive.extract import extract_archive
from ytbuild.archive.manifest import Summary
from ytbuild.base.errors import ArchiveError

MIB = 1 << 20


def tree_of(pipeline: Pipeline, count: int) -> Pipeline:
    pipeline.configure("upload_paths: [{source: lib}]")
    fill(pipeline, "lib", count=count, size=20_000)
    built(pipeline)
    return pipeline


@pytest.fixture
def large_tree(pipeline: Pipeline) -> Pipeline:
    """A built pipeline with 20 MB in 1,000 files."""
    return tree_of(pipeline, 1000)


@pytest.fixture
def tree(pipeline: Pipeline) -> Pipeline:
    """A built pipeline with 6 MB in 300 files."""
    return tree_of(pipeline, 300)


@pytest.fixture
def large_file(pipeline: Pipeline) -> Pipeline:
    """A built pipeline with one file of 20 MB: five pieces."""
    pipeline.configure("upload_paths: [{source: lib}]")
    pipeline.write("lib/data.txt", text(20 * MIB, 9))
    built(pipeline)
    return pipeline


def keys(pipeline: Pipeline) -> list[str]:
    return [chunk.key for chunk in summary(pipeline).chunks]


def test_a_one_line_edit_in_20_mb_compresses_one_chunk(large_tree: Pipeline) -> None:
    before = keys(large_tree)
    path = large_tree.root / "lib" / "part010" / "file00512.py"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\n# one line more\n", 1))
    result = built(large_tree)
    assert len(before) > 10
    assert (result.compressed, result.reused) == (1, len(before) - 1)
    assert len(set(keys(large_tree)) - set(before)) == 1


def test_only_the_target_of_an_edit_counts_as_built(tree: Pipeline) -> None:
    tree.write("lib/part000/file00000.py", "edited\n")
    assert [target.name for target in built(tree).built] == ["path:lib"]


def test_chunks_of_an_edited_tree_are_copied_byte_for_byte(tree: Pipeline) -> None:
    def contents() -> dict[str, bytes]:
        data = tree.archive().read_bytes()
        return {c.key: data[c.offset : c.offset + c.size] for c in summary(tree).chunks}

    before = contents()
    tree.write("lib/part000/file00000.py", "edited\n")
    built(tree)
    after = contents()
    assert {key: after[key] for key in before.keys() & after.keys()} == {
        key: before[key] for key in before.keys() & after.keys()
    }
    assert len(before.keys() & after.keys()) == len(before) - 1


def test_adding_a_file_compresses_few_chunks(tree: Pipeline) -> None:
    tree.write("lib/part003/file00170a.py", text(5000, 77))
    assert built(tree).compressed <= 3


def test_removing_a_file_compresses_few_chunks(tree: Pipeline) -> None:
    (tree.root / "lib" / "part003" / "file00170.py").unlink()
    assert built(tree).compressed <= 3


def test_a_new_target_compresses_nothing_of_the_others(tree: Pipeline) -> None:
    tree.write("more/one.py", "1\n")
    tree.configure("upload_paths: [{source: lib}, {source: more}]")
    result = built(tree)
    assert (result.compressed, [target.name for target in result.built]) == (1, ["path:more"])


def test_one_byte_in_a_20_mb_file_compresses_one_piece(large_file: Pipeline) -> None:
    count = len(keys(large_file))
    with open(large_file.root / "lib" / "data.txt", "r+b") as file:
        file.seek(10 * MIB)
        file.write(b"\0")
    result = built(large_file)
    assert (result.compressed, result.reused) == (1, count - 1)


def test_appending_to_a_20_mb_file_compresses_the_last_and_the_first_piece(
    large_file: Pipeline,
) -> None:
    """The first one holds the header, and the header the size."""
    path = large_file.root / "lib" / "data.txt"
    os.truncate(path, 20 * MIB - 9000)
    built(large_file)
    with open(path, "ab") as file:
        file.write(b"one line more\n")
    assert built(large_file).compressed == 2


@pytest.fixture
def cuts(pipeline: Pipeline) -> tuple[Pipeline, Summary]:
    """A built pipeline whose archive has many chunks: pieces, small targets and several stages."""
    pipeline.configure(
        "upload_paths: [{source: a}, {source: b}, {source: big}]",
        stages="[first, second, third]",
    )
    for stage in ("second", "third"):
        pipeline.write(f"stages/{stage}/config.yaml", "client: {operations: {}}\n")
        pipeline.write(f"stages/{stage}/src/vanilla.py", "print('never')\n")
    pipeline.write("a/one.py", "1\n")
    pipeline.write("b/two.py", "2\n")
    pipeline.write("big/data", text(9 * MIB, 4))
    built(pipeline)
    found = summary(pipeline)
    assert len(found.chunks) > 9
    return pipeline, found


def ends(found: Summary) -> list[int]:
    return [chunk.offset for chunk in found.chunks]


def test_no_leg_starts_from_an_archive_cut_at_any_chunk(cuts: tuple[Pipeline, Summary], tmp_path: Path) -> None:
    pipeline, found = cuts
    data = pipeline.archive().read_bytes()
    command = "tar -xzf source.tar.gz && ./operation_wrapper_second_vanilla.sh"
    for end in ends(found):
        sandbox = tmp_path / str(end)
        sandbox.mkdir()
        (sandbox / "source.tar.gz").write_bytes(data[:end])
        result = subprocess.run(["bash", "-c", command], cwd=sandbox, env=clean_environment(), capture_output=True)
        assert result.returncode != 0, end
        assert b"never" not in result.stdout
        assert not list(sandbox.glob("operation_wrapper_*")), end


def test_the_whole_archive_starts_a_leg(cuts: tuple[Pipeline, Summary], tmp_path: Path) -> None:
    pipeline, _ = cuts
    (tmp_path / "source.tar.gz").write_bytes(pipeline.archive().read_bytes())
    command = "tar -xzf source.tar.gz && ./operation_wrapper_second_vanilla.sh"
    result = subprocess.run(["bash", "-c", command], cwd=tmp_path, env=clean_environment(), capture_output=True)
    assert (result.returncode, result.stdout) == (0, b"never\n"), result.stderr


def test_extraction_refuses_an_archive_cut_at_any_chunk(cuts: tuple[Pipeline, Summary], tmp_path: Path) -> None:
    pipeline, found = cuts
    data = pipeline.archive().read_bytes()
    for end in ends(found):
        (tmp_path / "cut.tar.gz").write_bytes(data[:end])
        with pytest.raises(ArchiveError, match="is damaged"):
            extract_archive(str(tmp_path / "cut.tar.gz"), found, str(tmp_path / f"out{end}"))


@pytest.mark.parametrize("position", [0, 1, 9, 5000, -1, -9])
def test_extraction_refuses_an_archive_with_a_flipped_bit(
    cuts: tuple[Pipeline, Summary], tmp_path: Path, position: int
) -> None:
    pipeline, found = cuts
    data = bytearray(pipeline.archive().read_bytes())
    data[position] ^= 4
    (tmp_path / "bad.tar.gz").write_bytes(data)
    with pytest.raises(ArchiveError, match="is damaged"):
        extract_archive(str(tmp_path / "bad.tar.gz"), found, str(tmp_path / "out"))


def test_extraction_refuses_an_archive_that_goes_on(cuts: tuple[Pipeline, Summary], tmp_path: Path) -> None:
    pipeline, found = cuts
    data = pipeline.archive().read_bytes()
    (tmp_path / "long.tar.gz").write_bytes(data + data[: found.chunks[0].size])
    with pytest.raises(ArchiveError, match="goes on after its end"):
        extract_archive(str(tmp_path / "long.tar.gz"), found, str(tmp_path / "out"))
