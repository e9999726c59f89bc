"""Every example does what its README shows, and does the same on a cluster.

Each runs once in dev, where its README is followed, and once in prod; all tests share these two runs. The rows of a
table are compared in their order only where that is promised: after `write_table` and after a sort. The cluster joins
what the jobs of an operation wrote in an order of its own.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Any

import pytest

from tests.cluster.running import Cluster, RealCluster
from tests.docs import console
from tests.examples import runs
from tests.examples.runs import EXAMPLES, NAMES, ON_BOTH, Followed
from tests.parity.both import Ran, at_once, check_same

ORDERED = (
    *("custom_upload/titles", "debug_between_stages/customers", "debug_between_stages/orders", "map/readings"),
    *("debug_between_stages/invoices", "hello_table/planets", "map_reduce/lines", "reduce/payments", "yql/books"),
    *("several_configs/calendar", "several_operations/prices", "yql/january", "yql/february"),
)


@dataclass(frozen=True)
class Both:
    """An example on both backends; the tables of all examples lie below `folder`."""

    name: str
    folder: str
    dev: Ran
    prod: Ran


@pytest.fixture(scope="module", autouse=True)
def repository() -> Iterator[None]:
    """The examples are as they were when all tests of this file have run."""
    before = runs.content(EXAMPLES)
    yield
    assert runs.content(EXAMPLES) == before


@pytest.fixture(scope="module")
def followed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Future[Followed]]]:
    """All examples, their READMEs being followed."""
    place = tmp_path_factory.mktemp("dev")
    with at_once() as pool:
        yield {name: pool.submit(runs.follow, place / name) for name in NAMES}


@pytest.fixture(scope="module")
def in_prod(
    tmp_path_factory: pytest.TempPathFactory, running_cluster: Cluster | RealCluster, module_cypress: str
) -> Iterator[dict[str, Future[Ran]]]:
    """All examples that run on both, running on a cluster."""
    place = tmp_path_factory.mktemp("prod")
    with at_once() as pool:
        yield {name: pool.submit(runs.run_in_prod, place / name, running_cluster, module_cypress) for name in ON_BOTH}


@pytest.fixture(params=NAMES)
def example(request: pytest.FixtureRequest, followed: dict[str, Future[Followed]]) -> Followed:
    """Each example in turn."""
    return followed[request.param].result()


@pytest.fixture(params=ON_BOTH)
def both(
    request: pytest.FixtureRequest,
    followed: dict[str, Future[Followed]],
    in_prod: dict[str, Future[Ran]],
    module_cypress: str,
) -> Both:
    """Each example that runs on both backends in turn."""
    name = request.param
    return Both(name, module_cypress, followed[name].result().ran(module_cypress), in_prod[name].result())


# What the README says


def test_the_commands_print_what_the_readme_says(example: Followed) -> None:
    assert any("ytbuild run" in command.text for command, _ in example.commands), "no block shows how to run it"
    differences = console.failures(example.commands, f"{example.pipeline.root.name}/README.md")
    assert not differences, "\n\n".join(differences)


def test_the_tables_are_those_of_the_readme(example: Followed) -> None:
    for table, outcome in example.shown_tables:
        assert outcome.status == 0, f"README.md:{table.line}: {outcome.output}"
        assert runs.rows(tuple(outcome.output.splitlines())) == runs.rows(table.expected), f"README.md:{table.line}"


def test_nothing_is_warned_of_and_the_cluster_would_refuse_nothing(example: Followed) -> None:
    """All runs were strict."""
    for command, outcome in example.commands:
        assert "warning:" not in outcome.output and outcome.status == 0, f"README.md:{command.line}: {outcome.output}"


def test_a_build_after_it_finds_everything_cached(example: Followed) -> None:
    assert {target["state"] for target in example.pipeline.build()["targets"]} == {"cached"}


def test_a_run_leaves_nothing_beside_its_own_folders(example: Followed) -> None:
    root = example.pipeline.root
    new = runs.content(root).keys() - runs.content(EXAMPLES / root.name).keys()
    assert new <= {"configs/secrets.env"}


def test_every_example_is_in_the_list_once() -> None:
    text = (EXAMPLES / "README.md").read_text(encoding="utf-8")
    assert sorted(re.findall(r"^- \[(\w+)\]\(\1/\): ", text, re.MULTILINE)) == NAMES


def test_a_table_without_its_path_is_noticed() -> None:
    shown = '```json\n{"a": 1}\n```\n'
    assert [step.line for step in runs.steps(f"`//tmp/x/a`:\n{shown}\n`//tmp/x/b`:\n\n{shown}")] == [2, 8]
    with pytest.raises(AssertionError, match="line 3"):
        runs.steps(f"The table:\n\n{shown}")


def test_rows_that_differ_in_type_or_order_are_noticed() -> None:
    assert runs.rows(('{"a":1,"b":"é"}',)) == runs.rows(('{"a": 1, "b": "\\u00e9"}',))
    for other in ('{"a": 1.0, "b": "é"}', '{"b": "é", "a": 1}'):
        assert runs.rows(('{"a":1,"b":"é"}',)) != runs.rows((other,))


# On both backends


def test_it_succeeds_on_both(both: Both) -> None:
    assert (both.dev.result.returncode, both.prod.result.returncode) == (0, 0), both.prod.said


def test_both_leave_the_same_tables(both: Both) -> None:
    assert both.prod.tables.keys() == both.dev.tables.keys()
    for path, rows in both.dev.tables.items():
        name = path.removeprefix(f"{both.folder}/")
        check_same(rows, both.prod.tables[path], ordered=name in ORDERED)


def test_stages_say_the_same_on_both(both: Both) -> None:
    assert both.prod.stages_said == both.dev.stages_said


def test_operations_read_and_write_as_many_rows_on_both(both: Both) -> None:
    assert both.prod.operations_done == both.dev.operations_done


def test_nothing_is_warned_of_on_either(both: Both) -> None:
    assert "warning: " not in both.dev.said + both.prod.said


def test_the_order_is_compared_of_tables_that_exist(both: Both) -> None:
    names = {path.removeprefix(f"{both.folder}/") for path in both.dev.tables}
    assert {name for name in ORDERED if name.startswith(f"{both.name}/")} <= names


# The main example, which `make demo` runs, reads the standard library of this interpreter


@pytest.fixture
def demo(followed: dict[str, Future[Followed]]) -> Followed:
    """The example that `make demo` runs."""
    return followed["stdlib_imports"].result()


def demo_rows(demo: Followed, name: str) -> list[dict[str, Any]]:
    """Return the rows of one of its tables."""
    return demo.ran("//x").tables[f"//x/stdlib_imports/{name}"]


def test_the_demo_reads_hundreds_of_real_files(demo: Followed) -> None:
    assert 500 <= len(demo_rows(demo, "sources")) <= 1800


def test_every_file_of_the_demo_has_metrics_or_an_error(demo: Followed) -> None:
    metrics = demo_rows(demo, "metrics")
    assert [row["path"] for row in metrics] == [row["path"] for row in demo_rows(demo, "sources")]
    assert all(("functions" in row) != ("error" in row) for row in metrics)


def test_the_demo_counts_imports_once_for_each_importing_module(demo: Followed) -> None:
    counts = {row["imported"]: row for row in demo_rows(demo, "imports")}
    assert "os" in counts and "sys" in counts
    for row in counts.values():
        by = row["by"]
        assert isinstance(by, list) and row["count"] == len(set(by)) == len(by)


def test_the_demo_s_report_says_that_click_came_with_the_archive(demo: Followed) -> None:
    assert "click comes from click/, in the archive" in (demo.pipeline.root / ".dev/report.vanilla.log").read_text()


def test_the_demo_s_notes_for_people_stay_out_of_the_archive(demo: Followed) -> None:
    assert not any(name.endswith(".md") for name in demo.pipeline.names() if name.startswith("shared/"))


def test_the_demo_s_result_names_ten_modules_and_where_the_tables_lie(demo: Followed) -> None:
    (outcome,) = (outcome for command, outcome in demo.commands if command.text == "python show_result.py")
    lines = outcome.output.splitlines()
    assert len(lines) == 13 and lines[-1].startswith(f"The tables lie in {demo.pipeline.root / '.dev'}")
