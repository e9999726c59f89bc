"""What a job is, on every backend: its command and the variables it finds."""

from __future__ import annotations

import shlex

from ytbuild.config.stage import ARCHIVE_NAME


def bootstrap(wrapper: str) -> str:
    """Return the command that unpacks the archive and starts a leg; `wrapper` is a wrapper's name in it."""
    return f"tar -xzf {ARCHIVE_NAME} && ./{shlex.quote(wrapper)}"
