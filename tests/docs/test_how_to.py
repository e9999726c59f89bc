"""The how-to guide: every recipe, in a fresh pipeline, prints what it says."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.cluster.running import Cluster
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


STEPS = {heading: console.steps(text) for heading, text in recipes().items()}
ON_A_CLUSTER = [heading for heading, steps in STEPS.items() if console.needs_cluster(steps)]
HERE = [heading for heading in STEPS if heading not in ON_A_CLUSTER]


@pytest.fixture(scope="module")
def new(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A pipeline as `ytbuild init` makes it. No test may change it."""
    folder = tmp_path_factory.mktemp("new")
    console.run([Command(0, "ytbuild init -q hello", ())], folder)
    return folder / "hello"


@pytest.fixture
def fresh(new: Path, tmp_path: Path) -> Path:
    """A copy of it."""
    return Path(shutil.copytree(new, tmp_path / "hello", symlinks=True))


def check(heading: str, folder: Path, **variables: str) -> None:
    """Follow a recipe and compare."""
    steps = STEPS[heading]
    assert any(isinstance(step, Command) for step in steps), "nothing to run"
    differences = console.failures(console.run(steps, folder, **variables), "docs/how-to.md")
    assert not differences, "\n\n".join(differences)


@pytest.mark.parametrize("heading", HERE)
def test_a_recipe_prints_what_it_says(fresh: Path, heading: str) -> None:
    check(heading, fresh)


@pytest.mark.parametrize("heading", ON_A_CLUSTER)
def test_a_recipe_for_a_cluster_prints_what_it_says(fresh: Path, cluster: Cluster, heading: str) -> None:
    cluster.keeper.remove("//tmp/hello", recursive=True, force=True)
    check(heading, fresh, **cluster.environment)


def test_only_the_recipes_for_a_cluster_need_one() -> None:
    """The text above them says from which on."""
    first = list(STEPS).index("Run a pipeline on a cluster")
    assert set(ON_A_CLUSTER) <= set(list(STEPS)[first:])
    assert len(ON_A_CLUSTER) > 4
