"""Running a pipeline: build, then each stage in its order."""

from __future__ import annotations

import time
from dataclasses import dataclass

from ytbuild.base.reporter import SILENT, Event, Reporter, Warned
from ytbuild.graph.plan import Planner
from ytbuild.run import backend_choice
from ytbuild.run.job_code import JobCode
from ytbuild.run.launcher import OperationLauncher
from ytbuild.run.operation_specs import SpecResolver
from ytbuild.run.planned_run import RunOptions, plan_run
from ytbuild.run.stage import DebugContext
from ytbuild.run.stage_code import StageRunner
from ytbuild.run.stage_file import importing_from


@dataclass(frozen=True)
class RunResult:
    """What a run did; `tables` is where they are: a folder, or the address of the cluster's proxy."""

    stages: int
    operations: int
    seconds: float
    tables: str


@dataclass(frozen=True)
class StageStarted(Event):
    """A stage runs."""

    stage: str


@dataclass(frozen=True)
class RunDone(Event):
    """All stages have succeeded."""

    result: RunResult


def run_stages(planner: Planner, options: RunOptions, reporter: Reporter = SILENT) -> RunResult:
    """Build the pipeline and run the enabled stages that `options` select.

    Everything that can be known is checked before the build. Raises `OperationFailed` when an operation or a stage
    fails; the stages after it do not run.
    """
    started = time.perf_counter()
    planned = plan_run(planner, options)
    for warning in planned.warnings:
        reporter.event(Warned(warning))
    code = JobCode(planned.plan, planned.operations, options.archive)
    keep, strict = options.keep_sandboxes, options.strict
    opened = backend_choice.opened(planner, code, reporter, planned.secrets, keep_sandboxes=keep, strict=strict)
    with opened as client, importing_from(planner.config.directory):
        launcher = OperationLauncher(SpecResolver(planned.plan, planned.backend, planned.secrets), client, reporter)
        runner = StageRunner(planner, client, launcher, planned.registry, planned.skipped)
        debug: DebugContext = {}
        for stage in planned.stages:
            reporter.event(StageStarted(stage.name))
            if stage.has_code:
                debug = runner.run(stage.config, debug)
            else:
                for spec in stage.operations:
                    launcher.start_spec(spec).wait()
        launcher.wait_for_the_rest()
        tables = client.location
    result = RunResult(len(planned.stages), len(launcher.started), time.perf_counter() - started, tables)
    reporter.event(RunDone(result))
    return result
