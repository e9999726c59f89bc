"""`pipeline.py`: running a pipeline as a script, with the stages that are there or those it registers."""

from __future__ import annotations

import inspect
import os
import sys
from typing import NoReturn

from ytbuild.errors import StageError, closest
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


class BasePipeline:
    """A pipeline that registers its stages itself, in `setup`.

    `pipeline_dir` is the folder of the script that runs, or the current one.
    """

    def __init__(self, pipeline_dir: str) -> None:
        self.pipeline_dir = pipeline_dir
        self.registry: StageRegistry | None = None

    def setup(self) -> None:
        """Called once before the run: override it to call `set_stage_registry`."""

    def set_stage_registry(self, registry: StageRegistry) -> None:
        """Run the classes of this registry instead of those in the stages' `stage.py`."""
        self.registry = registry

    @classmethod
    def main(cls, arguments: list[str] | None = None) -> NoReturn:
        """Do what `ytbuild run` does with these arguments, by default those of the command line, and exit.

        The pipeline is the folder of the script that runs, unless `-C` says otherwise.
        """
        # The one import from below: the command line is where a process ends.
        from ytbuild.cli.main import run

        script = getattr(sys.modules["__main__"], "__file__", None)
        folder = os.path.dirname(os.path.abspath(script)) if script else os.getcwd()
        run(["-C", folder, "run", *(sys.argv[1:] if arguments is None else arguments)], pipeline=cls(folder))
        raise AssertionError("run() exits")


class DefaultPipeline(BasePipeline):
    """A pipeline whose stages are those of its `stages` folder: `DefaultPipeline.main()` is a whole `pipeline.py`."""
