"""Where an archive is cut: the rule itself, on members that are only values."""

from __future__ import annotations

import itertools
import random
from pathlib import Path

import pytest
from xxhash import xxh3_64_intdigest, xxh3_128_digest

from tests.support import Pipeline
from tests.trees import built, summary, text
from ytbuild.archive import tar
from ytbuild.archive.chunk_tar import chunk_tar
from ytbuild.archive.chunks import MAX_SEGMENT, Chunk, cut
from ytbuild.archive.compress import identity
from ytbuild.graph.target import Member, TargetInputs
from ytbuild.sources.fingerprints import RecentContents

pytestmark = pytest.mark.quick

MIB = 1 << 20
LIMIT = 4 * MIB


def file(name: str, size: int, seed: int = 0) -> Member:
    """Return a member whose content is known by its digest alone."""
    digest = xxh3_128_digest(b"%d" % seed + name.encode())
    if size > LIMIT:
        digest += b"".join(xxh3_128_digest(digest + b"%d" % piece) for piece in range(-(-size // LIMIT)))
    return Member(name, False, size, digest, "", f"/nowhere/{name}")


def sources(members: list[Member], name: str = "path:lib") -> TargetInputs:
    return TargetInputs(name, b"", tuple(sorted(members, key=lambda member: member.arcname.encode())))


WRAPPERS = TargetInputs("wrappers", b"", (Member("operation_wrapper_a_map.sh", True, 2, b"w" * 16, "", b"#!"),))


def chunks_of(*members: Member) -> list[Chunk]:
    return cut([sources(list(members)), WRAPPERS], b"compressor")


@pytest.fixture(params=["tiny", "mixed", "large"])
def members(request: pytest.FixtureRequest) -> list[Member]:
    """Trees of 40 MB and more whose files are tiny, of all sizes, or large."""
    source = random.Random(request.param)
    sizes = {"tiny": (0, 16_000, 5_000), "mixed": (0, 200_000, 600), "large": (500_000, 6_000_000, 20)}
    low, high, count = sizes[request.param]
    return [file(f"lib/{source.randrange(1 << 60):x}/{number}", source.randint(low, high)) for number in range(count)]


def size_in_tar(member: Member) -> int:
    return len(tar.header(member.arcname, member.size, member.executable)) + tar.padded(member.size)


def ends_by_content(member: Member) -> bool:
    return xxh3_64_intdigest(member.arcname.encode()) < size_in_tar(member) * 2**64 // MIB


def test_every_member_is_in_one_chunk_and_in_order(members: list[Member]) -> None:
    chunks = chunks_of(*members)[:-1]
    found = [member for chunk in chunks if not chunk.piece for member in chunk.members]
    assert found == list(sources(members).members)


def test_a_chunk_ends_where_the_hash_of_a_name_says_so(members: list[Member]) -> None:
    whole = [chunk for chunk in chunks_of(*members)[:-1] if chunk.piece is None]
    assert not [member for chunk in whole for member in chunk.members[:-1] if ends_by_content(member)]


def test_a_chunk_ends_early_only_where_the_next_member_has_no_room(members: list[Member]) -> None:
    for chunk, following in itertools.pairwise(chunks_of(*members)[:-1]):
        if chunk.piece is None and not ends_by_content(chunk.members[-1]) and following.piece is None:
            assert chunk.size + size_in_tar(following.members[0]) > LIMIT


def test_no_chunk_holds_more_than_4_mib_of_content(members: list[Member]) -> None:
    for chunk in chunks_of(*members):
        content = min(LIMIT, chunk.members[0].size) if chunk.piece is not None else sum(m.size for m in chunk.members)
        assert content <= LIMIT
        assert chunk.size <= LIMIT + 4096


def test_chunks_are_about_one_mib_whatever_the_files() -> None:
    source = random.Random(5)
    for high, count in ((2000, 20_000), (200_000, 600), (1_000_000, 120)):
        chunks = chunks_of(*[file(f"{source.randrange(1 << 60):x}", source.randint(0, high)) for _ in range(count)])
        mean = sum(chunk.size for chunk in chunks) / len(chunks)
        assert 0.6 * MIB < mean < 2 * MIB, (high, mean)


@pytest.mark.parametrize(
    ("size", "pieces"), [(LIMIT, 0), (LIMIT + 1, 2), (2 * LIMIT, 2), (2 * LIMIT + 1, 3), (20 * MIB, 5)]
)
def test_a_member_above_4_mib_is_cut_into_pieces(size: int, pieces: int) -> None:
    chunks = chunks_of(file("a", 10), file("b", size), file("c", 10))
    found = [chunk.piece for chunk in chunks if chunk.members[0].arcname == "b" and chunk.piece is not None]
    assert found == list(range(pieces))


def test_pieces_share_a_chunk_with_no_other_member() -> None:
    chunks = chunks_of(file("a", 10), file("b", LIMIT + 1), file("c", 10))
    assert [[member.arcname for member in chunk.members] for chunk in chunks[:-1]] == [["a"], ["b"], ["b"], ["c"]]


@pytest.mark.parametrize("extra", [1, 511, 512, LIMIT])
def test_pieces_together_are_the_member_with_header_and_padding(tmp_path: Path, extra: int) -> None:
    data = text(LIMIT + extra, 8)
    (tmp_path / "b").write_bytes(data)
    parts = [data[:LIMIT], data[LIMIT:]]
    digest = b"".join(map(xxh3_128_digest, [data, *parts]))
    chunks = chunks_of(Member("b", True, len(data), digest, "", str(tmp_path / "b")))[:-1]
    stream = b"".join(chunk_tar(chunk, RecentContents()) for chunk in chunks)
    assert stream == tar.header("b", len(data), True) + data + tar.padding(len(data))
    assert [chunk.size for chunk in chunks] == [len(chunk_tar(chunk, RecentContents())) for chunk in chunks]


def test_wrappers_are_one_chunk_however_many_with_the_end_marker_in_it() -> None:
    many = TargetInputs("wrappers", b"", tuple(file(f"operation_wrapper_{n}_map.sh", 900) for n in range(9000)))
    chunks = cut([sources([file("a", 1)]), many], b"")
    assert [(chunk.target, chunk.last) for chunk in chunks] == [("path:lib", False), ("wrappers", True)]
    assert chunks[-1].size == 9000 * (512 + 1024) + 1024


def test_an_archive_without_wrappers_still_ends_with_the_end_marker() -> None:
    chunks = cut([sources([file("a", 1)]), TargetInputs("wrappers", b"", ())], b"")
    assert chunks[-1].last
    assert chunk_tar(chunks[-1], RecentContents()) == bytes(1024)


def test_adding_a_file_changes_chunks_only_up_to_the_next_content_cut(members: list[Member]) -> None:
    old = chunks_of(*members)
    for seed in range(20):
        added = file(f"lib/{random.Random(seed).randrange(1 << 60):x}/new", 3000)
        new_keys = {chunk.key for chunk in chunks_of(*members, added)}
        changed = [number for number, chunk in enumerate(old) if chunk.key not in new_keys]
        here = next(n for n, chunk in enumerate(old) if chunk.last or chunk.members[-1].arcname > added.arcname)
        reach = here
        while old[reach].piece is None and not old[reach].last and not ends_by_content(old[reach].members[-1]):
            reach += 1
        assert all(here <= number <= reach for number in changed), (seed, here, reach, changed)


def test_adding_a_file_to_a_target_leaves_the_other_targets_alone() -> None:
    other = sources([file(f"other/{number}", 90_000) for number in range(100)], "path:other")
    lib = [file(f"lib/{number}", 90_000) for number in range(100)]
    before = cut([sources(lib), other, WRAPPERS], b"")
    after = cut([sources([*lib, file("lib/new", 5)]), other, WRAPPERS], b"")
    assert [c.key for c in before if c.target != "path:lib"] == [c.key for c in after if c.target != "path:lib"]


def test_a_chunks_key_depends_on_the_compressor(members: list[Member]) -> None:
    first = cut([sources(members), WRAPPERS], b"one")
    second = cut([sources(members), WRAPPERS], b"two")
    assert [chunk.size for chunk in first] == [chunk.size for chunk in second]
    assert not {chunk.key for chunk in first} & {chunk.key for chunk in second}


def test_the_compressors_identity_is_of_what_it_gives_out(monkeypatch: pytest.MonkeyPatch) -> None:
    before = identity()
    identity.cache_clear()
    monkeypatch.setattr("ytbuild.archive.compress.compress", lambda data: b"other" + data[:9])
    after = identity()
    monkeypatch.undo()
    identity.cache_clear()
    assert after != before == identity()


def test_different_chunks_have_different_keys(members: list[Member]) -> None:
    chunks = chunks_of(*members)
    assert len({chunk.key for chunk in chunks}) == len(chunks)


@pytest.mark.parametrize(
    "changed",
    [
        file("lib/x", 100)._replace(arcname="lib/y"),
        file("lib/x", 100)._replace(executable=True),
        file("lib/x", 100)._replace(size=101),
        file("lib/x", 100)._replace(digest=b"d" * 16),
        Member("lib/x", False, 0, b"", "y", ""),
    ],
    ids=["name", "executable", "size", "content", "link"],
)
def test_a_chunks_key_depends_on_each_of_its_members(changed: Member) -> None:
    assert chunks_of(file("lib/x", 100))[0].key != chunks_of(changed)[0].key


@pytest.mark.parametrize("renamed", [True, False], ids=["name", "executable"])
def test_the_first_pieces_key_depends_on_the_header_and_the_others_do_not(renamed: bool) -> None:
    large = file("lib/x", 9 * MIB)
    other = large._replace(arcname="lib/y") if renamed else large._replace(executable=True)
    before, after = chunks_of(large), chunks_of(other)
    assert [a.key == b.key for a, b in zip(before, after, strict=True)] == [False, True, True, True]


def test_where_the_source_lies_does_not_change_a_key(members: list[Member]) -> None:
    moved = [member._replace(origin="/elsewhere" + str(member.origin)) for member in members]
    assert [chunk.key for chunk in chunks_of(*members)] == [chunk.key for chunk in chunks_of(*moved)]


def test_segments_are_no_longer_than_the_limit(members: list[Member]) -> None:
    lengths, length = [], 0
    for chunk in chunks_of(*members):
        length += chunk.size
        if chunk.ends_segment:
            lengths.append(length)
            length = 0
    assert length == 0, "the archive's end ends a segment"
    assert max(lengths) <= MAX_SEGMENT + LIMIT + 4096


def test_segments_are_about_4_mib() -> None:
    source = random.Random(6)
    names = [f"{source.randrange(1 << 60):x}" for _ in range(6000)]
    chunks = chunks_of(*[file(name, source.randint(0, 50_000)) for name in names])
    count = sum(chunk.ends_segment for chunk in chunks)
    assert 2 * MIB < sum(chunk.size for chunk in chunks) / count < 8 * MIB


def test_the_ends_of_segments_in_an_archive_are_ends_of_gzip_members(pipeline: Pipeline) -> None:
    pipeline.configure("upload_paths: [{source: lib}]")
    for number in range(60):
        pipeline.write(f"lib/{number}", random.Random(number).randbytes(300_000))
    built(pipeline)
    data = pipeline.archive().read_bytes()
    chunks = summary(pipeline).chunks
    ends = [chunk.offset + chunk.size for chunk in chunks if chunk.ends_segment]
    assert ends[-1] == len(data)
    assert len(ends) > 2
    assert all(data[end : end + 4] == b"\x1f\x8b\x08\x00" for end in ends[:-1])
