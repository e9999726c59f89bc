"""What every test shares: a small pipeline on disk, and the real command line in a clean environment."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import support
from tests.support import Pipeline

pytest_plugins = ["tests.cluster.fixtures"]

_SLOWEST = (
    "tests/test_packaging.py",
    "tests/cluster/test_python_jobs.py",
    "tests/docs/test_how_to.py",
    "tests/examples/",
    "tests/jobenv/test_requirements.py",
    "tests/upload/",
    "tests/run/prod/",
    "tests/parity/",
)


def pytest_configure() -> None:
    """Let Ctrl-C reach what tests start: a shell without job control ignores it for what runs in its background."""
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the random ignore sets in tests/sources/test_ytignore_against_git.py."""
    parser.addoption("--ignore-sets", type=int, default=200, metavar="N", help="random .ytignore sets to try")
    parser.addoption("--ignore-seed", type=int, default=0, metavar="S", help="seed of the first of them")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Begin with the files that take longest: each runs in one process, and the others fill the gaps at the end."""
    if hasattr(config, "workerinput"):
        items.sort(key=lambda item: not item.nodeid.startswith(_SLOWEST))


@pytest.fixture(scope="session", autouse=True)
def own_fork_server() -> Iterator[None]:
    """End the process that commands are forks of, if there was one."""
    yield
    support.close_fork_server()


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A pipeline with one stage that has a mapper, and nothing else."""
    return Pipeline.create(tmp_path / "pipeline")
