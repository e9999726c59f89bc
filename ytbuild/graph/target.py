"""What a target is made of, and its key.

`fields` is the one place that says what a key covers: the key hashes what it gives, and an explanation of a
change lists the same, so the two cannot drift apart. A test compares it with the dataclass's fields.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from xxhash import xxh3_128_digest

from ytbuild.base.framing import framed

SCHEMA = b"ytbuild target 1"
ARCHIVE_SCHEMA = b"ytbuild archive 1: pax, 0644/0755, uid 0, mtime 315532800"

EXEMPT_FIELDS = {"origin": "where the bytes lie on this machine does not change them"}
"""Fields of `Member` and `TargetInputs` that the key leaves out on purpose, and why."""


class Member(NamedTuple):
    """One entry of the archive.

    `digest` is the xxh3_128 of the content (followed by those of its pieces when it is large), `link` the text
    of a relative symbolic link, and `origin` the path of the file, or the content itself when it is generated.

    A NamedTuple, not a dataclass: there may be hundreds of thousands, and they cost a fifth to make.
    """

    arcname: str
    executable: bool
    size: int
    digest: bytes
    link: str
    origin: str | bytes


@dataclass(frozen=True)
class TargetInputs:
    """All that decides a target's bytes: its name, the text of the rules that shape it, and its members."""

    name: str
    rules: bytes
    members: tuple[Member, ...]

    @cached_property
    def encoded(self) -> tuple[bytes, ...]:
        """Every member as bytes, in their order: keys of targets and of chunks are made of these."""
        return tuple(map(encode_member, self.members))


class Field(NamedTuple):
    """One ingredient of a key: what kind it is, whose it is, and its value."""

    kind: str
    label: str
    value: bytes


def encode_member(member: Member) -> bytes:
    """Return a member as bytes, every field length-prefixed, so that no two members share an encoding."""
    name = member.arcname.encode()
    link = member.link.encode()
    return b"%d:%s%d:%s%c%d:%d:%s" % (
        len(name),
        name,
        len(link),
        link,
        b"x" if member.executable else b"-",
        member.size,
        len(member.digest[:16]),
        member.digest[:16],
    )


def fields(inputs: TargetInputs) -> Iterator[Field]:
    """Give what a target's key covers, in a fixed order."""
    yield Field("schema", "", SCHEMA)
    yield Field("name", "", inputs.name.encode())
    yield Field("rules", "", xxh3_128_digest(inputs.rules))
    for member, encoded in zip(inputs.members, inputs.encoded, strict=True):
        yield Field("member", member.arcname, encoded)


def target_key(inputs: TargetInputs) -> bytes:
    """Return the key of a target, 16 bytes."""
    return _hash(field.value for field in fields(inputs))


def archive_key(targets: Iterable[tuple[str, bytes]]) -> bytes:
    """Return the key of an archive, 16 bytes, from its targets' names and keys in the archive's order."""
    values = [ARCHIVE_SCHEMA]
    for name, key in targets:
        values += [name.encode(), key]
    return _hash(values)


def _hash(values: Iterable[bytes]) -> bytes:
    return xxh3_128_digest(framed(values))


@dataclass(frozen=True)
class Target:
    """A named node of the graph, with its key.

    `files` and `size` count its members and their bytes, `largest` are its biggest ones as (size, arcname), and
    `load` gives its inputs: an unchanged target's members are never built.
    """

    name: str
    key: bytes
    files: int
    size: int
    largest: tuple[tuple[int, str], ...]
    warnings: tuple[str, ...]
    load: Callable[[], TargetInputs]
