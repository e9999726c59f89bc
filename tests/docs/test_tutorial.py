"""The tutorial, command by command: everything in it prints what it says."""

from __future__ import annotations

from pathlib import Path

from tests.docs import console

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"


def test_the_tutorial_prints_what_it_says(tmp_path: Path) -> None:
    steps = console.steps(TUTORIAL.read_text(encoding="utf-8"))
    assert sum(isinstance(step, console.Command) for step in steps) > 10
    found = console.failures(console.run(steps, tmp_path), "docs/tutorial.md")
    assert not found, "\n\n".join(found)


def test_the_tutorial_says_what_every_command_of_ytbuild_prints() -> None:
    """A command without a line below it would be compared with nothing at all."""
    for step in console.steps(TUTORIAL.read_text(encoding="utf-8")):
        if isinstance(step, console.Command) and step.text.startswith("ytbuild "):
            assert step.expected, f"docs/tutorial.md:{step.line}"
