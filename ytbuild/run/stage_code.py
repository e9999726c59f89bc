"""Running the code of stages: each `stage.py` gets its context, and what it raises is told in its own terms."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Iterator
from functools import cached_property
from typing import Any

from ytbuild.backends.base import Client
from ytbuild.base.errors import OperationFailed, YtbuildError
from ytbuild.config import documents
from ytbuild.config.stage import StageConfig
from ytbuild.graph.plan import Planner
from ytbuild.run import tracebacks
from ytbuild.run.stage import DebugContext, Launcher, StageContext, StageDependencies
from ytbuild.run.stage_file import stage_class
from ytbuild.run.stage_registry import StageRegistry


class StageRunner:
    """Runs the code of single stages; `skipped` are the enabled stages that this run leaves out."""

    def __init__(
        self,
        planner: Planner,
        client: Client,
        launcher: Launcher,
        registry: StageRegistry | None,
        skipped: tuple[str, ...],
    ) -> None:
        self._config = planner.config
        self._overrides = planner.overrides
        self._client = client
        self._launcher = launcher
        self._registry = registry
        self._skipped = skipped

    def run(self, stage: StageConfig, debug: DebugContext) -> DebugContext:
        """Run a stage's `stage.py`; return what it hands on.

        Raises `OperationFailed` for whatever its code raises, and other `YtbuildError`s with their place in it.
        """
        config: Any = documents.load_omegaconf(documents.read(stage.config_path, stage.label), stage.label)
        logger = logging.getLogger(f"ytbuild.stage.{stage.name}")
        context = StageContext(stage.name, config, self._dependencies, logger, self._launcher)
        with self._told(stage):
            cls = self._registry.stage_class(stage.name) if self._registry else stage_class(stage)
            handed_on = cls(context).run(debug)
        if handed_on is not None and not isinstance(handed_on, dict):
            raise OperationFailed(
                f"stages/{stage.name}/stage.py: run() returned {type(handed_on).__name__}, not a dict",
                "return `debug`, a dict for the next stage, or nothing",
            )
        return debug if handed_on is None else handed_on

    @cached_property
    def _dependencies(self) -> StageDependencies:
        """What stages share; made when the first one needs it, because OmegaConf is slow to import."""
        data = documents.read(self._config.path, self._config.label)
        return StageDependencies(
            yt_client=self._client,
            pipeline_config=documents.load_omegaconf(data, self._config.label, self._overrides),
            configs_dir=os.path.dirname(self._config.path),
        )

    @contextlib.contextmanager
    def _told(self, stage: StageConfig) -> Iterator[None]:
        """Tell in the stage's terms what its code raises."""
        try:
            yield
        except YtbuildError as error:
            error.message = tracebacks.place(error, self._config.directory) + error.message
            raise
        except SystemExit as error:
            raise OperationFailed(
                f"stages/{stage.name}/stage.py called sys.exit({error.code!r})",
                "return from run() to end a stage, raise an exception to fail it",
            ) from error
        except Exception as error:
            traceback = tracebacks.own(error)
            raise OperationFailed(f"the stage {stage.name!r} failed:\n{traceback}", self._hint(error)) from error

    def _hint(self, error: Exception) -> str:
        if "yson bindings" in str(error).lower() or "yt_yson_bindings" in str(error):
            return "pip install ytsaurus-yson: TypedJobs, which run on a cluster only, need it"
        if self._skipped and isinstance(error, KeyError):
            skipped = ", ".join(self._skipped)
            lacking = "`debug` lacks what the stages before hand on, and these were not run"
            return f"correct stage.py; {lacking}: {skipped}"
        return "correct stage.py"
