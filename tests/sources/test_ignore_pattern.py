"""The lines of a `.ytignore` as patterns of pathspec."""

from __future__ import annotations

import os
import subprocess
import sys
import time

import pytest
from pathspec import PathSpec

from tests.planning import SRC, members
from tests.support import Pipeline, clean_environment
from ytbuild.sources.fingerprint_index import QUIET_NS
from ytbuild.sources.ignore_pattern import NAME

pytestmark = pytest.mark.quick


@pytest.mark.parametrize(
    ("line", "path", "is_left_out"),
    [
        ("*.csv", "a/x.csv", True),
        ("!*.csv", "a/x.csv", False),
        ("data/", "data/", True),
        ("data/", "data", None),
        ("data", "data/", True),
        ("a*", "a/b", None),
        ("a**", "a/b", None),
        ("/a**", "a/b", True),
        ("a/*", "a/", None),
        ("a/**", "a/", None),
        ("a/**/b", "a/b", True),
        ("?", "\xc3\xa9", None),
        ("é", "\xc3\xa9", True),
        ("#x", "#x", None),
    ],
)
def test_pathspec_knows_the_patterns_by_their_name(line: str, path: str, is_left_out: bool | None) -> None:
    assert PathSpec.from_lines(NAME, [line]).check_file(path).include is is_left_out


def test_the_last_line_that_matches_decides() -> None:
    spec = PathSpec.from_lines(NAME, ["*.csv", "!x.csv", "y.csv"])
    assert [spec.check_file(path).index for path in ("x.csv", "y.csv", "z.csv", "z.txt")] == [1, 2, 0, None]


@pytest.mark.parametrize("line", ["x?.csv", "*.csv", "/stages/first/src/x?.*", "x[!a].csv"])
def test_a_name_that_is_not_utf8_is_left_out_by(pipeline: Pipeline, line: str) -> None:
    pipeline.write(".ytignore", f"{line}\n")
    pipeline.write(f"{SRC}/{os.fsdecode(bytes([0x78, 0xFF]))}.csv")
    assert [name for name in members(pipeline) if name.endswith(".csv")] == []


def imported_by_a_build(pipeline: Pipeline) -> set[str]:
    code = (
        "import sys\nfrom ytbuild.cli import main\n"
        "try:\n    main.run(['build'])\nexcept SystemExit:\n    pass\n"
        "print(*sys.modules)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code],
        cwd=pipeline.root,
        env=clean_environment(),
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.split())


def test_a_build_imports_pathspec_only_when_a_line_may_match(pipeline: Pipeline) -> None:
    assert "pathspec" not in imported_by_a_build(pipeline)
    pipeline.write(f"{SRC}/x.swp")
    assert "pathspec" in imported_by_a_build(pipeline)


def test_an_unchanged_build_imports_nothing_that_matches_or_packs(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/x.swp")
    time.sleep(QUIET_NS / 1e9 + 0.1)
    assert {"pathspec", "ytbuild.archive.pack", "deflate"} <= imported_by_a_build(pipeline)
    assert {"pathspec", "ytbuild.archive.pack", "deflate"} & imported_by_a_build(pipeline) == set()
