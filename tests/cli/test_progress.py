"""Progress is for people at a terminal, and for nobody else."""

from __future__ import annotations

import os

from tests.cli.terminal import on_a_terminal
from tests.support import Pipeline

CLEAR_LINE = "\x1b[2K"
VANILLA = "client: {operations: {vanilla: {}}}\n"


def slow(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/config.yaml", VANILLA)
    pipeline.write("stages/first/src/vanilla.py", "import time\ntime.sleep(1.2)\n")


def test_a_running_operation_is_shown_at_a_terminal_and_wiped_away(pipeline: Pipeline) -> None:
    slow(pipeline)
    said = on_a_terminal(pipeline, "run")
    assert "vanilla: running 1 job of vanilla …" in said
    assert said.rindex(CLEAR_LINE) > said.rindex("running 1 job")


def test_nothing_is_drawn_with_no_progress(pipeline: Pipeline) -> None:
    slow(pipeline)
    assert CLEAR_LINE not in on_a_terminal(pipeline, "run", "--no-progress")


def test_nothing_is_drawn_when_stderr_is_no_terminal(pipeline: Pipeline) -> None:
    slow(pipeline)
    said = pipeline.run("run", check=True).stderr
    assert CLEAR_LINE not in said and "running" not in said


def test_packing_is_shown_on_a_terminal(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/data.bin", os.urandom(12 << 20))
    assert "packing [" in on_a_terminal(pipeline, "build")


def test_a_map_shows_how_much_it_has_read_and_written(pipeline: Pipeline) -> None:
    code = (
        "import sys, time\nfor line in sys.stdin:\n    sys.stdout.write(line)\nsys.stdout.flush()\ntime.sleep(1.2)\n"
    )
    pipeline.write("stages/first/src/mapper.py", code)
    pipeline.write(".dev/input.jsonl", '{"n": 1}\n{"n": 2}\n')
    said = on_a_terminal(pipeline, "run")
    assert "map: running 1 job of map, read 100% of 2 rows, wrote 2 …" in said
