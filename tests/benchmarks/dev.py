"""The figures of `ytbuild run` in dev: maps, a sort, and what a small run costs."""

from __future__ import annotations

import json
import random
import re
import shutil
import statistics
import subprocess
import time
from pathlib import Path

from tests.benchmarks.measure import Command, Session, environment, medians, peak_memory, quiet, run

_MIB = 1 << 20

_COPY = "import sys\nfor line in sys.stdin:\n    sys.stdout.write(line)\n"
_WORK = """\
import hashlib, sys
for line in sys.stdin:
    digest = line.encode()
    for _ in range(100):
        digest = hashlib.sha256(digest).digest()
    sys.stdout.write(line)
"""


def _pipeline(root: Path, operation: str, mapper: str = _COPY) -> Path:
    """Write a pipeline of one stage with one operation; return its folder."""
    (root / "configs").mkdir(parents=True)
    (root / "configs/config.yaml").write_text("stages:\n  enabled_stages: [only]\n")
    (root / "stages/only/src").mkdir(parents=True)
    (root / "stages/only/config.yaml").write_text(f"client:\n  operations:\n    {operation}\n")
    (root / "stages/only/src/mapper.py").write_text(mapper)
    (root / ".dev").mkdir()
    return root


def _rows(path: Path, count: int) -> None:
    """Write rows of about 200 bytes: numbers, texts, a fraction."""
    generator = random.Random(1)
    with open(path, "w", encoding="utf-8") as file:
        for number in range(count):
            row = {
                "id": number,
                "user": f"user-{generator.randrange(10**6)}",
                "score": generator.random(),
                "text": "x" * generator.randrange(60, 160),
                "good": number % 2 == 0,
            }
            file.write(json.dumps(row, separators=(",", ":")) + "\n")


def _operation_seconds(ytbuild: str, pipeline: Path, *stages: str) -> float:
    """Run a pipeline, or a stage of it, and return the seconds that its one operation says it took."""
    command = [ytbuild, "run", "--no-progress", *stages]
    done = subprocess.run(command, cwd=pipeline, env=environment(), check=True, capture_output=True, text=True)
    seconds = re.search(r"rows? in, .* out, ([\d.]+)s", done.stderr)
    assert seconds is not None, done.stderr
    return float(seconds.group(1))


def copying(session: Session, runs: int) -> bool:
    """A map that copies lines against the bare mapper."""
    pipeline = _pipeline(session.root / "copying", "map: {input_table: //b/rows, output_table: //b/out}")
    table = pipeline / ".dev/rows.jsonl"
    _rows(table, 1_000_000)
    shell = f"{session.python} stages/only/src/mapper.py < .dev/rows.jsonl > {session.root}/copied"
    peer = Command(["bash", "-c", shell], pipeline)
    _operation_seconds(session.ytbuild, pipeline), run(peer)
    quiet()
    pairs = [(_operation_seconds(session.ytbuild, pipeline), run(peer)) for _ in range(runs)]
    ours, theirs = (statistics.median(times) for times in zip(*pairs, strict=True))
    good = session.report("map of 1,000,000 rows / python3 mapper.py < in > out", ours, theirs, 1.3)
    shutil.rmtree(pipeline)
    return good


def two_jobs(session: Session, runs: int) -> bool:
    """A map with a mapper that computes: two jobs against one."""
    times: list[list[float]] = []
    pipelines: list[Path] = []
    for jobs in (1, 2):
        block = f"map: {{input_table: //b/rows, output_table: //b/out, resources: {{job_count: {jobs}}}}}"
        pipelines.append(_pipeline(session.root / f"jobs-{jobs}", block, _WORK))
        _rows(pipelines[-1] / ".dev/rows.jsonl", 100_000)
    quiet()
    for _ in range(runs):
        times.append([_operation_seconds(session.ytbuild, pipeline) for pipeline in pipelines])
    one, two = (statistics.median(column) for column in zip(*times, strict=True))
    return session.report("map with a mapper that computes, 2 jobs / 1 job", two, one, 1 / 1.7)


def sorting(session: Session, runs: int) -> bool:
    """A sort of whole rows against GNU sort of the key columns alone, and its memory."""
    pipeline = _pipeline(session.root / "sorting", "sort: {input_table: //b/work, sort_by: [key, n]}")
    # A table that a map wrote, as most are: one put there by hand would be checked first.
    shutil.copytree(pipeline / "stages/only", pipeline / "stages/fill")
    (pipeline / "stages/fill/config.yaml").write_text(
        "client:\n  operations:\n    map: {input_table: //b/rows, output_table: //b/work}\n"
    )
    (pipeline / "configs/config.yaml").write_text("stages:\n  enabled_stages: [fill, only]\n")
    fill = Command([session.ytbuild, "run", "-q", "fill"], pipeline)
    rows, keys = pipeline / ".dev/rows.jsonl", session.root / "keys.tsv"
    generator = random.Random(1)
    with open(rows, "w", encoding="utf-8") as file, open(keys, "w", encoding="utf-8") as columns:
        for number in range(2_000_000):
            key, n = f"k{generator.randrange(200_000)}", generator.randrange(-(10**6), 10**6)
            length = 1_000_000 if number % 500_000 == 7 else generator.randrange(40, 140)
            file.write(json.dumps({"key": key, "n": n, "text": "y" * length}, separators=(",", ":")) + "\n")
            columns.write(f"{key}\t{n}\n")
    shell = f"LC_ALL=C sort -t$'\\t' -k1,1 -k2,2n {keys} > {session.root}/keys.sorted"
    peer = Command(["bash", "-c", shell], pipeline)
    times: list[tuple[float, float]] = []
    for _ in range(runs):
        run(fill)
        time.sleep(1)
        times.append((_operation_seconds(session.ytbuild, pipeline, "only"), run(peer)))
    ours, theirs = (statistics.median(column) for column in zip(*times, strict=True))
    good = session.report("sort of 2,000,000 rows / GNU sort of the keys alone", ours, theirs, 2.5)
    run(fill)
    peak = peak_memory(Command([session.ytbuild, "run", "-q", "only"], pipeline))
    good &= session.report("  peak memory of that sort, MiB / 1", peak / _MIB, 1, 500, "MiB")
    shutil.rmtree(pipeline)
    return good


def small(session: Session, runs: int) -> bool:
    """A whole run of one small map against unpacking, running the mapper, and `ytbuild --help`."""
    pipeline = _pipeline(session.root / "small", "map: {input_table: //b/rows, output_table: //b/out}")
    _rows(pipeline / ".dev/rows.jsonl", 100)
    ours = Command([session.ytbuild, "run", "-q"], pipeline)
    run(ours)
    sandbox = session.root / "sandbox"
    sandbox.mkdir()
    shutil.copy(pipeline / ".build/source.tar.gz", sandbox)
    job = f"tar -xzf source.tar.gz && {session.python} stages/only/src/mapper.py"
    shell = f"{job} < {pipeline}/.dev/rows.jsonl > {session.root}/copied && {session.ytbuild} --help"
    quiet()
    return session.report(
        "whole run of a small map / (tar + mapper + --help)",
        *medians(ours, Command(["bash", "-c", shell], sandbox), runs),
        3,
    )


def figures(session: Session) -> bool:
    """Print all of them; return whether every bar is met."""
    good = small(session, 15)
    good &= copying(session, 7)
    good &= two_jobs(session, 3)
    return good & sorting(session, 5)
