"""Warnings that offer a line for a `.ytignore`: the line does what the warning says, whatever the file's name."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.planning import members, plan
from tests.support import Pipeline
from tests.trees import built

NAMES = [
    "plain.bin",
    "with space.bin",
    "data[1].bin",
    "a*b?.bin",
    "#hash.bin",
    "!bang.bin",
    "back\\slash.bin",
    "end ",
]


def offered(text: str, pattern: str) -> tuple[str, ...]:
    match = re.search(pattern, text)
    assert match is not None, text
    return match.groups()


@pytest.mark.parametrize("name", NAMES)
def test_the_line_offered_for_a_large_file_leaves_out_that_file_alone(pipeline: Pipeline, name: str) -> None:
    folder = "lib/sub"
    pipeline.configure("upload_paths: [{source: lib}]")
    for other in ("a11b1.bin", "data1.bin", "other", name):
        pipeline.write(f"{folder}/{other}")
    with open(pipeline.root / folder / name, "wb") as file:
        file.truncate((10 << 20) + 1)
    (warning,) = built(pipeline).warnings
    before = pipeline.names()
    line, where = offered(warning, r'add the line (.*) to "?(\S+?)"?$')
    with open(Path(pipeline.root, where), "a") as file:
        file.write(f"{line}\n")
    assert built(pipeline).warnings == ()
    assert set(before) - set(pipeline.names()) == {f"{folder}/{name}"}


@pytest.mark.parametrize("name", ["id_rsa", "id_rsa[1]", "id_rsa with space", "id_rsa*"])
def test_the_line_offered_for_a_secret_makes_it_ship(pipeline: Pipeline, name: str) -> None:
    pipeline.configure("upload_paths: [{source: lib}]")
    pipeline.write("lib/ships.py")
    pipeline.write(f"lib/{name}", "x")
    (warning,) = built(pipeline).warnings
    (line,) = offered(warning, r"add the line (.*) to a .ytignore")
    pipeline.write("lib/.ytignore", f"{line}\n")
    assert built(pipeline).warnings == ()
    assert f"lib/{name}" in pipeline.names()


def test_the_line_offered_for_a_large_archive_leaves_out_its_largest_file(pipeline: Pipeline) -> None:
    pipeline.configure("upload_paths: [{source: lib}]")
    for number in range(7):
        with open(pipeline.write(f"lib/part{number}.bin"), "wb") as file:
            file.truncate((15 << 20) + number)
    (warning,) = [text for text in plan(pipeline).warnings if text.startswith("the archive holds")]
    assert [f"lib/part{number}.bin" in warning for number in range(7)] == [False, False, *[True] * 5]
    line, where = offered(warning, r"add the line (.*) to (\S+);")
    pipeline.write(where, f"{line}\n")
    assert "lib/part6.bin" not in members(pipeline)
