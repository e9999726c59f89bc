"""The manifest: what is written comes back, whatever is damaged is refused, and nothing of the machine is in it."""

from __future__ import annotations

import datetime
import json
import random
import socket
from pathlib import Path

import pytest
from xxhash import xxh3_128_hexdigest

from tests.support import Pipeline
from tests.trees import built, copied
from ytbuild.archive import manifest
from ytbuild.archive.manifest import StoredChunk, StoredMember, StoredTarget, Summary
from ytbuild.base.errors import ArchiveError
from ytbuild.graph.plan import Planner
from ytbuild.graph.target import Member, TargetInputs

pytestmark = pytest.mark.quick

SUMMARY = Summary(
    key="0123456789abcdef0123456789abcdef",
    size=1234,
    hash="f" * 32,
    tar_size=1 << 41,
    chunks=(
        StoredChunk("a" * 32, 0, 1000, "b" * 32, 4096, False),
        StoredChunk("c" * 32, 1000, 234, "d" * 32, 1, True),
    ),
    targets=(StoredTarget("path:имя", "e" * 32, 4, 99), StoredTarget("wrappers", "0" * 32, 0, 0)),
)
INPUTS = [
    TargetInputs(
        "path:имя",
        b"",
        (
            Member('имя/"odd"\n\\name\x7f', False, 0, bytes(16), "", "/home/me/secret-place"),
            Member("имя/tool", True, 7, b"\x01" * 16, "", "/home/me/secret-place"),
            Member("имя/link", False, 0, b"", "../é", ""),
            Member("имя/large", False, 9 << 20, b"\x02" * 16 + b"\x03" * 48, "", "/home/me/secret-place"),
            Member('имя/\n"members":', False, 1, b"\x04" * 16, "", "/home/me/secret-place"),
        ),
    ),
    TargetInputs("wrappers", b"rules", ()),
]
DATA = manifest.encode(SUMMARY, manifest.encode_members(INPUTS))


def checked(body: bytes) -> bytes:
    """Return a manifest with this body and the right checksum."""
    return b'{"checksum":"%s",\n%s' % (xxh3_128_hexdigest(body).encode(), body)


def test_summary_comes_back_as_it_was() -> None:
    assert manifest.decode_summary(DATA) == SUMMARY


def test_members_come_back_as_they_were() -> None:
    assert manifest.decode(DATA) == manifest.Manifest(
        SUMMARY,
        {
            "path:имя": (
                StoredMember('имя/"odd"\n\\name\x7f', 0, False, "00" * 16, ""),
                StoredMember("имя/tool", 7, True, "01" * 16, ""),
                StoredMember("имя/link", 0, False, "", "../é"),
                StoredMember("имя/large", 9 << 20, False, "02" * 16, ""),
                StoredMember('имя/\n"members":', 1, False, "04" * 16, ""),
            ),
            "wrappers": (),
        },
    )


def test_manifest_is_one_json_object_with_a_format_version() -> None:
    values = json.loads(DATA)
    assert list(values)[:2] == ["checksum", "format_version"]
    assert values["format_version"] == "1.0"


def test_manifest_is_three_lines_with_the_members_on_the_last() -> None:
    lines = DATA.splitlines()
    assert len(lines) == 3
    assert lines[2].startswith(b'"members":')


def test_equal_values_give_equal_bytes() -> None:
    assert manifest.encode(SUMMARY, manifest.encode_members(INPUTS)) == DATA


@pytest.mark.parametrize("length", [0, 1, 12, 13, 47, 48, 49, 60, 200, len(DATA) // 2, len(DATA) - 2, len(DATA) - 1])
def test_a_truncated_manifest_is_refused(length: int) -> None:
    for decode in (manifest.decode, manifest.decode_summary):
        with pytest.raises(ArchiveError, match="damaged"):
            decode(DATA[:length])


POSITIONS = sorted({0, 1, 13, 47, 48, 49, 70, len(DATA) - 1, *random.Random(3).sample(range(len(DATA)), 24)})


@pytest.mark.parametrize("position", POSITIONS)
def test_a_manifest_with_a_flipped_bit_is_refused(position: int) -> None:
    for bit in (1, 32, 128):
        data = bytearray(DATA)
        data[position] ^= bit
        for decode in (manifest.decode, manifest.decode_summary):
            with pytest.raises(ArchiveError, match="damaged"):
                decode(bytes(data))


@pytest.mark.parametrize("data", [b"\0" * 500, b"{}", b"not json", b"\xff" * 60, DATA + b"\n", DATA + DATA])
def test_something_else_in_its_place_is_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError, match="damaged"):
        manifest.decode(data)


@pytest.mark.parametrize("version", [b"2.0", b"0.9", b"10.0", b"", b"x"])
def test_another_format_version_is_refused_by_that_name(version: bytes) -> None:
    body = DATA[48:].replace(b'"format_version":"1.0"', b'"format_version":"%s"' % version)
    for decode in (manifest.decode, manifest.decode_summary):
        with pytest.raises(ArchiveError, match="another format version"):
            decode(checked(body))


def test_a_later_minor_version_is_read() -> None:
    body = DATA[48:].replace(b'"format_version":"1.0"', b'"format_version":"1.1"')
    assert manifest.decode_summary(checked(body)) == SUMMARY


def test_origins_are_not_in_a_manifest() -> None:
    assert b"secret-place" not in DATA


def manifest_of(pipeline: Pipeline) -> bytes:
    return (pipeline.root / ".build" / "manifest.json").read_bytes()


def test_no_path_or_name_of_the_machine_is_in_a_manifest(pipeline: Pipeline) -> None:
    built(pipeline)
    for text in (str(pipeline.root), str(pipeline.root.parent), str(Path.cwd()), socket.gethostname()):
        assert text.encode() not in manifest_of(pipeline), text


def test_no_time_is_in_a_manifest(pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    other = copied(pipeline, tmp_path / "other")
    built(pipeline)
    monkeypatch.setattr("time.time", lambda: 4e9)
    monkeypatch.setattr("time.time_ns", lambda: 4 * 10**18)
    built(other)
    assert manifest_of(other) == manifest_of(pipeline)
    assert str(datetime.date.today()).encode() not in manifest_of(pipeline)


def test_the_manifest_of_a_build_describes_its_archive(pipeline: Pipeline) -> None:
    result = built(pipeline)
    found = manifest.decode(manifest_of(pipeline))
    data = pipeline.archive().read_bytes()
    assert (found.summary.key, found.summary.size) == (result.key, len(data))
    assert found.summary.hash == xxh3_128_hexdigest(data)
    assert found.summary.targets == tuple(
        StoredTarget(target.name, target.key.hex(), target.files, target.size)
        for target in Planner(str(pipeline.root)).plan().targets
    )


def test_the_chunks_of_a_manifest_are_those_of_the_archive(pipeline: Pipeline) -> None:
    built(pipeline)
    data = pipeline.archive().read_bytes()
    end = 0
    for chunk in manifest.decode_summary(manifest_of(pipeline)).chunks:
        assert chunk.offset == end
        assert xxh3_128_hexdigest(data[chunk.offset : chunk.offset + chunk.size]) == chunk.hash
        end += chunk.size
    assert end == len(data)


def test_the_members_of_a_manifest_are_those_of_the_archive(pipeline: Pipeline) -> None:
    built(pipeline)
    found = manifest.decode(manifest_of(pipeline))
    assert [member.name for members in found.members.values() for member in members] == pipeline.names()
