"""Reducing a table that nobody sorted: a warning in dev, an error with `--strict`; what counts as sorted."""

from __future__ import annotations

import os

import pytest

from tests.run.stages import code, failed, get, operation, put, ran
from tests.support import Pipeline

COPY = "import sys\nsys.stdout.writelines(sys.stdin)\n"
SORT = "run_sort(self.context, {'input_table': '//t/input', 'sort_by': ['n', 'm']})\n"
REDUCE = "run_reduce(self.context, {'input_table': '//t/input', 'output_table': '//t/output', 'reduce_by': %s})\n"
STRICT = REDUCE % "'n'"
ROWS = [{"n": 3, "m": 1}, {"n": 1, "m": 2}, {"n": 2, "m": 0}, {"n": 1, "m": 1}]


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A stage with a mapper and a reducer that copy rows, and an unsorted table."""
    (pipeline.root / "stages/first/src/mapper.py").write_text(COPY)
    pipeline.write("stages/first/src/reducer.py", COPY)
    put(pipeline, "input", ROWS)
    return pipeline


def test_an_unsorted_table_is_reduced_sorted_with_a_warning(prepared: Pipeline) -> None:
    code(prepared, STRICT)
    assert "warning: first/reduce (reduce): //t/input is not known to be sorted" in ran(prepared)
    assert [row["n"] for row in get(prepared, "output")] == [1, 1, 2, 3]
    assert get(prepared, "input") == ROWS, "dev sorts a copy"


def test_an_unsorted_table_is_an_error_with_strict(prepared: Pipeline) -> None:
    code(prepared, STRICT)
    said = failed(prepared, "--strict")
    assert "is not known to be sorted" in said and "run_sort" in said
    assert not (prepared.root / ".dev/output.jsonl").exists()


@pytest.mark.parametrize("columns", ["'n'", "['n', 'm']"])
def test_a_table_that_was_sorted_is_accepted(prepared: Pipeline, columns: str) -> None:
    code(prepared, SORT + REDUCE % columns)
    assert "warning" not in ran(prepared, "--strict")
    assert [row["n"] for row in get(prepared, "output")] == [1, 1, 2, 3]


def test_a_table_that_a_declared_operation_sorted_is_accepted(prepared: Pipeline) -> None:
    (prepared.root / "stages/first/stage.py").unlink(missing_ok=True)
    operation(
        prepared,
        "sort:\n  input_table: //t/input\n  sort_by: [n]\n"
        "reduce:\n  input_table: //t/input\n  output_table: //t/output\n  reduce_by: [n]",
    )
    ran(prepared, "--strict")
    assert [row["n"] for row in get(prepared, "output")] == [1, 1, 2, 3]


def test_it_is_still_sorted_in_the_next_run(prepared: Pipeline) -> None:
    code(prepared, SORT)
    ran(prepared)
    code(prepared, STRICT + "client.row_count('//t/input')\nclient.read_table('//t/input')\n" + STRICT)
    ran(prepared, "--strict")


@pytest.mark.parametrize("columns", ["'m'", "['n', 'm', 'k']"])
def test_a_table_that_was_sorted_by_other_columns_is_refused(prepared: Pipeline, columns: str) -> None:
    code(prepared, SORT + REDUCE % columns)
    assert "is sorted by n, m" in failed(prepared, "--strict")


@pytest.mark.parametrize(
    "change",
    [
        "client.write_table('//t/input', [{'n': 2}, {'n': 1}])",
        "client.write_table('//t/input', [{'n': 0}], append=True)",
        "run_map(self.context, {'input_table': '//t/input', 'output_table': '//t/input'})",
        "run_map(self.context, {'input_table': '//t/input', 'output_table': '//t/input', 'append': True})",
        "client.remove('//t/input')\nclient.write_table('//t/input', [{'n': 2}, {'n': 1}])",
        "client.write_table('//t/new', [{'n': 2}, {'n': 1}])\nclient.move('//t/new', '//t/input', force=True)",
        "open(client._dev_dir + '/input.jsonl', 'a').write('{\"n\": 0}')",
    ],
)
def test_a_table_that_was_changed_is_no_longer_sorted(prepared: Pipeline, change: str) -> None:
    code(prepared, f"{SORT}{change}\n{STRICT}")
    assert "is not known to be sorted" in failed(prepared, "--strict")


def test_a_table_that_was_edited_to_the_same_size_is_no_longer_sorted(prepared: Pipeline) -> None:
    code(prepared, SORT)
    ran(prepared)
    path = prepared.root / ".dev/input.jsonl"
    data = path.read_bytes()
    path.write_bytes(b"".join(reversed(data.splitlines(True))))
    assert os.path.getsize(path) == len(data)
    code(prepared, STRICT)
    assert "is not known to be sorted" in failed(prepared, "--strict")


def test_a_table_that_was_moved_is_still_sorted(prepared: Pipeline) -> None:
    code(prepared, SORT + "client.move('//t/input', '//t/moved')\n" + STRICT.replace("//t/input", "//t/moved"))
    ran(prepared, "--strict")


def test_a_map_reduce_needs_no_sorted_table(prepared: Pipeline) -> None:
    code(prepared, STRICT.replace("run_reduce", "run_map_reduce"))
    ran(prepared, "--strict")
    assert [row["n"] for row in get(prepared, "output")] == [1, 1, 2, 3]
