"""Which interpreter and which environment `make` takes, with interpreters of this test's making on PATH."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
TOOLS = ("make", "sh", "env", "sed", "sort", "echo", "test", "rm", "touch")


class Machine:
    """A PATH with the tools that the Makefile needs and the interpreters that a test puts there."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        for tool in TOOLS:
            found = shutil.which(tool)
            assert found is not None, tool
            (folder / tool).symlink_to(found)

    def add(self, name: str, version: str | None = None) -> Path:
        """Put an interpreter there that says it is of this version; without one, a shim that leads nowhere."""
        path = self.folder / name
        said = f'[ "$1" = -c ] && echo "{version}=$3"' if version else "echo not found >&2; exit 127"
        path.write_text(f"#!/bin/sh\n{said}\n")
        path.chmod(0o755)
        return path

    def make(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        command = [str(self.folder / "make"), "--no-print-directory", *arguments]
        return subprocess.run(
            command, cwd=ROOT, env={"PATH": str(self.folder)}, capture_output=True, text=True, check=False
        )

    def environments(self, *arguments: str) -> list[str]:
        """Return the environments whose pytest a target would run."""
        done = self.make("-n", *arguments)
        assert done.returncode == 0, done.stderr
        return re.findall(r"(\S+)/bin/python -m pytest", done.stdout)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    """A machine with Python 3.11, the shim of a 3.12 that is not there, and Python 3.13."""
    machine = Machine(tmp_path / "bin")
    machine.add("python3.11", "3.11")
    machine.add("python3.12")
    machine.add("python3.13", "3.13")
    return machine


def test_without_a_choice_the_oldest_that_starts_gets_the_plain_environment(machine: Machine) -> None:
    assert machine.environments("test") == [".venv"]


def test_another_version_gets_an_environment_of_its_own(machine: Machine) -> None:
    assert machine.environments("test", "PYTHON=python3.13") == [".venv-3.13"]


def test_the_same_version_by_another_name_shares_the_plain_environment(machine: Machine) -> None:
    machine.add("mine", "3.11")
    assert machine.environments("test", "PYTHON=mine") == [".venv"]


def test_the_only_interpreter_there_is_gets_the_plain_environment(tmp_path: Path) -> None:
    machine = Machine(tmp_path / "bin")
    own = machine.add("mine", "3.13")
    assert machine.environments("test", f"PYTHON={own}") == [".venv"]


def test_a_shim_that_leads_nowhere_is_refused_by_name(machine: Machine) -> None:
    done = machine.make("-n", "test", "PYTHON=python3.12")
    assert done.returncode == 2
    assert "python3.12 does not start" in done.stderr


def test_no_interpreter_at_all_is_said_when_an_environment_has_to_be_made(tmp_path: Path) -> None:
    done = Machine(tmp_path / "bin").make("VENV=" + str(tmp_path / "environment"), "test")
    assert done.returncode == 2
    assert "no Python 3.11 or newer was found" in done.stderr


def test_test_all_runs_on_every_one_that_starts(machine: Machine) -> None:
    assert machine.environments("test-all") == [".venv", ".venv-3.13"]


def test_test_all_says_which_start(machine: Machine) -> None:
    said = machine.make("-n", "test-all").stdout.splitlines()[0]
    assert "3.11=python3.11 3.13=python3.13 (of python3.11 python3.12 python3.13" in said


def test_test_all_runs_one_of_a_version_and_those_that_are_given(machine: Machine) -> None:
    other = machine.add("elsewhere", "3.14")
    given = f"PYTHONS=python3.13 python3.13 {other}"
    assert machine.environments("test-all", given) == [".venv-3.13", ".venv-3.14"]


def test_the_newest_is_the_newest_that_starts_and_is_not_the_default(machine: Machine) -> None:
    assert machine.make("newest").stdout.strip() == "python3.13"
    machine.add("python3.14")
    assert machine.make("newest").stdout.strip() == "python3.13"
    machine.add("python3.14", "3.14")
    assert machine.make("newest").stdout.strip() == "python3.14"


def test_there_is_no_newest_beside_the_only_one(machine: Machine) -> None:
    machine.add("python3.13")
    assert machine.make("newest").stdout.strip() == ""


def test_tests_on_a_cluster_say_which_variable_is_missing(machine: Machine) -> None:
    done = machine.make("test-cluster", "YTBUILD_TEST_PROXY=cluster.example", "YTBUILD_TEST_FOLDER=//tmp/tests")
    assert (done.returncode, done.stderr.splitlines()[0]) == (2, "error: not set: YTBUILD_TEST_TOKEN")


def test_tests_on_a_cluster_are_the_marked_ones_and_get_the_variables_alone(machine: Machine) -> None:
    variables = ["YTBUILD_TEST_PROXY=a", "YTBUILD_TEST_TOKEN=b", "YTBUILD_TEST_FOLDER=//c"]
    done = machine.make("-n", "test-cluster", *variables)
    assert done.returncode == 0, done.stderr
    command = done.stdout.splitlines()[-1]
    assert "-m pytest -q -m cluster" in command and 'YTBUILD_TEST_TOKEN="$YTBUILD_TEST_TOKEN"' in command
    assert "-u PYTHONPATH" in command
