"""The stage classes that a `pipeline.py` registers."""

from __future__ import annotations

import inspect
import os
from typing import Protocol

from ytbuild.base.errors import StageError, closest
from ytbuild.run.stage import BaseStage


class StageRegistry:
    """Stage classes by their stages' names."""

    def __init__(self) -> None:
        self._classes: dict[str, type[BaseStage]] = {}

    def add_stage(self, stage: type[BaseStage], name: str | None = None) -> StageRegistry:
        """Add a stage class; its name is that of the folder of its file unless it is given.

        Returns the registry. Raises `StageError` for what is no stage class and for a name that is taken.
        """
        if not (inspect.isclass(stage) and issubclass(stage, BaseStage)):
            raise StageError(f"add_stage was given {stage!r}", "give a class that derives from BaseStage")
        name = name or os.path.basename(os.path.dirname(os.path.abspath(inspect.getfile(stage))))
        other = self._classes.setdefault(name, stage)
        if other is not stage:
            raise StageError(
                f"two classes for the stage {name!r}: {other.__name__} and {stage.__name__}", "add one of them"
            )
        return self

    def stage_class(self, name: str) -> type[BaseStage]:
        """Return the class of a stage; raises `StageError`, with the closest name, when there is none."""
        if name not in self._classes:
            known = ", ".join(sorted(self._classes)) or "nothing"
            raise StageError(
                f"the stage {name!r} has a stage.py, and the pipeline registers no class for it",
                closest(name, self._classes) or f"add it with add_stage, or disable it; registered: {known}",
            )
        return self._classes[name]


class PipelineScript(Protocol):
    """A `pipeline.py` that runs: what the executor asks of it."""

    registry: StageRegistry | None

    def setup(self) -> None:
        """Called once before the run."""
        ...
