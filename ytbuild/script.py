"""`pipeline.py`: running a pipeline as a script, with the stages that are there or those it registers."""

from __future__ import annotations

import os
import sys
from typing import NoReturn

from ytbuild.run.stage_registry import StageRegistry


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
        from ytbuild.cli.main import run

        script = getattr(sys.modules["__main__"], "__file__", None)
        folder = os.path.dirname(os.path.abspath(script)) if script else os.getcwd()
        run(["-C", folder, "run", *(sys.argv[1:] if arguments is None else arguments)], script=cls(folder))
        raise AssertionError("run() exits")


class DefaultPipeline(BasePipeline):
    """A pipeline whose stages are those of its `stages` folder: `DefaultPipeline.main()` is a whole `pipeline.py`."""
