"""Test helpers: packages that are installed, as far as `sys.path` says."""

from __future__ import annotations

from pathlib import Path

from tests.planning import members
from tests.support import Pipeline


def write(folder: Path, *paths: str, content: str = "") -> None:
    """Write files below a folder, with one content."""
    for path in paths:
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(content)


def upload(pipeline: Pipeline, *names: str) -> None:
    """Let a pipeline ship these modules."""
    pipeline.configure(f"upload_modules: [{', '.join(names)}]")


def shipped(pipeline: Pipeline, module: str) -> list[str]:
    """Return the names of a module's members."""
    return list(members(pipeline, f"module:{module}"))
