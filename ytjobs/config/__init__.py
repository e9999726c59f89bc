"""Where a job finds its stage's configuration."""

from __future__ import annotations

import os

__all__ = ["get_config_path"]


def get_config_path() -> str:
    """Return the absolute path of the stage's `config.yaml` in the job's sandbox.

    Raises `ValueError` outside a job, where nothing has set `JOB_CONFIG_PATH`.
    """
    path = os.environ.get("JOB_CONFIG_PATH")
    if not path:
        raise ValueError("JOB_CONFIG_PATH is not set: it names the stage's config.yaml, and ytbuild sets it in jobs")
    return path
