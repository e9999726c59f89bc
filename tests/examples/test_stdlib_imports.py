"""The main example, run as `make demo` runs it: on the standard library of this interpreter."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import Pipeline, clean_environment

EXAMPLE = Path(__file__).resolve().parents[2] / "examples" / "stdlib_imports"


@pytest.fixture(scope="module")
def example(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A copy of the example that has run once."""
    root = tmp_path_factory.mktemp("example") / "stdlib_imports"
    shutil.copytree(EXAMPLE, root, ignore=shutil.ignore_patterns(".build", ".dev"))
    pipeline = Pipeline(root)
    pipeline.run("run", check=True)
    return pipeline


def rows(example: Pipeline, table: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in (example.root / f".dev/{table}.jsonl").read_text().splitlines()]


def test_it_reads_hundreds_of_real_files(example: Pipeline) -> None:
    assert 500 <= len(rows(example, "sources")) <= 1800


def test_every_file_has_metrics_or_an_error(example: Pipeline) -> None:
    metrics = rows(example, "metrics")
    assert [row["path"] for row in metrics] == [row["path"] for row in rows(example, "sources")]
    assert all(("functions" in row) != ("error" in row) for row in metrics)


def test_imports_are_counted_once_for_each_importing_module(example: Pipeline) -> None:
    counts = {row["imported"]: row for row in rows(example, "imports")}
    assert "os" in counts and "sys" in counts
    for row in counts.values():
        by = row["by"]
        assert isinstance(by, list) and row["count"] == len(set(by)) == len(by)


def test_the_report_says_that_click_came_with_the_archive(example: Pipeline) -> None:
    assert "click comes from click/, in the archive" in (example.root / ".dev/report.vanilla.log").read_text()


def test_notes_for_people_stay_out_of_the_archive(example: Pipeline) -> None:
    assert not any(name.endswith(".md") for name in example.names() if name.startswith("shared/"))


def test_a_second_build_finds_everything_cached(example: Pipeline) -> None:
    assert {target["state"] for target in example.build()["targets"]} == {"cached"}


def test_the_result_names_ten_modules_and_where_the_tables_lie(example: Pipeline) -> None:
    command = [sys.executable, "show_result.py"]
    done = subprocess.run(
        command, cwd=example.root, env=clean_environment(), capture_output=True, text=True, check=True
    )
    lines = done.stdout.splitlines()
    assert len(lines) == 13 and lines[-1].startswith(f"The tables lie in {example.root / '.dev'}")
