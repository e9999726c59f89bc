"""The tutorial, command by command: everything in it prints what it says."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.running import Cluster
from tests.docs import console

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
LAST_CHAPTER = "## Run it on a cluster\n"


def check(text: str, folder: Path, **variables: str) -> None:
    """Follow a text and compare."""
    found = console.failures(console.run(console.steps(text), folder, **variables), "docs/tutorial.md")
    assert not found, "\n\n".join(found)


def test_the_tutorial_prints_what_it_says_without_a_cluster(tmp_path: Path) -> None:
    text = TUTORIAL.read_text(encoding="utf-8").partition(LAST_CHAPTER)[0]
    steps = console.steps(text)
    assert sum(isinstance(step, console.Command) for step in steps) > 10
    assert not console.needs_cluster(steps)
    check(text, tmp_path)


def test_the_whole_tutorial_prints_what_it_says(tmp_path: Path, cluster: Cluster) -> None:
    text = TUTORIAL.read_text(encoding="utf-8")
    assert console.needs_cluster(console.steps(text.partition(LAST_CHAPTER)[2]))
    cluster.client().remove("//tmp/hello", recursive=True, force=True)
    check(text, tmp_path, **cluster.environment)


def test_the_tutorial_says_what_every_command_of_ytbuild_prints() -> None:
    """A command without a line below it would be compared with nothing at all."""
    for step in console.steps(TUTORIAL.read_text(encoding="utf-8")):
        if isinstance(step, console.Command) and step.text.startswith("ytbuild "):
            assert step.expected, f"docs/tutorial.md:{step.line}"
