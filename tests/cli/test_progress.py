"""Progress is for people at a terminal, and for nobody else."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tests.support import Pipeline, clean_environment

CLEAR_LINE = "\x1b[2K"
VANILLA = "client: {operations: {vanilla: {}}}\n"


def at_a_terminal(pipeline: Pipeline, *arguments: str) -> str:
    """Run a command with stderr at a terminal and return what it wrote there."""
    main, other = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "ytbuild", *arguments],
        cwd=pipeline.root,
        env=clean_environment(TERM="xterm"),
        stdout=subprocess.DEVNULL,
        stderr=other,
    ) as process:
        os.close(other)
        parts: list[bytes] = []
        try:
            while part := os.read(main, 4096):
                parts.append(part)
        except OSError:
            # Linux says EIO when the last writer has closed the terminal.
            pass
        os.close(main)
        assert process.wait() == 0
    return b"".join(parts).decode()


def slow(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/config.yaml", VANILLA)
    pipeline.write("stages/first/src/vanilla.py", "import time\ntime.sleep(1.2)\n")


def test_a_running_operation_is_shown_at_a_terminal_and_wiped_away(pipeline: Pipeline) -> None:
    slow(pipeline)
    said = at_a_terminal(pipeline, "run")
    assert "vanilla: running 1 job of vanilla …" in said
    assert said.rindex(CLEAR_LINE) > said.rindex("running 1 job")


def test_nothing_is_drawn_with_no_progress(pipeline: Pipeline) -> None:
    slow(pipeline)
    assert CLEAR_LINE not in at_a_terminal(pipeline, "run", "--no-progress")


def test_nothing_is_drawn_when_stderr_is_no_terminal(pipeline: Pipeline) -> None:
    slow(pipeline)
    said = pipeline.run("run", check=True).stderr
    assert CLEAR_LINE not in said and "running" not in said


def test_packing_is_shown_at_a_terminal(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/data.bin", os.urandom(12 << 20))
    assert "packing [" in at_a_terminal(pipeline, "build")
