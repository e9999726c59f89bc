"""Test helpers: a pipeline with a table, and what `ytbuild table` prints of it."""

from __future__ import annotations

from tests.support import Pipeline
from ytbuild.backends.dev.tables import TableStore

DATA = "//tmp/x/data"


def lines(count: int) -> str:
    """Return the first lines of the table's file."""
    return "".join(f'{{"n":{n}}}\n' for n in range(count))


def store(pipeline: Pipeline) -> TableStore:
    """Return the pipeline's dev tables."""
    return TableStore(str(pipeline.root / ".dev"))


def with_data(pipeline: Pipeline) -> Pipeline:
    """Write the table, of 1,234 rows."""
    store(pipeline).write(DATA, ({"n": n} for n in range(1234)))
    return pipeline


def table_output(pipeline: Pipeline, *arguments: str) -> str:
    """Return what the command prints on stdout."""
    return pipeline.run("table", *arguments, check=True).stdout


def failed(pipeline: Pipeline, *arguments: str) -> str:
    """Return what the command says when it fails with exit code 1."""
    result = pipeline.run("table", *arguments)
    assert (result.returncode, result.stderr.startswith("error: ")) == (1, True), result.stderr
    return result.stderr
