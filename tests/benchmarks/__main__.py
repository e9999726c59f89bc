"""The figures: ratios against a peer command in the same run, ours from an installed wheel.

Exits with 1 when a bar is missed.
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from tests.benchmarks import dev, history, upload
from tests.benchmarks.inputs import make_pipeline, make_tree
from tests.benchmarks.measure import Command, Session, environment, installed, medians, peak_memory, quiet, run

TABLES = ("build", "dev", "upload")
_MIB = 1 << 20


def unchanged(session: Session, files: int, size: int, bar: float, runs: int) -> bool:
    """An unchanged build against `git status` of the same tree."""
    pipeline = session.root / f"unchanged-{files}"
    make_tree(make_pipeline(pipeline), files, size)
    repository = session.root / f"git-{files}"
    shutil.copytree(pipeline / "big", repository)
    git = ["git", "-c", "user.name=b", "-c", "user.email=b@localhost", "-c", "gc.auto=0", "-C", str(repository)]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True, env=environment())
    quiet()
    build = Command([session.ytbuild, "build", "-q"], pipeline)
    status = Command(["git", "status"], repository)
    for command in (build, build, status, status):
        run(command)
    return session.report(f"unchanged build, {files:,} files / git status", *medians(build, status, runs), bar)


def first(session: Session, runs: int) -> bool:
    """A first build against GNU tar and gzip, its size, and what one changed line costs."""
    pipeline = session.root / "first"
    big = make_pipeline(pipeline)
    make_tree(big, 10_000, 20 * 1000 * 1000)
    quiet()
    build_dir = pipeline / ".build"
    packed = session.root / "peer.tar.gz"
    shell = f"tar --sort=name -cf - big | gzip -6 > {packed}"
    fresh = Command([session.ytbuild, "build", "-q"], pipeline, lambda: shutil.rmtree(build_dir, ignore_errors=True))
    peer = Command(["bash", "-c", shell], pipeline)
    run(fresh), run(peer)
    ours, theirs = medians(fresh, peer, runs)
    good = session.report("first build, 10,000 files / 20 MB / tar | gzip -6", ours, theirs, 0.6)
    archive = os.path.getsize(build_dir / "source.tar.gz")
    good &= session.report("  size of that archive / tar.gz", archive / _MIB, os.path.getsize(packed) / _MIB, 1.02)

    generator = random.Random(1)
    files = sorted(big.rglob("*.py"))

    def edit() -> None:
        with open(generator.choice(files), "a", encoding="utf-8") as file:
            file.write(f"# line {generator.random()}\n")

    quiet()
    same = Command([session.ytbuild, "build", "-q"], pipeline)
    run(same), run(same)
    changed, idle = medians(Command(same.arguments, pipeline, edit), same, 4 * runs + 1)
    return good & session.report("one line changed: (build - unchanged) / first build", changed - idle, ours, 0.25)


def memory(session: Session) -> bool:
    """Peak memory of a pipeline that holds a file of 2 GB."""
    pipeline = session.root / "memory"
    big = make_pipeline(pipeline)
    block = os.urandom(_MIB)
    with open(big / "model.bin", "wb") as file:
        for number in range(2048):
            file.write(number.to_bytes(8) + block[8:])
    peak = peak_memory(Command([session.ytbuild, "build", "-q"], pipeline))
    good = session.report("peak memory with a 2 GB file, MiB / 1", peak / _MIB, 1, 300, "MiB")
    shutil.rmtree(pipeline)
    return good


def start(session: Session) -> bool:
    """`ytbuild --help` against a bare interpreter, in seconds over it."""
    helping, bare = medians(
        Command([session.ytbuild, "--help"], session.root), Command([session.python, "-c", "pass"], session.root), 15
    )
    return session.report("ytbuild --help: seconds over a bare interpreter / 1", helping - bare, 1, 0.15, "s")


def figures(session: Session, tables: Iterable[str], *, large: bool) -> bool:
    """Print the tables that are named; return whether every bar is met."""
    good = True
    if "build" in tables:
        good &= start(session)
        good &= unchanged(session, 10_000, 20 * 1000 * 1000, 8, 15)
        good &= first(session, 5)
        good &= memory(session)
    if "build" in tables and large:
        good &= unchanged(session, 100_000, 200 * 1000 * 1000, 5, 5)
    if "dev" in tables:
        good &= dev.figures(session)
    if "upload" in tables:
        good &= upload.figures(session)
    return good


def parser() -> argparse.ArgumentParser:
    """Return the parser of the command line."""
    options = argparse.ArgumentParser("python -m tests.benchmarks", description=__doc__)
    options.add_argument("table", nargs="*", help=f"{', '.join(TABLES)} (default: all)")
    options.add_argument("--large", action="store_true", help="build a tree of 100,000 files as well")
    options.add_argument(
        "--results", metavar="FILE", help=f"keep figures here (default: ${history.VARIABLE}, or .bench/)"
    )
    options.add_argument("--history", action="store_true", help="measure nothing, show the figures that were kept")
    options.add_argument(
        "--commits", type=int, default=8, metavar="N", help="with --history: the last N (default: 8)"
    )
    return options


def main() -> int:
    """Print figures and keep them, or show those that were kept; return the exit code."""
    options = parser().parse_args()
    unknown = sorted(set(options.table) - set(TABLES))
    if unknown:
        parser().error(f"there is no table {unknown[0]}; the tables are {', '.join(TABLES)}")
    path = history.results_file(options.results)
    if options.history:
        print(history.table(history.records(path), options.commits))
        return 0
    with tempfile.TemporaryDirectory(prefix="ytbuild-bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        session = Session(installed(root), root, lambda figure: history.keep(path, history.measured_now(figure)))
        good = figures(session, options.table or TABLES, large=options.large)
    print(f"kept in {path}; all of them: make bench-history")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
