"""README's console blocks print what they say."""

from __future__ import annotations

from pathlib import Path

from tests.cluster.running import Cluster
from tests.docs import console

README = Path(__file__).parents[2] / "README.md"


def steps_to_run(text: str) -> list[console.Step]:
    """Return the steps of all console blocks but those whose commands are all `make …`: they run for minutes."""
    found: list[console.Step] = []
    for block in console.blocks(text):
        if block.language == "console":
            commands = console.commands(block)
            if not all(command.text.startswith("make ") for command in commands):
                found += commands
    return found


def test_readme_prints_what_it_says(tmp_path: Path, cluster: Cluster) -> None:
    steps = steps_to_run(README.read_text(encoding="utf-8"))
    assert steps, "README.md has no console block to run"
    cluster.client().remove("//tmp/hello", recursive=True, force=True)
    found = console.failures(console.run(steps, tmp_path, installed=True, **cluster.environment), "README.md")
    assert not found, "\n\n".join(found)


def test_a_readme_without_a_block_is_noticed() -> None:
    assert steps_to_run("# Title\n\n```console\n$ make demo\n```\n\n```\n$ ytbuild run\n```\n") == []
    assert len(steps_to_run("```console\n$ make demo\n$ ls\n```\n")) == 2
