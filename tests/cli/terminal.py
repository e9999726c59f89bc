"""Test helper: a command that finds a terminal at its stderr."""

from __future__ import annotations

import os
import pty
import subprocess
import sys

from tests.support import Pipeline, clean_environment


def on_a_terminal(pipeline: Pipeline, *arguments: str, **environment: str) -> str:
    """Run a command whose stderr is a terminal and return all that it wrote there."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ytbuild", *arguments],
        cwd=pipeline.root,
        env=clean_environment(TERM="xterm", **environment),
        stderr=side,
        stdout=subprocess.DEVNULL,
    )
    os.close(side)
    parts: list[bytes] = []
    try:
        while data := os.read(main, 4096):
            parts.append(data)
    except OSError:
        # What Linux says when the other side was closed.
        pass
    os.close(main)
    assert process.wait() == 0
    return b"".join(parts).decode()
