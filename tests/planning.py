"""Test helpers: asking ytbuild in this process, for what must be asked many times over.

`refused` is `Pipeline.refused` without a process of its own (a hundredth of the time): the same command line, exit
code and words. Each group of refusals has at least one test that runs the real command.
"""

from __future__ import annotations

import contextlib
import io
import os

from tests.support import Pipeline
from ytbuild.cli import main
from ytbuild.graph.plan import Plan, Planner
from ytbuild.graph.target import Member

SRC = "stages/first/src"


def plan(pipeline: Pipeline) -> Plan:
    """Return the plan of a pipeline; nothing is written."""
    return Planner(str(pipeline.root)).plan()


def members(pipeline: Pipeline, target: str = "stage:first") -> dict[str, Member]:
    """Return the members of one target by their names in the archive."""
    inputs = next(found for found in plan(pipeline).targets if found.name == target).load()
    return {member.arcname: member for member in inputs.members}


def warnings(pipeline: Pipeline) -> str:
    """Return the warnings of a plan, one below the other."""
    return "\n".join(plan(pipeline).warnings)


def refused(pipeline: Pipeline, *arguments: str) -> str:
    """Run a command that must be refused with exit code 2, nothing written; return what it said."""
    existed = (pipeline.root / ".build").exists()
    said = io.StringIO()
    try:
        with contextlib.redirect_stderr(said):
            main.run(["-C", str(pipeline.root), *(arguments or ("build",))])
    except SystemExit as end:
        assert end.code == 2, (end.code, said.getvalue())
    assert "error: " in said.getvalue() and "hint: " in said.getvalue(), said.getvalue()
    assert (pipeline.root / ".build").exists() == existed, "something was written"
    return said.getvalue()


def link(pipeline: Pipeline, path: str, aim: str | os.PathLike[str]) -> None:
    """Make the symbolic link `path`, relative to the pipeline, that says `aim`."""
    full = pipeline.root / path
    full.parent.mkdir(parents=True, exist_ok=True)
    full.symlink_to(aim)
