"""Test helpers: each example's one run in dev, which follows its README, and its one run on a cluster.

A table in a README is a ```json block below a line such as "`//tmp/hello_table/planets`:", one row a line.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from tests.cluster.running import Cluster, RealCluster
from tests.docs import console
from tests.parity.both import Ran, dev_tables, in_prod
from tests.support import Pipeline

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
# The stand-in runs no SQL; tests/parity/test_yql_rows.py has the rows that YQL gives.
ON_BOTH = [name for name in NAMES if name != "yql" or RealCluster.from_environment()]

_NOT_COPIED = (".build", ".dev", "__pycache__", "secrets.env")
_TABLE = re.compile(r"`(?P<path>//\S+)`:")
# Runs here fail, too, where dev only warns of what the cluster would refuse.
_STRICT = 'ytbuild() { [[ " $* " = *" run "* ]] && set -- "$@" --strict; command ytbuild "$@"; }'


@dataclass(frozen=True)
class Table(console.Command):
    """A table that a README shows: `text` prints it, `expected` holds its rows."""


@dataclass(frozen=True)
class Followed:
    """A copy of an example after its README was followed: what its commands and the tables it shows printed."""

    pipeline: Pipeline
    commands: list[tuple[console.Command, console.Outcome]]
    shown_tables: list[tuple[Table, console.Outcome]]

    def ran(self, folder: str) -> Ran:
        """Return its first run, with the tables as the README leaves them, as if all lay below another folder."""
        (command, outcome) = next(each for each in self.commands if each[0].text.startswith("ytbuild run"))
        result = subprocess.CompletedProcess(command.text, outcome.status, "", moved(outcome.output, folder))
        tables = dev_tables(self.pipeline.root)
        return Ran(result, {moved(path, folder): rows for path, rows in tables.items()})


def moved(text: str, folder: str) -> str:
    """Return a text with all paths of tables below another folder than the examples have."""
    return text.replace("//tmp/", f"{folder}/").replace("//home/examples/", f"{folder}/")


def steps(text: str) -> list[console.Step]:
    """Return the commands of a README's console blocks and the tables that it shows, in their order."""
    lines = ["", "", *text.splitlines()]
    todo: list[console.Step] = []
    for block in console.blocks(text):
        if block.language == "console":
            todo += console.commands(block)
        elif block.language == "json":
            # The block's fence is lines[block.line + 1]; a blank line may stand between it and the table's path.
            table = _TABLE.fullmatch(lines[block.line] or lines[block.line - 1])
            assert table, f"line {block.line}: no line `//path/of/the/table`: before the rows"
            todo.append(Table(block.line, f"ytbuild table {table['path']} -n 1000000 -q", block.lines))
    return todo


def follow(root: Path) -> Followed:
    """Follow the README of the example with this folder's name in a copy there."""
    shutil.copytree(EXAMPLES / root.name, root, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    todo = steps((root / "README.md").read_text(encoding="utf-8"))
    _, *results = console.run([console.Command(0, _STRICT, ()), *todo], root)
    return Followed(
        Pipeline(root),
        [(step, outcome) for step, outcome in results if not isinstance(step, Table)],
        [(step, outcome) for step, outcome in results if isinstance(step, Table)],
    )


def run_in_prod(root: Path, cluster: Cluster | RealCluster, folder: str) -> Ran:
    """Run a copy of the example with this folder's name on a cluster, all its tables moved below a folder there."""
    shutil.copytree(EXAMPLES / root.name, root, ignore=shutil.ignore_patterns(*_NOT_COPIED))
    for path in [*root.rglob("*.py"), *root.rglob("*.yaml")]:
        path.write_text(moved(path.read_text(encoding="utf-8"), folder), encoding="utf-8")
    if (root / "configs/secrets.env.example").exists():
        shutil.copy(root / "configs/secrets.env.example", root / "configs/secrets.env")
    return in_prod(Pipeline(root), cluster, f"{folder}/{root.name}")


def rows(lines: tuple[str, ...]) -> list[str]:
    """Return rows in one way of writing: JSON allows several. The order of their members stays."""
    return [json.dumps(json.loads(line), ensure_ascii=False) for line in lines]


def content(folder: Path) -> dict[str, str]:
    """Return the hash of each file that belongs to the repository."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not {".build", ".dev"} & set(path.parts)
    }
