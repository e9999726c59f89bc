"""Warnings about what a plan ships: secrets that were left out, large files, extensions for one platform."""

from __future__ import annotations

import os

from ytbuild.base.text import plural, quote, size
from ytbuild.graph.layout import Placed
from ytbuild.graph.target import Target, TargetInputs
from ytbuild.sources.ignore_line import escape
from ytbuild.sources.source_tree import SourceTree

LARGE_FILE = 10 << 20
LARGE_ARCHIVE = 100 << 20
_LARGEST_SHOWN = 5


def left_out_secrets(scanned: tuple[SourceTree, ...]) -> list[str]:
    """Warn of each entry that was taken for a secret, with the line that would ship it."""
    return [
        f"{quote(os.path.join(tree.source.label, item.relative))} is left out: it looks like a secret "
        f"({item.reason.label}); "
        f"if it must ship, add the line {_line('!' + escape(item.relative.rsplit('/', 1)[-1]))} to a .ytignore"
        for tree in scanned
        for item in tree.ignored()
        if item.reason.secret
    ]


def compiled(placed: Placed, inputs: TargetInputs) -> list[str]:
    """Warn of compiled extensions in a module, with their platform tags."""
    if not placed.name.startswith("module:"):
        return []
    tags = sorted(
        {
            member.arcname.rsplit("/", 1)[-1].split(".", 1)[1].removesuffix(".so")
            for member in inputs.members
            if member.arcname.endswith(".so") and "." in member.arcname.rsplit("/", 1)[-1].removesuffix(".so")
        }
    )
    if not tags:
        return []
    platforms = ", ".join(map(quote, tags))
    return [f"{quote(placed.name)} holds compiled extensions for {platforms}: they load on no other platform"]


def large_files(placed: Placed, sizes: list[tuple[int, str]]) -> list[str]:
    """Warn of files over 10 MiB, given as (size, arcname), with the line that would leave the largest out."""
    large = sorted(((count, name) for count, name in sizes if count > LARGE_FILE), reverse=True)
    if not large:
        return []
    lines = "".join(f"\n  {size(count):>10}  {quote(name)}" for count, name in large[:_LARGEST_SHOWN])
    example = placed.ignore_line(large[0][1])
    noun = "file" if len(large) == 1 else "files"
    return [
        f"{quote(placed.name)} ships {len(large)} {noun} over {size(LARGE_FILE)}:{lines}"
        f"\n  to leave one out, add the line {_line(example[1])} to {quote(example[0])}"
    ]


def _line(text: str) -> str:
    """Return a line to add to an ignore file as it must be typed, unless it could write to the terminal."""
    return text if text.isprintable() else quote(text)


def too_large(targets: list[Target], placed: list[Placed]) -> list[str]:
    """Warn when all targets together are over 100 MiB, with the largest members and the line against the first."""
    total = sum(target.size for target in targets)
    if total <= LARGE_ARCHIVE:
        return []
    items = [(*item, target.name) for target in targets for item in target.largest]
    largest = sorted(items, reverse=True)[:_LARGEST_SHOWN]
    lines = "".join(f"\n  {size(count):>10}  {quote(name)}" for count, name, _ in largest)
    files = sum(target.files for target in targets)
    _, name, owner = largest[0]
    example = next(target.ignore_line(name) for target in placed if target.name == owner)
    return [
        f"the archive holds {size(total)} in {plural(files, 'file')} before compression; the largest:{lines}"
        f"\n  to leave one out, add the line {_line(example[1])} to {quote(example[0])}; `ytbuild ls` shows all"
    ]
