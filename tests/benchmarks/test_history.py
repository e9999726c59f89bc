"""Kept figures: their file, and the table over commits."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.benchmarks import history
from tests.benchmarks.history import Figure, Record


def record(commit: str, name: str, ours: float, bar: float = 2) -> Record:
    return Record(commit, "3.11.7", "2026-01-31T12:00:00Z", Figure(name, ours, 1.0, bar))


def show(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "tests.benchmarks", *arguments]
    return subprocess.run(command, cwd=history.ROOT, env=variables, capture_output=True, text=True, check=False)


def test_figures_are_read_as_they_were_kept(tmp_path: Path) -> None:
    kept = [record("a", "build", 1.5), record("b", "upload", 0.25)]
    for each in kept:
        history.keep(tmp_path / "new" / "results.jsonl", each)
    assert history.records(tmp_path / "new" / "results.jsonl") == kept
    assert history.records(tmp_path / "none") == []


def test_the_table_has_a_line_for_each_figure_and_a_column_for_each_commit() -> None:
    kept = [record("a", "build", 1.5), record("b", "build", 2.5), record("b", "upload", 0.25)]
    assert history.table(kept, 8).splitlines() == [
        "figure  bar     a      b",
        "build   2 ×  1.50  2.50!",
        "upload  2 ×     -   0.25",
    ]


def test_a_commit_that_was_measured_several_times_shows_the_median() -> None:
    kept = [record("a", "build", ours) for ours in (1.0, 9.0, 1.2)]
    assert history.table(kept, 8).splitlines()[1] == "build   2 ×  1.20"


def test_the_table_shows_the_last_commits_only() -> None:
    kept = [record(commit, "build", 1.0) for commit in "abc"]
    assert history.table(kept, 2).splitlines()[0].split() == ["figure", "bar", "b", "c"]


def test_a_figure_is_kept_with_the_commit_that_is_checked_out() -> None:
    kept = history.measured_now(Figure("build", 1.0, 1.0, 2))
    assert re.fullmatch(r"[0-9a-f]{9,}\+?", kept.commit)
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", kept.time)


def test_the_option_wins_over_the_variable_and_both_over_the_default(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(history.VARIABLE, raising=False)
    assert history.results_file(None) == history.DEFAULT_FILE
    monkeypatch.setenv(history.VARIABLE, "/elsewhere")
    assert history.results_file(None) == Path("/elsewhere")
    assert history.results_file("/given") == Path("/given")


def test_the_default_file_is_kept_out_of_git() -> None:
    command = ["git", "check-ignore", "-q", str(history.DEFAULT_FILE)]
    assert subprocess.run(command, cwd=history.ROOT, check=False).returncode == 0


def test_the_command_shows_what_was_kept_and_measures_nothing(tmp_path: Path) -> None:
    history.keep(tmp_path / "results.jsonl", record("abc", "build", 1.5))
    by_option = show("--history", "--results", str(tmp_path / "results.jsonl"))
    assert "build   2 ×  1.50" in by_option.stdout, by_option.stderr
    assert show("--history", BENCH_RESULTS=str(tmp_path / "results.jsonl")).stdout == by_option.stdout


def test_a_table_that_does_not_exist_is_refused() -> None:
    done = show("builds")
    assert done.returncode == 2
    assert "there is no table builds" in done.stderr
