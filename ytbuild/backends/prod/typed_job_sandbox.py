"""Runs in a job before a TypedJob is unpickled there: this file's text travels to the cluster, not its import.

So it uses the standard library only, is content with the Python 3.8 of old images, and says nothing to stdout, where
the job's rows go.
"""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Sequence

ARCHIVE = "source.tar.gz"


def enter(stage: str, secrets: Sequence[str]) -> None:
    """Make the job's sandbox what a command finds: code unpacked and importable, configuration and secrets set.

    `secrets` are the names of those entries of the secure vault that become variables.
    """
    for name in secrets:
        os.environ[name] = os.environ.get("YT_SECURE_VAULT_" + name, "")
    root = os.getcwd()
    folder = os.path.join(root, "stages", stage)
    if not os.path.isdir(os.path.join(root, "ytjobs")):
        _run(["tar", "-xzf", ARCHIVE])
    os.environ["JOB_CONFIG_PATH"] = os.path.join(folder, "config.yaml")
    os.environ["PYTHONPATH"] = os.pathsep.join(filter(None, [root, os.environ.get("PYTHONPATH")]))
    sys.path[:0] = [os.path.join(folder, "src"), root]
    requirements = os.path.join(folder, "requirements.txt")
    if os.path.isfile(requirements):
        # pip must neither read the job's rows nor write among them.
        pip = [sys.executable, "-m", "pip", "install", "--no-input", "--quiet", "--disable-pip-version-check"]
        _run([*pip, "-r", requirements])
    importlib.invalidate_caches()


def _run(command: list[str]) -> None:
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=2)
    if done.returncode:
        sys.exit(f"{' '.join(command)} ended with exit code {done.returncode}")
