"""Every example on both backends: the same tables, the same words of its stages.

The rows of a table are compared in their order only where that is promised: after `write_table` and after a sort.
The cluster joins what the jobs of an operation wrote in an order of its own.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.running import Cluster, RealCluster
from tests.examples.test_examples import EXAMPLES, NAMES, NOT_COPIED
from tests.parity.both import Ran, at_once, check_same, in_dev, in_prod
from tests.support import Pipeline

# The stand-in runs no SQL; tests/parity/test_yql_rows.py has the rows that YQL gives.
ON_BOTH = [name for name in NAMES if name != "yql" or RealCluster.from_environment()]
ORDERED = (
    *("custom_upload/titles", "debug_between_stages/customers", "debug_between_stages/orders", "map/readings"),
    *("debug_between_stages/invoices", "hello_table/planets", "map_reduce/lines", "reduce/payments", "yql/books"),
    *("several_configs/calendar", "several_operations/prices", "yql/january", "yql/february"),
)
# The whole standard library would take a quarter of a minute, and show nothing more.
SHORTENED = ("paths = list(source_files(root))", "paths = list(source_files(root))[:60]")


@dataclass(frozen=True)
class Example:
    """An example that ran on both backends; its tables lie below `folder`."""

    folder: str
    dev: Ran
    prod: Ran


def both(root: Path, cluster: Cluster | RealCluster, folder: str) -> Example:
    """Run a copy of the example in a folder, all its tables moved below another one, on both backends."""
    name = root.name
    shutil.copytree(EXAMPLES / name, root, ignore=shutil.ignore_patterns(*NOT_COPIED))
    for path in [*root.rglob("*.py"), *root.rglob("*.yaml")]:
        text = path.read_text(encoding="utf-8").replace("//tmp/", f"{folder}/")
        path.write_text(text.replace("//home/examples/", f"{folder}/").replace(*SHORTENED), encoding="utf-8")
    if (root / "configs/secrets.env.example").exists():
        shutil.copy(root / "configs/secrets.env.example", root / "configs/secrets.env")
    pipeline = Pipeline(root)
    return Example(f"{folder}/{name}", in_dev(pipeline), in_prod(pipeline, cluster, f"{folder}/{name}"))


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, running_cluster: Cluster | RealCluster, folder: str
) -> Iterator[dict[str, Future[Example]]]:
    """All examples, running."""
    place = tmp_path_factory.mktemp("examples")
    with at_once() as pool:
        yield {name: pool.submit(both, place / name, running_cluster, folder) for name in ON_BOTH}


@pytest.fixture(params=ON_BOTH)
def example(request: pytest.FixtureRequest, runs: dict[str, Future[Example]]) -> Example:
    """Each example in turn."""
    return runs[request.param].result()


def test_it_succeeds_on_both(example: Example) -> None:
    assert (example.dev.result.returncode, example.prod.result.returncode) == (0, 0), example.prod.said


def test_both_leave_the_same_tables(example: Example) -> None:
    assert example.prod.tables.keys() == example.dev.tables.keys()
    for path, rows in example.dev.tables.items():
        name = path.removeprefix(example.folder.rpartition("/")[0] + "/")
        check_same(rows, example.prod.tables[path], ordered=name in ORDERED)


def test_stages_say_the_same_on_both(example: Example) -> None:
    assert example.prod.stages_said == example.dev.stages_said


def test_operations_read_and_write_as_many_rows_on_both(example: Example) -> None:
    assert example.prod.operations_done == example.dev.operations_done


def test_nothing_is_warned_of_on_either(example: Example) -> None:
    assert "warning: " not in example.dev.said + example.prod.said


def test_the_order_is_compared_of_tables_that_exist(example: Example) -> None:
    ours = {f"{example.folder.rpartition('/')[0]}/{name}" for name in ORDERED}
    assert {path for path in ours if path.startswith(f"{example.folder}/")} <= example.dev.tables.keys()
