"""The figures: `python -m tests.benchmarks [build] [dev] [upload] [--large]`.

Prints ratios; exits with 1 when a bar is missed. Every figure is a ratio against a peer command in the same run. Ours
runs from an installed wheel.
"""

from __future__ import annotations

import os
import random
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from tests.benchmarks import dev, upload
from tests.benchmarks.inputs import make_pipeline, make_tree
from tests.benchmarks.measure import Command, environment, installed, medians, peak_memory, quiet, report, run

_MIB = 1 << 20


def unchanged(ytbuild: str, root: Path, files: int, size: int, bar: float, runs: int) -> bool:
    """An unchanged build against `git status` of the same tree."""
    pipeline = root / f"unchanged-{files}"
    make_tree(make_pipeline(pipeline), files, size)
    repository = root / f"git-{files}"
    shutil.copytree(pipeline / "big", repository)
    git = ["git", "-c", "user.name=b", "-c", "user.email=b@localhost", "-c", "gc.auto=0", "-C", str(repository)]
    for arguments in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "x"]):
        subprocess.run([*git, *arguments], check=True, env=environment())
    quiet()
    build = Command([ytbuild, "build", "-q"], pipeline)
    status = Command(["git", "status"], repository)
    for command in (build, build, status, status):
        run(command)
    return report(f"unchanged build, {files:,} files / git status", *medians(build, status, runs), bar)


def first(ytbuild: str, root: Path, runs: int) -> bool:
    """A first build against GNU tar and gzip, its size, and what one changed line costs."""
    pipeline = root / "first"
    big = make_pipeline(pipeline)
    make_tree(big, 10_000, 20 * 1000 * 1000)
    quiet()
    build_dir = pipeline / ".build"
    packed = root / "peer.tar.gz"
    shell = f"tar --sort=name -cf - big | gzip -6 > {packed}"
    fresh = Command([ytbuild, "build", "-q"], pipeline, lambda: shutil.rmtree(build_dir, ignore_errors=True))
    peer = Command(["bash", "-c", shell], pipeline)
    run(fresh), run(peer)
    ours, theirs = medians(fresh, peer, runs)
    good = report("first build, 10,000 files / 20 MB / tar | gzip -6", ours, theirs, 0.6)
    archive = os.path.getsize(build_dir / "source.tar.gz")
    good &= report("  its archive's size / tar.gz", archive / _MIB, os.path.getsize(packed) / _MIB, 1.02)

    generator = random.Random(1)
    files = sorted(big.rglob("*.py"))

    def edit() -> None:
        with open(generator.choice(files), "a", encoding="utf-8") as file:
            file.write(f"# line {generator.random()}\n")

    quiet()
    same = Command([ytbuild, "build", "-q"], pipeline)
    run(same), run(same)
    changed, idle = medians(Command(same.arguments, pipeline, edit), same, 4 * runs + 1)
    return good & report("one line changed: (build - unchanged) / first build", changed - idle, ours, 0.25)


def memory(ytbuild: str, root: Path) -> bool:
    """Peak memory of a pipeline that holds a file of 2 GB."""
    pipeline = root / "memory"
    big = make_pipeline(pipeline)
    block = os.urandom(_MIB)
    with open(big / "model.bin", "wb") as file:
        for number in range(2048):
            file.write(number.to_bytes(8) + block[8:])
    peak = peak_memory(Command([ytbuild, "build", "-q"], pipeline))
    good = report("peak memory with a 2 GB file, MiB / 1", peak / _MIB, 1, 300, "MiB")
    shutil.rmtree(pipeline)
    return good


def start(ytbuild: str, root: Path) -> bool:
    """`ytbuild --help` against a bare interpreter, in seconds over it."""
    python = os.path.join(os.path.dirname(ytbuild), "python")
    helping, bare = medians(Command([ytbuild, "--help"], root), Command([python, "-c", "pass"], root), 15)
    return report("ytbuild --help: seconds over a bare interpreter / 1", helping - bare, 1, 0.15, "s")


def main() -> int:
    """Print the tables that are named, all without a name; `--large` adds the tree of 100,000 files."""
    named = {argument for argument in sys.argv[1:] if not argument.startswith("-")} or {"build", "dev", "upload"}
    with tempfile.TemporaryDirectory(prefix="ytbuild-bench-", ignore_cleanup_errors=True) as folder:
        root = Path(folder)
        ytbuild = installed(root)
        good = True
        if "build" in named:
            good &= start(ytbuild, root)
            good &= unchanged(ytbuild, root, 10_000, 20 * 1000 * 1000, 8, 15)
            good &= first(ytbuild, root, 5)
            good &= memory(ytbuild, root)
        if "build" in named and "--large" in sys.argv[1:]:
            good &= unchanged(ytbuild, root, 100_000, 200 * 1000 * 1000, 5, 5)
        if "dev" in named:
            good &= dev.figures(ytbuild, root)
        if "upload" in named:
            good &= upload.figures(ytbuild, root)
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
