"""Measuring: both sides of a ratio from the same cleaned environment, in turns, medians of several runs."""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import time
import venv
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tests.benchmarks.history import ROOT, Figure

_KEPT = ("PATH", "HOME", "LANG", "LC_ALL", "TMPDIR")


@dataclass(frozen=True)
class Command:
    """A command of a comparison: `prepare` is called before each run and not measured."""

    arguments: list[str]
    cwd: Path
    prepare: Callable[[], None] = lambda: None


def environment() -> dict[str, str]:
    """Return what both sides run in: no PYTHON* and no YT_* variables."""
    return {name: os.environ[name] for name in _KEPT if name in os.environ}


@dataclass(frozen=True)
class Session:
    """One run of the benchmarks: the installed `ytbuild`, a folder for what it makes, and who keeps the figures."""

    ytbuild: str
    root: Path
    keep: Callable[[Figure], None]

    @property
    def python(self) -> str:
        """The interpreter beside the installed command."""
        return os.path.join(os.path.dirname(self.ytbuild), "python")

    def report(self, name: str, ours: float, peer: float, bar: float, unit: str = "×") -> bool:
        """Print a line of the table, keep the figure, and return whether the bar is met."""
        figure = Figure(name, ours, peer, bar, unit)
        print(
            f"{'ok ' if figure.is_good else 'BAD'} {name:<58} {figure.ratio:6.2f} {unit} "
            f"(bar {bar:g}; {ours:.3f} against {peer:.3f})",
            flush=True,
        )
        self.keep(figure)
        return figure.is_good


def installed(folder: Path) -> str:
    """Build a wheel, install it into a new environment below `folder`, and return its `ytbuild` command."""
    dist = folder / "dist"
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "-o", str(dist), str(ROOT)], check=True, capture_output=True
    )
    venv.create(folder / "env", with_pip=True)
    python = folder / "env" / "bin" / "python"
    wheel = next(dist.glob("*.whl"))
    # Without PYTHONDONTWRITEBYTECODE, as a user would: a command without its bytecode starts three times slower.
    subprocess.run([str(python), "-m", "pip", "install", "-q", str(wheel)], check=True, env=environment() | _pip())
    return str(folder / "env" / "bin" / "ytbuild")


def _pip() -> dict[str, str]:
    return {name: value for name, value in os.environ.items() if name.startswith("PIP_")}


def run(command: Command) -> float:
    """Run a command and return the seconds that it took."""
    command.prepare()
    started = time.perf_counter()
    subprocess.run(command.arguments, cwd=command.cwd, env=environment(), check=True, capture_output=True)
    return time.perf_counter() - started


def medians(first: Command, second: Command, runs: int) -> tuple[float, float]:
    """Run two commands in turns and return the median seconds of each."""
    times: tuple[list[float], list[float]] = ([], [])
    for _ in range(runs):
        times[0].append(run(first))
        times[1].append(run(second))
    return statistics.median(times[0]), statistics.median(times[1])


def quiet() -> None:
    """Wait until nothing that was written counts as just changed, and the machine has settled."""
    time.sleep(4)


def peak_memory(command: Command) -> int:
    """Run a command in a process of its own and return its peak memory in bytes."""
    command.prepare()
    script = (
        "import resource, subprocess, sys;"
        "subprocess.run(sys.argv[1:], check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL);"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, *command.arguments],
        cwd=command.cwd,
        env=environment(),
        check=True,
        capture_output=True,
        text=True,
    )
    return int(done.stdout) * 1024
