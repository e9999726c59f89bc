"""Builds that are killed at any moment: the last good archive stays, and the next build succeeds."""

from __future__ import annotations

import os
import random
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import SimpleNamespace

import pytest
from xxhash import xxh3_128_hexdigest

from tests.store.workers import Builder, builder
from tests.support import Pipeline
from tests.trees import built, digest, fill, fresh_archive, summary, temporary_files
from ytbuild.archive import manifest
from ytbuild.store import trim

KILLS = 50
COMPARED_EVERY = 10


@dataclass
class Killed:
    """What was seen while a pipeline's builds were killed."""

    pipeline: Pipeline
    in_time: int = 0
    not_whole: list[str] = field(default_factory=list)
    failed: list[str] = field(default_factory=list)
    different: list[str] = field(default_factory=list)
    left_behind: set[str] = field(default_factory=set)


def edit(pipeline: Pipeline, source: random.Random) -> None:
    """Change one file in four, so that most chunks have to be compressed."""
    for path in sorted((pipeline.root / "lib").rglob("*.py")):
        if source.random() < 0.25:
            data = path.read_bytes()
            path.write_bytes(b"# %d\n" % source.randrange(1 << 40) + data[-20_000:])


def fault(pipeline: Pipeline, name: str) -> str:
    """Return what is wrong with an archive of `.build` that has a fixed name, or nothing."""
    path = pipeline.root / ".build" / name
    if not path.exists():
        return ""
    digest = xxh3_128_hexdigest(path.read_bytes())
    known = set()
    for stored in (pipeline.root / ".build" / "manifests").glob("*.json"):
        known.add(manifest.decode(stored.read_bytes()).summary.hash)
    return "" if digest in known else f"{name} is no whole archive"


def kill_builds(seen: Killed, runner: Builder, elsewhere: Path) -> None:
    """Kill fifty builds at random moments between their start and their end, and look after each."""
    source = random.Random(77)
    pipeline = seen.pipeline
    duration = 0.0
    for _ in range(2):
        edit(pipeline, source)
        started = time.monotonic()
        runner.start()
        assert runner.end() == 0
        duration = time.monotonic() - started
    for number in range(1, KILLS + 1):
        edit(pipeline, source)
        seen.in_time += runner.killed_after(source.random() * duration) == -signal.SIGKILL
        seen.left_behind.update(temporary_files(pipeline))
        if problem := fault(pipeline, "source.tar.gz"):
            seen.not_whole.append(f"{number}: {problem}")
        if number % COMPARED_EVERY == 0:
            runner.start()
            if runner.end() != 0:
                seen.failed.append(f"{number}")
            elif pipeline.archive().read_bytes() != fresh_archive(pipeline, elsewhere / str(number)):
                seen.different.append(f"{number}")


@pytest.fixture(scope="module")
def killed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Killed]:
    folder = tmp_path_factory.mktemp("killed")
    pipeline = Pipeline.create(folder / "pipeline")
    pipeline.configure("upload_paths: [{source: lib}]")
    fill(pipeline, "lib", count=300, size=20_000)
    seen = Killed(pipeline)
    with builder(pipeline) as runner:
        kill_builds(seen, runner, folder)
    yield seen


def test_most_builds_were_killed_before_they_ended(killed: Killed) -> None:
    assert killed.in_time > KILLS // 3
    assert killed.left_behind, "no build was killed while it was writing: the test tests nothing"


def test_newest_archive_is_whole_after_every_kill(killed: Killed) -> None:
    assert killed.not_whole == []


def test_build_after_kills_succeeds(killed: Killed) -> None:
    assert killed.failed == []


def test_build_after_kills_gives_the_archive_of_a_fresh_build(killed: Killed) -> None:
    assert killed.different == []


def test_build_removes_what_killed_builds_left_once_it_is_old(
    killed: Killed, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(trim, "time", SimpleNamespace(time=lambda: time.time() + 120))
    killed.pipeline.write("stages/first/src/one_more.py", "1\n")
    built(killed.pipeline)
    assert temporary_files(killed.pipeline) == []


def test_every_archive_that_killed_builds_finished_is_what_its_manifest_says(killed: Killed) -> None:
    folder = killed.pipeline.root / ".build"
    for path in (folder / "manifests").glob("*.json"):
        stored = manifest.decode(path.read_bytes()).summary
        archive = folder / "archives" / f"{path.stem}.tar.gz"
        assert (stored.key, stored.hash) == (path.stem, xxh3_128_hexdigest(archive.read_bytes()))


@pytest.fixture
def slow(pipeline: Pipeline) -> Pipeline:
    """A built pipeline that has ten chunks to compress by now."""
    built(pipeline)
    pipeline.configure("upload_paths: [{source: data}]")
    for number in range(10):
        pipeline.write(f"data/{number}", random.Random(number).randbytes(1_100_000))
    return pipeline


def start_and_wait(runner: Builder, pipeline: Pipeline) -> int:
    """Start a build, wait until it is writing the archive, and return its process id."""
    child = runner.start()
    deadline = time.monotonic() + 30
    while not any(name.startswith("archives/") for name in temporary_files(pipeline)):
        assert time.monotonic() < deadline
        time.sleep(0.001)
    return child


@pytest.mark.parametrize("delay", [0.0, 0.03, 0.1])
def test_an_interrupted_build_exits_130_and_leaves_no_temporary_file(slow: Pipeline, delay: float) -> None:
    before = digest(slow.archive())
    with builder(slow, pause=0.2) as runner:
        child = start_and_wait(runner, slow)
        time.sleep(delay)
        os.kill(child, signal.SIGINT)
        assert runner.end() == 130
    assert temporary_files(slow) == []
    assert digest(slow.archive()) == before


def test_a_terminated_build_leaves_the_last_archive(slow: Pipeline) -> None:
    before = digest(slow.archive())
    with builder(slow, pause=0.2) as runner:
        child = start_and_wait(runner, slow)
        os.kill(child, signal.SIGTERM)
        assert runner.end() != 0
    assert digest(slow.archive()) == before
    assert summary(slow).hash == xxh3_128_hexdigest(slow.archive().read_bytes())
