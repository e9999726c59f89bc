"""Figures kept from one run of the benchmarks to the next, and their table, commit by commit."""

from __future__ import annotations

import json
import os
import platform
import statistics
import subprocess
import time
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VARIABLE = "BENCH_RESULTS"
DEFAULT_FILE = ROOT / ".bench" / "results.jsonl"


@dataclass(frozen=True)
class Figure:
    """One measured ratio: `ours` over `peer`, at most `bar` when it is good; both in seconds, MiB or a count."""

    name: str
    ours: float
    peer: float
    bar: float
    unit: str = "×"

    @property
    def ratio(self) -> float:
        """How many times the peer."""
        return self.ours / self.peer

    @property
    def is_good(self) -> bool:
        """Whether the bar is met."""
        return self.ratio <= self.bar


@dataclass(frozen=True)
class Record:
    """A figure with the commit that it was measured at (`+`: and changes to it), the Python, and the time in UTC."""

    commit: str
    python: str
    time: str
    figure: Figure


def results_file(given: str | None) -> Path:
    """Return the file of the figures: the one given, else the one that BENCH_RESULTS names, else the default."""
    return Path(given or os.environ.get(VARIABLE) or DEFAULT_FILE)


def measured_now(figure: Figure) -> Record:
    """Return a figure with the commit that is checked out, this Python, and the time."""
    now = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    return Record(_commit(), platform.python_version(), now, figure)


def _commit() -> str:
    command = ["git", "describe", "--always", "--abbrev=9", "--exclude=*", "--dirty=+"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return done.stdout.strip() or "unknown"


def keep(path: Path, record: Record) -> None:
    """Append a record to a file, as one line of JSON; its folder is made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "a", encoding="utf-8") as file:
        file.write(json.dumps(asdict(record), ensure_ascii=False) + "\n")


def records(path: Path) -> list[Record]:
    """Return the records of a file, oldest first; none when there is no file."""
    if not path.exists():
        return []
    lines = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    return [Record(**(values | {"figure": Figure(**values["figure"])})) for values in lines]


def table(kept: Iterable[Record], commits: int) -> str:
    """Return a table of the last commits: a line for each figure, with the median of what each commit measured.

    `!` marks a ratio over its bar, `-` a figure that a commit did not measure.
    """
    by_commit: dict[str, dict[str, list[Figure]]] = defaultdict(lambda: defaultdict(list))
    newest: dict[str, Figure] = {}
    for record in kept:
        by_commit[record.commit][record.figure.name].append(record.figure)
        newest[record.figure.name] = record.figure
    columns = list(by_commit)[-commits:]
    lines = [["figure", "bar", *columns]]
    for name, figure in newest.items():
        lines.append([name, f"{figure.bar:g} {figure.unit}", *(_cell(by_commit[commit][name]) for commit in columns)])
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    return "\n".join(_aligned(line, widths) for line in lines)


def _cell(figures: list[Figure]) -> str:
    if not figures:
        return "-"
    ratio = statistics.median(figure.ratio for figure in figures)
    return f"{ratio:.2f}" + "!" * (ratio > figures[-1].bar)


def _aligned(cells: list[str], widths: list[int]) -> str:
    name, *others = (cell.rjust(width) for cell, width in zip(cells, widths, strict=True))
    return "  ".join([cells[0].ljust(len(name)), *others])
