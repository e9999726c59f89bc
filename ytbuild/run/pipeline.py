"""Running a pipeline: build, then each stage in its order."""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from ytbuild.build import BuildResult, ReportProgress, build
from ytbuild.clients.base import OperationResult, OperationSpec
from ytbuild.clients.dev.client import DevClient
from ytbuild.config import documents, secrets
from ytbuild.config.stage import StageConfig
from ytbuild.errors import ConfigError, OperationFailed, YtbuildError
from ytbuild.graph.plan import Plan, Workspace
from ytbuild.run import operations
from ytbuild.run.discovery import stage_class
from ytbuild.run.stage import DebugContext, StageDependencies


@dataclass(frozen=True)
class RunEvents:
    """What the caller hears while a pipeline runs."""

    progress: ReportProgress
    built: Callable[[BuildResult], None]
    stage_started: Callable[[str], None]
    operation_running: Callable[[OperationSpec], AbstractContextManager[None]]
    operation_done: Callable[[OperationSpec, OperationResult], None]
    warned: Callable[[str], None]


@dataclass(frozen=True)
class RunResult:
    """What a run did; `tables` is the folder with the tables."""

    stages: int
    operations: int
    seconds: float
    tables: str


def run(workspace: Workspace, stages: tuple[str, ...], events: RunEvents) -> RunResult:
    """Build the pipeline and run the named enabled stages, all of them when none is named.

    Everything that can be known is checked before the build. Raises `OperationFailed` when an operation or a stage
    fails; the stages after it do not run.
    """
    started = time.perf_counter()
    if workspace.config.mode != "dev":
        raise ConfigError(
            f"pipeline.mode is {workspace.config.mode!r}, and this release runs pipelines on this machine only",
            "run with -o pipeline.mode=dev",
        )
    plan = workspace.plan()
    selected = [stage for stage in plan.stages if not stages or stage.name in stages]
    known_secrets = secrets.load(workspace.config.directory)
    declared = {
        stage.name: operations.declared(plan, stage, known_secrets)
        for stage in selected
        if not os.path.isfile(os.path.join(stage.directory, "stage.py"))
    }
    for stage in selected:
        if stage.name not in declared and any(operation.kind for operation in stage.operations):
            names = ", ".join(operation.name for operation in stage.operations if operation.kind)
            events.warned(f"stage {stage.name}: stage.py runs; the operations declared beside it do not: {names}")
        ignored = operations.ignored_in_dev(stage)
        if stage.name in declared and ignored:
            events.warned(f"stage {stage.name}: dev takes no notice of {', '.join(ignored)}")
    result = build(workspace, plan=plan, progress=events.progress)
    events.built(result)
    done = 0
    with DevClient(workspace.config, result.archive) as client:
        runner = _Runner(workspace, plan, client, events)
        debug: DebugContext = {}
        for stage in selected:
            events.stage_started(stage.name)
            if stage.name in declared:
                done += runner.run_operations(declared[stage.name])
            else:
                debug = runner.run_code(stage, debug)
    return RunResult(len(selected), done, time.perf_counter() - started, workspace.config.dev_dir)


class _Runner:
    """Runs single stages against one client."""

    def __init__(self, workspace: Workspace, plan: Plan, client: DevClient, events: RunEvents) -> None:
        self._plan = plan
        self._client = client
        self._events = events
        config = workspace.config
        data = documents.read(config.path, config.shown)
        self._deps = StageDependencies(
            yt_client=client,
            pipeline_config=documents.load_omegaconf(data, config.shown, workspace.overrides),
            configs_dir=os.path.dirname(config.path),
        )

    def run_operations(self, specs: list[OperationSpec]) -> int:
        """Run the operations of a stage; return how many."""
        for spec in specs:
            with self._events.operation_running(spec):
                result = self._client.run_operation(spec)
            self._events.operation_done(spec, result)
        return len(specs)

    def run_code(self, stage: StageConfig, debug: DebugContext) -> DebugContext:
        """Run a stage's `stage.py`; return what it hands on."""
        config: Any = documents.load_omegaconf(documents.read(stage.config_path, stage.shown), stage.shown)
        # Nothing is written outside .build and .dev, bytecode included.
        sys.dont_write_bytecode = True
        if self._plan.config.directory not in sys.path:
            sys.path.insert(0, self._plan.config.directory)
        logger = logging.getLogger(f"ytbuild.stage.{stage.name}")
        try:
            found = stage_class(stage)
            assert found is not None
            handed_on = found(stage.name, config, self._deps, logger).run(debug)
        except YtbuildError:
            raise
        except SystemExit as error:
            raise OperationFailed(
                f"stages/{stage.name}/stage.py called sys.exit({error.code!r})",
                "return from run() to end a stage, raise an exception to fail it",
            ) from error
        except Exception as error:
            raise OperationFailed(
                f"the stage {stage.name!r} failed:\n{_users_traceback(error)}", "correct stage.py"
            ) from error
        if handed_on is not None and not isinstance(handed_on, dict):
            raise OperationFailed(
                f"stages/{stage.name}/stage.py: run() returned {type(handed_on).__name__}, not a dict",
                "return `debug`, a dict for the next stage, or nothing",
            )
        return debug if handed_on is None else handed_on


def _users_traceback(error: Exception) -> str:
    """Return a traceback without ytbuild's own frames at its beginning."""
    import traceback

    package = os.path.dirname(os.path.dirname(os.path.abspath(__file__))) + os.sep
    trace = error.__traceback__
    while trace is not None and trace.tb_frame.f_code.co_filename.startswith((package, "<frozen importlib")):
        trace = trace.tb_next
    return "".join(traceback.format_exception(type(error), error, trace)).rstrip()
