"""What every test shares: a small pipeline on disk, and the real command line in a clean environment."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import support
from tests.support import Pipeline

pytest_plugins = ["tests.cluster.fixtures"]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Options of the random ignore sets in tests/sources/test_ytignore_against_git.py."""
    parser.addoption("--ignore-sets", type=int, default=200, metavar="N", help="random .ytignore sets to try")
    parser.addoption("--ignore-seed", type=int, default=0, metavar="S", help="seed of the first of them")


@pytest.fixture(scope="session", autouse=True)
def own_fork_server() -> Iterator[None]:
    """End the process that commands are forks of, if there was one."""
    yield
    support.close_fork_server()


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A pipeline with one stage that has a mapper, and nothing else."""
    return Pipeline.create(tmp_path / "pipeline")
