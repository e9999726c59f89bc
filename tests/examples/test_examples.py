"""Every example does what its README shows: its commands, what they print, and the tables.

A table in a README is a ```json block below a line such as "`//tmp/hello_table/planets`:", one row a line.
"""

from __future__ import annotations

import hashlib
import json
import re
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from tests.docs import console
from tests.support import Pipeline

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
NAMES = sorted(path.name for path in EXAMPLES.iterdir() if path.is_dir())
NOT_COPIED = (".build", ".dev", "__pycache__", "secrets.env")
_TABLE = re.compile(r"`(?P<path>//\S+)`:")


@dataclass(frozen=True)
class Table(console.Command):
    """A table that a README shows: `text` prints it, `expected` holds its rows."""


@dataclass(frozen=True)
class Example:
    """A copy of an example after its README was followed, and the pipeline then ran once more.

    `tables` are those after the README, `tables_again` those after that second run.
    """

    pipeline: Pipeline
    commands: list[tuple[console.Command, console.Outcome]]
    shown_tables: list[tuple[Table, console.Outcome]]
    tables: dict[str, list[str]]
    second_run: CompletedProcess[str]
    tables_again: dict[str, list[str]]


def steps(text: str) -> list[console.Step]:
    """Return the commands of a README's console blocks and the tables that it shows, in their order."""
    lines = ["", "", *text.splitlines()]
    found: list[console.Step] = []
    for block in console.blocks(text):
        if block.language == "console":
            found += console.commands(block)
        elif block.language == "json":
            # The block's fence is lines[block.line + 1]; a blank line may stand between it and the table's path.
            table = _TABLE.fullmatch(lines[block.line] or lines[block.line - 1])
            assert table, f"line {block.line}: no line `//path/of/the/table`: before the rows"
            found.append(Table(block.line, f"ytbuild table {table['path']} -n 1000000 -q", block.lines))
    return found


def rows(lines: tuple[str, ...]) -> list[str]:
    """Return rows in one way of writing: JSON allows several. The order of their members stays."""
    return [json.dumps(json.loads(line), ensure_ascii=False) for line in lines]


def tables(root: Path) -> dict[str, list[str]]:
    """Return the lines of all tables' files."""
    return {path.name: path.read_text(encoding="utf-8").splitlines() for path in root.glob(".dev/*.jsonl")}


def content(folder: Path) -> dict[str, str]:
    """Return the hash of each file that belongs to the repository."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not {".build", ".dev"} & set(path.parts)
    }


@pytest.fixture(scope="module", autouse=True)
def repository() -> Iterator[None]:
    """The examples are as they were when all tests of this file have run."""
    before = content(EXAMPLES)
    yield
    assert content(EXAMPLES) == before


@pytest.fixture(scope="module", params=NAMES)
def example(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Example:
    """Each example in turn."""
    root = tmp_path_factory.mktemp("example") / request.param
    shutil.copytree(EXAMPLES / request.param, root, ignore=shutil.ignore_patterns(*NOT_COPIED))
    results = console.run(steps((root / "README.md").read_text(encoding="utf-8")), root)
    pipeline = Pipeline(root)
    return Example(
        pipeline,
        [(step, outcome) for step, outcome in results if not isinstance(step, Table)],
        [(step, outcome) for step, outcome in results if isinstance(step, Table)],
        tables(root),
        pipeline.run("run", "--strict", "-q"),
        tables(root),
    )


def test_the_commands_print_what_the_readme_says(example: Example) -> None:
    assert any("ytbuild run" in command.text for command, _ in example.commands), "no block shows how to run it"
    found = console.failures(example.commands, f"{example.pipeline.root.name}/README.md")
    assert not found, "\n\n".join(found)


def test_the_tables_are_those_of_the_readme(example: Example) -> None:
    for table, outcome in example.shown_tables:
        assert outcome.status == 0, f"README.md:{table.line}: {outcome.output}"
        assert rows(tuple(outcome.output.splitlines())) == rows(table.expected), f"README.md:{table.line}"


def test_nothing_is_warned_of_and_the_cluster_would_refuse_nothing(example: Example) -> None:
    assert not any("warning:" in outcome.output for _, outcome in example.commands)
    done = example.second_run
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_a_second_run_gives_the_same_tables(example: Example) -> None:
    assert example.tables_again == example.tables


def test_a_build_after_it_finds_everything_cached(example: Example) -> None:
    assert {target["state"] for target in example.pipeline.build()["targets"]} == {"cached"}


def test_a_run_leaves_nothing_beside_its_own_folders(example: Example) -> None:
    root = example.pipeline.root
    new = content(root).keys() - content(EXAMPLES / root.name).keys()
    assert new <= {"configs/secrets.env"}


def test_every_example_is_in_the_list_once() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^- \[(\w+)\]\(\1/\): ", text, re.MULTILINE)) == NAMES


def test_a_table_without_its_path_is_noticed() -> None:
    shown = '```json\n{"a": 1}\n```\n'
    assert [step.line for step in steps(f"`//tmp/x/a`:\n{shown}\n`//tmp/x/b`:\n\n{shown}")] == [2, 8]
    with pytest.raises(AssertionError, match="line 3"):
        steps(f"The table:\n\n{shown}")


def test_rows_that_differ_in_type_or_order_are_noticed() -> None:
    assert rows(('{"a":1,"b":"é"}',)) == rows(('{"a": 1, "b": "\\u00e9"}',))
    for other in ('{"a": 1.0, "b": "é"}', '{"b": "é", "a": 1}'):
        assert rows(('{"a":1,"b":"é"}',)) != rows((other,))
