"""What every test shares: a small pipeline on disk, and the real command line in a clean environment."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Pipeline


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A pipeline with one stage that has a mapper, and nothing else."""
    return Pipeline.create(tmp_path / "pipeline")
