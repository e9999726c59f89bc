"""The how-to guide: every recipe, in a fresh pipeline, prints what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import console
from tests.docs.console import Command

HOW_TO = Path(__file__).parents[2] / "docs" / "how-to.md"


def recipes() -> dict[str, str]:
    """Return the text of each recipe by its heading, with the lines before it blank, so that numbers are right."""
    found: dict[str, str] = {}
    heading = ""
    for number, line in enumerate(HOW_TO.read_text(encoding="utf-8").splitlines()):
        if line.startswith("## "):
            heading = line.removeprefix("## ")
            found[heading] = "\n" * number
        if heading:
            found[heading] += line + "\n"
    return found


@pytest.mark.parametrize("heading", recipes())
def test_a_recipe_prints_what_it_says(tmp_path: Path, heading: str) -> None:
    fresh = Command(0, "ytbuild init -q hello && cd hello", ())
    steps = console.steps(recipes()[heading])
    assert any(isinstance(step, Command) for step in steps), "nothing to run"
    found = console.failures(console.run([fresh, *steps], tmp_path), "docs/how-to.md")
    assert not found, "\n\n".join(found)
