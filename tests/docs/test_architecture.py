"""docs/architecture.md against the tree: its rooms are those of the house, in their order, and its files exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests import house
from tests.docs import pages

TEXT = pages.read(pages.DOCS / "architecture.md")
# What a user's pipeline has.
USERS_FILES = ("pipeline.py", "stage.py", "config.yaml", "configs/config.yaml", ".ytignore")


def room(path: str) -> str:
    """Return the name that tests/house.py has for a room that the page calls by its path."""
    return path.removesuffix("/").removesuffix(".py").replace("/", ".")


def test_the_rooms_of_the_page_are_those_of_the_house_in_their_order() -> None:
    lines = [tuple(room(path) for path in pages.code_spans(cells[0])) for cells in pages.rows(TEXT)]
    assert lines == list(house.ROOMS)


def test_every_room_has_one_sentence() -> None:
    for cells in pages.rows(TEXT):
        assert cells[1].endswith(".") and not re.search(r"\. [A-Z]", cells[1]), cells[1]


@pytest.mark.parametrize("page", [pages.DOCS / "architecture.md", pages.ROOT / "CONTRIBUTING.md"], ids=pages.shown)
def test_every_file_that_the_page_names_exists(page: Path) -> None:
    for path in pages.code_spans(pages.read(page)):
        if re.fullmatch(r"[\w/.-]+(\.(py|md|yaml)|/)", path) and path not in USERS_FILES:
            assert (house.PACKAGE / path).exists() or (house.ROOT / path).exists(), path
