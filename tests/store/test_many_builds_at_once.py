"""Eight processes that build one pipeline at once, six times each."""

from __future__ import annotations

import hashlib
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.support import Pipeline, clean_environment
from tests.trees import built, digest, fill, fresh_archive, temporary_files
from ytbuild.graph.plan import Planner
from ytbuild.store.local import LocalStore

PROCESSES = 8
BUILDS = 6

WORKER = """
import sys, time
from ytbuild.build import build_archive
from ytbuild.graph.plan import Planner
root, stage, edits, start = sys.argv[1], sys.argv[2], sys.argv[3] == "edits", float(sys.argv[4])
time.sleep(max(0, start - time.time()))
for number in range(6):
    if edits:
        with open(f"{root}/stages/{stage}/src/vanilla.py", "w") as file:
            file.write(f"print({number!r})\\n")
    overrides = (f"stages.enabled_stages=[{stage}]",) if edits else ()
    print(build_archive(Planner(root, None, overrides)).key, flush=True)
"""


def made(root: Path) -> Pipeline:
    """Make a pipeline with a stage for each process and a folder that all of them ship."""
    pipeline = Pipeline.create(root)
    names = [f"s{number}" for number in range(PROCESSES)]
    pipeline.configure("upload_paths: [{source: lib}]", stages=f"[{', '.join(names)}]")
    fill(pipeline, "lib", count=100, size=10_000)
    for name in names:
        pipeline.write(f"stages/{name}/config.yaml", "client: {operations: {}}\n")
        pipeline.write(f"stages/{name}/src/vanilla.py", "print()\n")
    return pipeline


@dataclass(frozen=True)
class Run:
    """What all the processes said: their exit codes, the keys that they built, their stderr."""

    pipeline: Pipeline
    codes: list[int]
    keys: list[str]
    said: str


def run(root: Path, edits: str) -> Run:
    """Let all processes build; with "edits" each ships a stage that no other does, and changes it every time."""
    pipeline = made(root)
    start = str(time.time() + 1.5)
    workers = [
        subprocess.Popen(
            [sys.executable, "-c", WORKER, str(pipeline.root), f"s{number}", edits, start],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=clean_environment(),
        )
        for number in range(PROCESSES)
    ]
    answers = [worker.communicate() for worker in workers]
    keys = [key for out, _ in answers for key in out.split()]
    return Run(
        pipeline, [worker.returncode for worker in workers], keys, "".join(problems for _, problems in answers)
    )


@pytest.fixture(scope="module")
def same(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("same") / "pipeline", "nothing")


@pytest.fixture(scope="module")
def edited(tmp_path_factory: pytest.TempPathFactory) -> Run:
    return run(tmp_path_factory.mktemp("edited") / "pipeline", "edits")


@pytest.fixture(params=["same", "edited"])
def either(request: pytest.FixtureRequest) -> Run:
    """Both runs, one after the other."""
    result: Run = request.getfixturevalue(request.param)
    return result


def test_all_builds_at_once_succeed(either: Run) -> None:
    assert either.codes == [0] * PROCESSES, either.said
    assert len(either.keys) == PROCESSES * BUILDS


def test_builds_at_once_of_the_same_tree_give_one_archive(same: Run) -> None:
    assert len(set(same.keys)) == 1
    assert same.pipeline.archive().samefile(same.pipeline.root / ".build" / "archives" / f"{same.keys[0]}.tar.gz")


def test_builds_at_once_of_different_trees_lose_no_archive(edited: Run) -> None:
    planner = Planner(str(edited.pipeline.root))
    store = LocalStore(planner.build_dir, planner.index)
    assert len(set(edited.keys)) == PROCESSES * BUILDS
    assert [key for key in edited.keys if store.find(key) is None] == []


def test_newest_archive_after_builds_at_once_is_one_of_them(edited: Run) -> None:
    newest = [key for key in edited.keys if edited.pipeline.archive().samefile(archive_of(edited, key))]
    assert len(newest) == 1


def archive_of(done: Run, key: str) -> Path:
    return done.pipeline.root / ".build" / "archives" / f"{key}.tar.gz"


def test_builds_at_once_leave_no_temporary_file(either: Run) -> None:
    assert temporary_files(either.pipeline) == []


def test_a_build_after_builds_at_once_is_that_of_a_fresh_tree(either: Run, tmp_path: Path) -> None:
    built(either.pipeline)
    assert (
        digest(either.pipeline.archive())
        == hashlib.sha256(fresh_archive(either.pipeline, tmp_path / "f")).hexdigest()
    )
