"""Ranges of rows: every row in exactly one of them, whatever the file looks like."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from tests.run.stages import get, log, operation, ran
from tests.support import Pipeline
from ytbuild.rows.ranges import BLOCK, Range, copy_range, count_lines, ranges

FILES = {
    "empty": b"",
    "one row": b"{}\n",
    "one row without an end": b"{}",
    "without a final end": b'{"a":1}\n{"a":2}\n{"a":3}',
    "one huge row": b'{"a":"%s"}\n' % (b"x" * (2 * BLOCK)),
    "a huge row first": b'{"a":"%s"}\n' % (b"x" * 3000) + b"{}\n" * 9,
    "a huge row in the middle": b"{}\n" * 9 + b'{"a":"%s"}\n' % (b"x" * 3000) + b"{}\n" * 9,
    "a huge row last, without an end": b"{}\n" * 9 + b'{"a":"%s"}' % (b"x" * 3000),
    "many rows": b"".join(b'{"n":%d}\n' % number for number in range(1000)),
    "empty lines": b"\n\n\n{}\n\n",
    "exactly one block": b'{"a":"%s"}\n' % (b"x" * (BLOCK - 9)) + b"{}\n",
}
COUNTS = (1, 2, 3, 7, 50)


def divided(tmp_path: Path, data: bytes, count: int) -> tuple[list[Range], list[bytes]]:
    """Return a file's ranges, and what is in each."""
    path = tmp_path / "in"
    path.write_bytes(data)
    with open(path, "rb") as file:
        parts = ranges(str(path), count_lines(file), count)
    contents = []
    for part in parts:
        copy_range(str(path), str(tmp_path / "part"), part)
        contents.append((tmp_path / "part").read_bytes())
    return parts, contents


def check(tmp_path: Path, data: bytes, count: int) -> None:
    parts, contents = divided(tmp_path, data, count)
    assert len(parts) == count
    assert b"".join(contents) == data
    first = 0
    for index, (part, content) in enumerate(zip(parts, contents, strict=True)):
        assert part.length == len(content)
        assert part.first_row == first
        assert part.rows == content.count(b"\n") + (content != b"" and not content.endswith(b"\n"))
        assert not content or content.endswith(b"\n") or b"".join(contents[index + 1 :]) == b""
        first += part.rows


@pytest.mark.parametrize("count", COUNTS)
@pytest.mark.parametrize("name", FILES)
def test_every_row_is_in_one_range(tmp_path: Path, name: str, count: int) -> None:
    check(tmp_path, FILES[name], count)


def test_every_row_is_in_one_range_of_any_file(tmp_path: Path) -> None:
    choose = random.Random(0)
    for _ in range(300):
        data = b"\n".join(b"x" * choose.choice([0, 1, 2, 3, 50]) for _ in range(choose.randrange(12)))
        check(tmp_path, data, choose.randrange(1, 8))


def test_ranges_are_of_about_equal_length(tmp_path: Path) -> None:
    parts, _ = divided(tmp_path, FILES["many rows"], 4)
    lengths = [part.length for part in parts]
    assert max(lengths) - min(lengths) <= 4 * len(b'{"n":999}\n')


@pytest.mark.parametrize("size", [0, 1, BLOCK - 1, BLOCK, BLOCK + 1])
def test_lines_are_counted_across_blocks(tmp_path: Path, size: int) -> None:
    path = tmp_path / "in"
    path.write_bytes(b"x" * size + b"\n" + b"y\n" * 3 + b"z")
    with open(path, "rb") as file:
        assert count_lines(file) == 5
        assert count_lines(file, size + 1) == 4
        assert count_lines(file, 0, size + 1) == 1
        assert count_lines(file, 0, size + 2) == 2


COPY = """\
import os, sys
rows = sys.stdin.readlines()
sys.stdout.writelines(rows)
print(os.environ["YT_START_ROW_INDEX"], len(rows), os.environ["YT_JOB_INDEX"], file=sys.stderr)
"""


def copied(pipeline: Pipeline, data: bytes, jobs: int) -> list[tuple[int, int, int]]:
    """Copy a table with so many jobs; return the first row, the number of rows and the index of each that ran."""
    pipeline.write("stages/first/src/mapper.py", COPY)
    operation(
        pipeline, f"map:\n  input_table: //t/input\n  output_table: //t/output\n  resources: {{job_count: {jobs}}}"
    )
    pipeline.write(".dev/input.jsonl", data)
    ran(pipeline)
    names = sorted(path.name for path in (pipeline.root / ".dev").glob("first.map*.log"))
    seen_by_jobs = [tuple(map(int, log(pipeline, name.removesuffix(".log")).split())) for name in names]
    return sorted(seen_by_jobs)  # type: ignore[arg-type]


def test_jobs_know_the_number_of_their_first_row(pipeline: Pipeline) -> None:
    data = b"".join(b'{"n":%d}\n' % number for number in range(100))
    seen_by_jobs = copied(pipeline, data, 3)
    assert [first for first, _, _ in seen_by_jobs] == [0, seen_by_jobs[0][1], seen_by_jobs[0][1] + seen_by_jobs[1][1]]
    assert sum(rows for _, rows, _ in seen_by_jobs) == 100 and [index for _, _, index in seen_by_jobs] == [0, 1, 2]
    assert get(pipeline, "output") == [{"n": number} for number in range(100)]


def test_a_job_without_rows_does_not_run(pipeline: Pipeline) -> None:
    assert copied(pipeline, b'{"n":1}\n{"n":2}', 9) == [(0, 1, 0), (1, 1, 1)]
    assert (pipeline.root / ".dev/output.jsonl").read_bytes() == b'{"n":1}\n{"n":2}\n'


def test_a_map_of_no_rows_starts_no_job_and_writes_an_empty_table(pipeline: Pipeline) -> None:
    assert copied(pipeline, b"", 3) == []
    assert (pipeline.root / ".dev/output.jsonl").read_bytes() == b""


def test_jobs_whose_outputs_lack_a_last_end_are_joined_as_rows(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", "import sys\nsys.stdout.write(sys.stdin.read().rstrip())\n")
    operation(pipeline, "map:\n  input_table: //t/input\n  output_table: //t/output\n  resources: {job_count: 3}")
    pipeline.write(".dev/input.jsonl", "".join(f'{{"n":{number}}}\n' for number in range(9)))
    ran(pipeline)
    assert get(pipeline, "output") == [{"n": number} for number in range(9)]


def test_jobs_that_write_nothing_are_joined_with_those_that_do(pipeline: Pipeline) -> None:
    pipeline.write(
        "stages/first/src/mapper.py",
        "import os, sys\nif os.environ['YT_JOB_INDEX'] == '1':\n    sys.stdout.write(sys.stdin.read())\n",
    )
    operation(pipeline, "map:\n  input_table: //t/input\n  output_table: //t/output\n  resources: {job_count: 3}")
    pipeline.write(".dev/input.jsonl", "".join(f'{{"n":{number}}}\n' for number in range(9)))
    ran(pipeline)
    assert get(pipeline, "output") == [{"n": 3}, {"n": 4}, {"n": 5}]
