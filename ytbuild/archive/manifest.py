"""The manifest: an archive's members, targets and chunks as JSON, with a checksum over itself.

Grammar (three lines of JSON text that are one object):

    {"checksum":"<32 hex digits: xxh3_128 of every byte after this line>",
    "format_version":"1.0","key":…,"size":…,"hash":…,"tar_size":…,"chunks":[…],"targets":[{"name","key","files",
        "size"}…],
    "members":{"<target>":[{"name","size","mode","hash"} or {"name","link"}…]…}}

The members come last, on a line of their own, so that what a build needs of an old manifest, its chunks, is read
without them. There is no time and no path of a machine in it: equal archives have equal manifests.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from xxhash import xxh3_128_hexdigest

from ytbuild.base.errors import ArchiveError
from ytbuild.graph.target import TargetInputs

FORMAT_VERSION = "1.0"

_CHECKSUM_LINE = 13 + 32 + 3
_MEMBERS = b'\n"members":'


@dataclass(frozen=True)
class StoredChunk:
    """A chunk inside an archive: `offset` and `size` in compressed bytes, `hash` their xxh3_128 in hex."""

    key: str
    offset: int
    size: int
    hash: str
    tar_size: int
    ends_segment: bool


@dataclass(frozen=True)
class StoredTarget:
    """A target of an archive and its key in hex."""

    name: str
    key: str
    files: int
    size: int


@dataclass(frozen=True)
class StoredMember:
    """A member as the manifest lists it; `link` is empty for a file, `hash` for a link."""

    name: str
    size: int
    executable: bool
    hash: str
    link: str


@dataclass(frozen=True)
class Summary:
    """What a manifest says apart from its members; `hash` is the xxh3_128 of the whole archive file in hex."""

    key: str
    size: int
    hash: str
    tar_size: int
    chunks: tuple[StoredChunk, ...]
    targets: tuple[StoredTarget, ...]


@dataclass(frozen=True)
class Manifest:
    """A whole manifest."""

    summary: Summary
    members: dict[str, tuple[StoredMember, ...]]


def member_entry(name: str, executable: bool, size: int, digest: str, link: str) -> dict[str, Any]:
    """Return a member as JSON has it everywhere; `digest` is in hex."""
    if link:
        return {"name": name, "link": link}
    return {"name": name, "size": size, "mode": "0755" if executable else "0644", "hash": digest}


def encode_members(targets: list[TargetInputs]) -> bytes:
    """Return the part of a manifest that lists the members: all of it that is known before the archive is."""
    return _json(
        {
            inputs.name: [
                member_entry(name, executable, size, digest[:16].hex(), link)
                for name, executable, size, digest, link, _ in inputs.members
            ]
            for inputs in targets
        }
    )


def encode(summary: Summary, members: bytes) -> bytes:
    """Return the manifest of an archive as bytes; `members` comes from `encode_members`."""
    head = {
        "format_version": FORMAT_VERSION,
        "key": summary.key,
        "size": summary.size,
        "hash": summary.hash,
        "tar_size": summary.tar_size,
        "chunks": [
            [chunk.key, chunk.offset, chunk.size, chunk.hash, chunk.tar_size, chunk.ends_segment]
            for chunk in summary.chunks
        ],
        "targets": [
            {"name": target.name, "key": target.key, "files": target.files, "size": target.size}
            for target in summary.targets
        ],
    }
    body = b"%s,%s%s}\n" % (_json(head)[1:-1], _MEMBERS, members)
    return b'{"checksum":"%s",\n%s' % (xxh3_128_hexdigest(body).encode(), body)


def decode_summary(data: bytes) -> Summary:
    """Return what a manifest says apart from its members; raises `ArchiveError` when it is damaged."""
    return _summary(_checked(data).partition(_MEMBERS)[0].rstrip(b",") + b"}")


def decode(data: bytes) -> Manifest:
    """Return a whole manifest; raises `ArchiveError` when it is damaged."""
    head, _, members = _checked(data).partition(_MEMBERS)
    listed = json.loads(members.rstrip()[:-1])
    return Manifest(
        _summary(head.rstrip(b",") + b"}"),
        {target: tuple(map(_member, entries)) for target, entries in listed.items()},
    )


def _checked(data: bytes) -> bytes:
    """Return the body of an intact manifest, opened with a brace."""
    body = memoryview(data)[_CHECKSUM_LINE:]
    expected = b'{"checksum":"%s",\n' % xxh3_128_hexdigest(body).encode()
    if data[:_CHECKSUM_LINE] != expected:
        raise ArchiveError("the manifest is damaged", "build again")
    if not data.startswith(b'"format_version":"1.', _CHECKSUM_LINE):
        raise ArchiveError("the manifest is of another format version", "build again, or use a newer ytbuild")
    return b"{" + bytes(body)


def _summary(text: bytes) -> Summary:
    values: dict[str, Any] = json.loads(text)
    return Summary(
        key=values["key"],
        size=values["size"],
        hash=values["hash"],
        tar_size=values["tar_size"],
        chunks=tuple(StoredChunk(*chunk) for chunk in values["chunks"]),
        targets=tuple(StoredTarget(**target) for target in values["targets"]),
    )


def _member(entry: dict[str, Any]) -> StoredMember:
    if "link" in entry:
        return StoredMember(entry["name"], 0, False, "", entry["link"])
    return StoredMember(entry["name"], entry["size"], entry["mode"] == "0755", entry["hash"], "")


def _json(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()
