"""The tutorial, command by command: everything in it prints what it says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.cluster.running import Cluster, RealCluster
from tests.docs import console

TUTORIAL = Path(__file__).parents[2] / "docs" / "tutorial.md"
LAST_CHAPTER = "## Run it on a cluster\n"

Results = list[tuple[console.Command, console.Outcome]]


def chapters() -> tuple[str, str]:
    """Return the tutorial up to the chapter that needs a cluster, and that chapter with blank lines before it."""
    before, heading, last = TUTORIAL.read_text(encoding="utf-8").partition(LAST_CHAPTER)
    assert heading
    return before, "\n" * before.count("\n") + heading + last


@pytest.fixture(scope="module")
def followed(
    tmp_path_factory: pytest.TempPathFactory, running_cluster: Cluster | RealCluster
) -> tuple[Results, Results]:
    """What both parts did, in one shell that knows of no cluster before the last chapter, and of a stand-in there."""
    before, last = map(console.steps, chapters())
    folder = tmp_path_factory.mktemp("tutorial")
    if not isinstance(running_cluster, Cluster):
        return console.run(before, folder), []
    running_cluster.keeper.remove("//tmp/hello", recursive=True, force=True)
    variables = " ".join(f"{name}={value}" for name, value in running_cluster.environment.items())
    export = console.Command(0, f"export {variables}", ())
    commands = sum(isinstance(step, console.Command) for step in before)
    results = console.run([*before, export, *last], folder)
    return results[:commands], results[commands + 1 :]


def check(results: Results) -> None:
    """Compare what commands did with what the tutorial says."""
    differences = console.failures(results, "docs/tutorial.md")
    assert not differences, "\n\n".join(differences)


def test_the_tutorial_prints_what_it_says_without_a_cluster(followed: tuple[Results, Results]) -> None:
    assert len(followed[0]) > 10
    assert not console.needs_cluster(console.steps(chapters()[0]))
    check(followed[0])


@pytest.mark.usefixtures("cluster")
def test_the_chapter_on_a_cluster_prints_what_it_says(followed: tuple[Results, Results]) -> None:
    assert console.needs_cluster(console.steps(chapters()[1]))
    check(followed[1])


def test_the_tutorial_says_what_every_command_of_ytbuild_prints() -> None:
    """A command without a line below it would be compared with nothing at all."""
    for step in console.steps(TUTORIAL.read_text(encoding="utf-8")):
        if isinstance(step, console.Command) and step.text.startswith("ytbuild "):
            assert step.expected, f"docs/tutorial.md:{step.line}"
