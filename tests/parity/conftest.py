"""What the tests of both backends share: a folder on the cluster for the runs of a whole file."""

from __future__ import annotations

import pytest


@pytest.fixture(scope="module")
def folder(module_cypress: str) -> str:
    """A fresh folder on the cluster."""
    return module_cypress
