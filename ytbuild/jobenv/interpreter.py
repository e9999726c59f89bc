"""The interpreter of dev jobs, and what of its packages stands in for the cluster's image."""

from __future__ import annotations

import contextlib
import os
import re
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from ytbuild.base import cachefile, children
from ytbuild.base.cancellation import Cancellation
from ytbuild.base.errors import ConfigError, StoreError

SITE_FOLDER = os.path.join(os.path.dirname(os.path.abspath(__file__)), "job_site")

_ON_THE_IMAGE = ("ytsaurus-client", "omegaconf", "boto3")
"""What the documentation asks of a job image; these and what they need stay visible."""

_CACHE_FILE = "fingerprints.packages"
_CACHE_SCHEMA = "packages-1"

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_EXTRA = re.compile(r";.*\bextra\s*==")


@dataclass(frozen=True)
class JobInterpreter:
    """`executable` runs the jobs; `only_for_ytbuild` are top-level modules that they must not see."""

    executable: str
    only_for_ytbuild: tuple[str, ...]

    def site_settings(self, pipeline_dir: str, allowed: Iterable[str]) -> str:
        """Return what YTBUILD_DEV_SITE tells `job_site/sitecustomize.py`; `allowed` folders stay visible."""
        return "\x1e".join((pipeline_dir, "\x1f".join(allowed), "\x1f".join(self.only_for_ytbuild)))


def job_interpreter(configured: str | None, pipeline_dir: str, build_dir: str) -> JobInterpreter:
    """Return the interpreter of dev jobs: the configured one, or this one.

    What is known of the installed packages is remembered in `build_dir`. Raises `ConfigError` when the configured
    one does not exist.
    """
    if configured is None:
        return JobInterpreter(sys.executable, _cached_modules(build_dir))
    import shutil

    path = os.path.expanduser(configured)
    executable = shutil.which(os.path.join(pipeline_dir, path) if "/" in path else path)
    if executable is None:
        raise ConfigError(
            f"pipeline.dev.python: there is no interpreter {configured!r}",
            "give the path of a Python, or a name that is on PATH",
        )
    same = os.path.abspath(executable) == os.path.abspath(sys.executable)
    return JobInterpreter(os.path.abspath(executable), _cached_modules(build_dir) if same else ())


def version(executable: str, cancellation: Cancellation) -> str:
    """Ask an interpreter for its version, build and compiler; raises `ConfigError` when it does not start."""
    import tempfile

    command = [executable, "-IS", "-c", "import sys; print(sys.version)"]
    variables = children.inherited()
    with tempfile.TemporaryFile() as out:
        try:
            status = children.run(
                command, cwd="/", environment=variables, stdout=out, stderr=out, cancellation=cancellation
            )
            problem = status.problem and f"it {status.problem}"
        except OSError as error:
            problem = str(error.strerror)
        if problem:
            raise ConfigError(f"pipeline.dev.python: {executable} does not start: {problem}", "give another Python")
        out.seek(0)
        return out.read().decode("utf-8", "replace")


def write_shim(folder: str, executable: str) -> None:
    """Put a `python3` into `folder` that is this interpreter.

    A script, not a link: a virtual environment's interpreter finds its packages by its own path.
    """
    import shlex

    path = os.path.join(folder, "python3")
    text = f'#!/bin/sh\nexec {shlex.quote(executable)} "$@"\n'
    os.makedirs(folder, exist_ok=True)
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)
    os.chmod(path, 0o755)


def _cached_modules(build_dir: str) -> tuple[str, ...]:
    """Return what `_modules_only_for_ytbuild` does, remembered as long as nothing is installed or removed.

    Reading the metadata of all packages takes longer than a small job.
    """
    folders = [(path, os.stat(path).st_mtime_ns) for path in sys.path if os.path.isdir(path)]
    state = repr((sys.prefix, folders)).encode("utf-8", "surrogateescape")
    path = os.path.join(build_dir, _CACHE_FILE)
    known = cachefile.load(path, _CACHE_SCHEMA)
    if isinstance(known, tuple) and len(known) == 2 and known[0] == state:
        return tuple(known[1])
    modules = _modules_only_for_ytbuild()
    with contextlib.suppress(StoreError):
        cachefile.save(path, _CACHE_SCHEMA, (state, modules))
    return modules


def _modules_only_for_ytbuild() -> tuple[str, ...]:
    """Return the top-level modules of the packages that are installed only because ytbuild needs them.

    A package stays visible when anything else that is installed needs it, or a job image has it.
    """
    from importlib.metadata import distributions

    installed: dict[str, Any] = {}
    for distribution in distributions():
        installed.setdefault(_normal(distribution.metadata["Name"] or ""), distribution)
    needs = {name: _requirements(distribution.requires or []) for name, distribution in installed.items()}
    ours = _closure(["ytbuild"], needs)
    needed_by_others = {need for name, wanted in needs.items() if name not in ours for need in wanted}
    visible = _closure([*(needed_by_others & ours) - {"ytbuild"}, *_ON_THE_IMAGE], needs)
    hidden = [installed[name] for name in ours - visible if name in installed]
    modules = {module for distribution in hidden for module in _top_level(distribution)}
    return tuple(sorted(modules - {"ytjobs"}))


def _requirements(lines: list[str]) -> set[str]:
    names = [_NAME.match(line) for line in lines if not _EXTRA.search(line)]
    return {_normal(match.group()) for match in names if match}


def _closure(start: list[str], needs: dict[str, set[str]]) -> set[str]:
    reached: set[str] = set()
    waiting = list(start)
    while waiting:
        name = waiting.pop()
        if name not in reached:
            reached.add(name)
            waiting += needs.get(name, ())
    return reached


def _top_level(distribution: Any) -> set[str]:
    modules: set[str] = set()
    for file in distribution.files or ():
        first = file.parts[0]
        if len(file.parts) > 1 and first.isidentifier() and first != "__pycache__":
            modules.add(first)
        elif len(file.parts) == 1 and first.endswith((".py", ".so")):
            modules.add(first.split(".")[0])
    return modules


def _normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()
