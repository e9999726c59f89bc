"""A stage's `requirements.txt`, installed once per content into a folder under `.build`."""

from __future__ import annotations

import os
import shutil
import subprocess

from xxhash import xxh3_128_hexdigest

from ytbuild.base import files
from ytbuild.base.errors import OperationFailed
from ytbuild.base.framing import framed

_TAIL_LINES = 12


def install(requirements: str, python: str, build_dir: str, archive: str) -> str:
    """Return the folder with the packages that a requirements file names, installing them when it is new.

    They go into a folder of their own, never into anybody's environment. A path in the file means what it means in a
    job: something in the archive. Raises `OperationFailed` with pip's last words when pip fails.
    """
    with open(requirements, "rb") as file:
        content = file.read()
    parts = [python.encode(), content, archive.encode() if _names_a_path(content) else b""]
    key = xxh3_128_hexdigest(framed(parts))
    folder = os.path.join(build_dir, "requirements", key)
    if os.path.isdir(folder):
        os.utime(folder)
        return folder
    os.makedirs(os.path.dirname(folder), exist_ok=True)
    fresh = files.temporary_name(os.path.dirname(folder))
    sandbox = files.temporary_name(os.path.dirname(folder))
    command = [python, "-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet"]
    try:
        os.mkdir(sandbox)
        subprocess.run(["tar", "-xzf", archive], cwd=sandbox, check=True)
        stage = os.path.basename(os.path.dirname(requirements))
        done = subprocess.run(
            [*command, "--target", fresh, "-r", f"stages/{stage}/requirements.txt"],
            cwd=sandbox,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
        )
        if done.returncode:
            said = done.stderr.decode("utf-8", "replace").rstrip().split("\n")[-_TAIL_LINES:]
            raise OperationFailed(
                f"pip could not install {requirements}:\n" + "\n".join(f"  {line}" for line in said),
                "correct the file, or make the packages available to pip on this machine",
            )
        os.makedirs(fresh, exist_ok=True)
        if not os.path.isdir(folder):
            os.rename(fresh, folder)
    finally:
        shutil.rmtree(fresh, ignore_errors=True)
        shutil.rmtree(sandbox, ignore_errors=True)
    return folder


def _names_a_path(content: bytes) -> bool:
    """Tell whether a line names a local file or folder, whose content then counts too."""
    lines = [line.split(b"#")[0] for line in content.splitlines()]
    return any(b"file:" in line or (b"/" in line and b"://" not in line) for line in lines)
