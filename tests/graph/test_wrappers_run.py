"""Wrappers as bash runs them in a sandbox: the right script, its environment, and nothing else."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.planning import SRC
from tests.support import Pipeline, clean_environment

pytestmark = pytest.mark.quick

PROBE = """\
import json, os, sys
config = os.environ["JOB_CONFIG_PATH"]
print(json.dumps({
    "script": sys.argv[0],
    "arguments": sys.argv[1:],
    "PYTHONPATH": os.environ["PYTHONPATH"],
    "sys.path": sys.path,
    "config": config,
    "config exists": os.path.isabs(config) and os.path.isfile(config),
    "rows": sys.stdin.read(),
    "directory": os.getcwd(),
}))
"""


@pytest.fixture
def sandbox(tmp_path: Path) -> Path:
    """An empty folder whose name is hard on careless shell scripts."""
    folder = tmp_path / "sand box $(touch BAD) 'x' ;"
    folder.mkdir()
    return folder


def _stage(pipeline: Pipeline, script: str, content: str = PROBE) -> None:
    pipeline.write(f"{SRC}/{script}", content)
    block = {"client": {"operations": {"vanilla": {"script": script}}}}
    pipeline.write("stages/first/config.yaml", json.dumps(block))


def _run(pipeline: Pipeline, sandbox: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Extract the newest archive with tar and start the wrapper as a job does; `python3` is this interpreter."""
    interpreters = sandbox.parent / "bin"
    interpreters.mkdir()
    (interpreters / "python3").write_text(f'#!/bin/sh\nexec "{sys.executable}" "$@"\n')
    (interpreters / "python3").chmod(0o755)
    (sandbox / "source.tar.gz").symlink_to(pipeline.archive())
    command = "tar -xzf source.tar.gz && ./operation_wrapper_first_vanilla.sh"
    environment = clean_environment(**environment)
    environment["PATH"] = f"{interpreters}:{environment['PATH']}"
    return subprocess.run(
        ["bash", "-c", command],
        cwd=sandbox,
        env=environment,
        input='{"a": 1}\n',
        capture_output=True,
        text=True,
        timeout=60,
    )


def _answer(pipeline: Pipeline, sandbox: Path, **environment: str) -> dict[str, Any]:
    result = _run(pipeline, sandbox, **environment)
    assert result.returncode == 0, result.stderr
    answer: dict[str, Any] = json.loads(result.stdout)
    return answer


ODD_SCRIPTS = [
    *("plain.py", "r;touch BAD.py", "a b.py", "$(touch BAD).py", "`touch BAD`.py", "it's.py", 'a"b.py', "a\\b.py"),
    *(
        "-c.py",
        "a&b.py",
        "a|b.py",
        "*.py",
        "~.py",
        "a>BAD.py",
        "имя.py",
        "a\nb.py",
        "!!.py",
        "#a.py",
        "deep dir/$x.py",
    ),
    *("@CONFIG@.py", "@SCRIPT@.py", "{a,b}.py"),
]


@pytest.mark.parametrize("script", ODD_SCRIPTS)
def test_the_wrapper_starts_the_right_script_and_nothing_else(pipeline: Pipeline, sandbox: Path, script: str) -> None:
    _stage(pipeline, script)
    pipeline.build()
    before = set(pipeline.names())
    assert _answer(pipeline, sandbox)["script"] == f"stages/first/src/{script}"
    left = {
        os.path.relpath(os.path.join(folder, name), sandbox)
        for folder, _, names in os.walk(sandbox)
        for name in names
        if "__pycache__" not in folder
    }
    assert left == before | {"source.tar.gz"}


def test_the_job_finds_its_configuration_by_an_absolute_path(pipeline: Pipeline, sandbox: Path) -> None:
    _stage(pipeline, "x.py")
    pipeline.build()
    answer = _answer(pipeline, sandbox)
    assert answer["config exists"]
    assert answer["config"] == f"{sandbox}/stages/first/config.yaml"


def test_pythonpath_is_the_sandbox_when_it_was_unset(pipeline: Pipeline, sandbox: Path) -> None:
    _stage(pipeline, "x.py")
    pipeline.build()
    assert _answer(pipeline, sandbox)["PYTHONPATH"] == str(sandbox)


def test_pythonpath_is_the_sandbox_when_it_was_empty(pipeline: Pipeline, sandbox: Path) -> None:
    _stage(pipeline, "x.py")
    pipeline.build()
    assert _answer(pipeline, sandbox, PYTHONPATH="")["PYTHONPATH"] == str(sandbox)


def test_pythonpath_begins_with_the_sandbox_when_it_was_set(pipeline: Pipeline, sandbox: Path) -> None:
    _stage(pipeline, "x.py")
    pipeline.build()
    answer = _answer(pipeline, sandbox, PYTHONPATH="/nowhere:/else where")
    assert answer["PYTHONPATH"] == f"{sandbox}:/nowhere:/else where"
    assert answer["sys.path"][1] == str(sandbox)


def test_the_job_gets_its_rows(pipeline: Pipeline, sandbox: Path) -> None:
    _stage(pipeline, "x.py")
    pipeline.build()
    assert _answer(pipeline, sandbox)["rows"] == '{"a": 1}\n'


def test_pip_reads_no_rows_and_writes_none(pipeline: Pipeline, sandbox: Path) -> None:
    _stage(pipeline, "x.py")
    pipeline.write("stages/first/requirements.txt", "pip\n")
    pipeline.build()
    assert _answer(pipeline, sandbox)["rows"] == '{"a": 1}\n'


def test_a_requirement_that_cannot_be_installed_ends_the_job(pipeline: Pipeline, sandbox: Path) -> None:
    _stage(pipeline, "x.py")
    pipeline.write("stages/first/requirements.txt", "./nowhere-to-be-found\n")
    pipeline.build()
    result = _run(pipeline, sandbox)
    assert result.returncode != 0 and result.stdout == ""
    assert "nowhere-to-be-found" in result.stderr


def test_requirements_that_are_installed_already_are_not_installed_again(pipeline: Pipeline, sandbox: Path) -> None:
    _stage(pipeline, "x.py")
    pipeline.write("stages/first/requirements.txt", "./nowhere-to-be-found\n")
    pipeline.build()
    answer = _answer(pipeline, sandbox, YTBUILD_INSTALLED_REQUIREMENTS="/installed")
    assert answer["PYTHONPATH"] == f"{sandbox}:/installed"


@pytest.mark.parametrize("code", [0, 1, 7])
def test_the_job_s_exit_code_is_the_wrapper_s(pipeline: Pipeline, sandbox: Path, code: int) -> None:
    _stage(pipeline, "x.py", f"raise SystemExit({code})\n")
    pipeline.build()
    assert _run(pipeline, sandbox).returncode == code


def test_the_job_imports_ytjobs_and_the_pipeline_s_modules(pipeline: Pipeline, sandbox: Path) -> None:
    pipeline.write("ours/__init__.py", "VALUE = 'from the archive'\n")
    pipeline.configure("upload_modules: [ours]")
    _stage(pipeline, "x.py", "import ours, ytjobs; print(ours.VALUE, ytjobs.__file__)\n")
    pipeline.build()
    assert _run(pipeline, sandbox).stdout == f"from the archive {sandbox}/ytjobs/__init__.py\n"
