"""Running a pipeline: build, then each stage in its order."""

from __future__ import annotations

import logging
import os
import time
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

from ytbuild.backends.base import Backend, Client, OperationSpec
from ytbuild.base.errors import ConfigError, OperationFailed, YtbuildError
from ytbuild.base.reporter import SILENT, Event, Reporter, Warned
from ytbuild.config import documents, secrets
from ytbuild.config.stage import StageConfig
from ytbuild.graph.plan import Plan, Planner, check_stage_selection
from ytbuild.run import backends, traces
from ytbuild.run.backends import Code
from ytbuild.run.discovery import importing_from, stage_class
from ytbuild.run.launch import PlanLauncher
from ytbuild.run.operations import Resolver
from ytbuild.run.stage import DebugContext, StageContext, StageDependencies

if TYPE_CHECKING:
    from ytbuild.run.registry import PipelineScript, StageRegistry


@dataclass(frozen=True)
class RunOptions:
    """What to run, and how: all enabled stages, those named, or those from `first` on.

    `archive` is the beginning of the key of an earlier archive whose code the jobs get instead of what is there now.
    `strict` makes an error of what the cluster would refuse and dev only warns of; `keep_sandboxes` keeps those of
    jobs that succeeded, too. `script` is the `pipeline.py` that runs, which may register the stage classes itself.
    """

    stages: tuple[str, ...] = ()
    first: str | None = None
    archive: str | None = None
    strict: bool = False
    keep_sandboxes: bool = False
    script: PipelineScript | None = None


@dataclass(frozen=True)
class StageStarted(Event):
    """A stage runs."""

    stage: str


@dataclass(frozen=True)
class RunResult:
    """What a run did; `tables` is where they are: a folder, or the address of the cluster's proxy."""

    stages: int
    operations: int
    seconds: float
    tables: str


@dataclass(frozen=True)
class RunDone(Event):
    """All stages have succeeded."""

    result: RunResult


@dataclass(frozen=True)
class PlannedStage:
    """A stage that a run would run.

    `has_code` tells that its `stage.py` runs; `operations` are then those declared beside it, which it may start.
    """

    name: str
    has_code: bool
    operations: tuple[OperationSpec, ...]


@dataclass(frozen=True)
class PlannedRun:
    """What a run would do: nothing has been built, imported or started.

    `key` is that of the archive, perhaps shortened, and `archive` the Cypress path of the code that jobs on a cluster
    would get, None in dev and without any code. `backend` is asked what they would be there; `registry` has the stage
    classes that a `pipeline.py` registers.
    """

    plan: Plan
    stages: tuple[PlannedStage, ...]
    secrets: dict[str, str] = field(repr=False)
    warnings: tuple[str, ...]
    key: str
    archive: str | None
    backend: Backend
    registry: StageRegistry | None


def planned(planner: Planner, options: RunOptions) -> PlannedRun:
    """Return what a run would do, checked as far as it can be known; only the script's `setup` runs.

    Raises a `UsageError` for whatever would not run.
    """
    backend = backends.chosen(planner.config)
    selected = _selected(planner, options)
    registry = None if options.script is None else _registered(options.script)
    plan = planner.plan()
    backend.check_plan(plan)
    known_secrets = secrets.load(planner.config.directory)
    resolver = Resolver(plan, backend, known_secrets)
    stages: list[PlannedStage] = []
    warnings = _pointless(options, backend)
    for stage in plan.stages:
        if stage.name not in selected:
            continue
        has_code = os.path.isfile(os.path.join(stage.directory, "stage.py"))
        if has_code and registry is not None:
            registry.stage_class(stage.name)
        specs = resolver.declared_beside_code(stage) if has_code else resolver.declared(stage)
        ignored = resolver.ignored(stage)
        if ignored:
            warnings.append(f"stage {stage.name}: {backend.name} takes no notice of {', '.join(ignored)}")
        stages.append(PlannedStage(stage.name, has_code, tuple(specs)))
    key = _key(plan, options)
    archive = backend.archive(planner.config, key)
    return PlannedRun(plan, tuple(stages), known_secrets, tuple(warnings), key, archive, backend, registry)


def _pointless(options: RunOptions, backend: Backend) -> list[str]:
    given = {"--strict": options.strict, "--keep-sandboxes": options.keep_sandboxes}
    pointless = [option for option, is_given in given.items() if is_given and option in backend.ignored_options]
    return [f"{backend.name} takes no notice of {option}" for option in pointless]


def _key(plan: Plan, options: RunOptions) -> str:
    """Return the key of the archive that would run; of an earlier one perhaps its beginning only."""
    earlier = options.archive
    return plan.key if earlier is None else earlier + "…" * (len(earlier) < len(plan.key))


def _registered(pipeline: PipelineScript) -> StageRegistry | None:
    """Return the stages that a `pipeline.py` registers, None when it leaves that to us.

    Raises `OperationFailed` when its `setup` raises.
    """
    try:
        pipeline.setup()
    except YtbuildError:
        raise
    except Exception as error:
        raise OperationFailed(
            f"setup() of the pipeline failed:\n{traces.own(error)}", "correct pipeline.py"
        ) from error
    return pipeline.registry


def run_stages(planner: Planner, options: RunOptions, reporter: Reporter = SILENT) -> RunResult:
    """Build the pipeline and run the enabled stages that `options` select.

    Everything that can be known is checked before the build. Raises `OperationFailed` when an operation or a stage
    fails; the stages after it do not run.
    """
    started = time.perf_counter()
    to_run = planned(planner, options)
    for warning in to_run.warnings:
        reporter.event(Warned(warning))
    with _backend(planner, to_run, options, reporter) as client, importing_from(planner.config.directory):
        launcher = PlanLauncher(Resolver(to_run.plan, to_run.backend, to_run.secrets), client, reporter)
        names = [stage.name for stage in to_run.stages]
        skipped = [stage.name for stage in to_run.plan.stages if stage.name not in names]
        runner = _Runner(planner, client, launcher, to_run.registry, skipped)
        debug: DebugContext = {}
        for planned_stage in to_run.stages:
            reporter.event(StageStarted(planned_stage.name))
            if planned_stage.has_code:
                stage = next(stage for stage in to_run.plan.stages if stage.name == planned_stage.name)
                debug = runner.run_code(stage, debug)
            else:
                for spec in planned_stage.operations:
                    launcher.start_spec(spec).wait()
        launcher.wait_for_the_rest()
        tables = client.location
    result = RunResult(len(to_run.stages), len(launcher.started), time.perf_counter() - started, tables)
    reporter.event(RunDone(result))
    return result


def _backend(
    planner: Planner, to_run: PlannedRun, options: RunOptions, reporter: Reporter
) -> AbstractContextManager[Client]:
    specs = tuple(spec for stage in to_run.stages for spec in stage.operations)
    code = Code(to_run.plan, specs, options.archive)
    keep, strict = options.keep_sandboxes, options.strict
    return backends.opened(planner, code, reporter, to_run.secrets, keep_sandboxes=keep, strict=strict)


def _selected(planner: Planner, options: RunOptions) -> tuple[str, ...]:
    """Return the names of the stages to run; raises `ConfigError` for one that is not enabled."""
    enabled = planner.config.enabled_stages
    named = (*options.stages, *([options.first] if options.first else ()))
    check_stage_selection(planner.config, named)
    if options.first is None:
        return options.stages or enabled
    if options.stages:
        raise ConfigError("--from and names of stages exclude each other", "give the names, or where to begin")
    return enabled[enabled.index(options.first) :]


class _Runner:
    """Runs the code of single stages."""

    def __init__(
        self,
        planner: Planner,
        client: Client,
        launcher: PlanLauncher,
        registry: StageRegistry | None,
        skipped: list[str],
    ) -> None:
        self._workspace = planner
        self._client = client
        self._launcher = launcher
        self._registry = registry
        self._skipped = ", ".join(skipped)

    @cached_property
    def _deps(self) -> StageDependencies:
        """What stages share; made when the first one needs it, because OmegaConf is slow to import."""
        config = self._workspace.config
        data = documents.read(config.path, config.label)
        return StageDependencies(
            yt_client=self._client,
            pipeline_config=documents.load_omegaconf(data, config.label, self._workspace.overrides),
            configs_dir=os.path.dirname(config.path),
        )

    def run_code(self, stage: StageConfig, debug: DebugContext) -> DebugContext:
        """Run a stage's `stage.py`; return what it hands on."""
        config: Any = documents.load_omegaconf(documents.read(stage.config_path, stage.label), stage.label)
        logger = logging.getLogger(f"ytbuild.stage.{stage.name}")
        context = StageContext(stage.name, config, self._deps, logger, self._launcher)
        try:
            found = self._registry.stage_class(stage.name) if self._registry else stage_class(stage)
            assert found is not None
            handed_on = found(context).run(debug)
        except YtbuildError as error:
            error.message = traces.place(error, self._workspace.config.directory) + error.message
            raise
        except SystemExit as error:
            raise OperationFailed(
                f"stages/{stage.name}/stage.py called sys.exit({error.code!r})",
                "return from run() to end a stage, raise an exception to fail it",
            ) from error
        except Exception as error:
            hint = "correct stage.py"
            if "yson bindings" in str(error).lower() or "yt_yson_bindings" in str(error):
                hint = "pip install ytsaurus-yson: TypedJobs, which run on a cluster only, need it"
            if self._skipped and isinstance(error, KeyError):
                hint += f"; `debug` lacks what the stages before hand on, and these were not run: {self._skipped}"
            raise OperationFailed(f"the stage {stage.name!r} failed:\n{traces.own(error)}", hint) from error
        if handed_on is not None and not isinstance(handed_on, dict):
            raise OperationFailed(
                f"stages/{stage.name}/stage.py: run() returned {type(handed_on).__name__}, not a dict",
                "return `debug`, a dict for the next stage, or nothing",
            )
        return debug if handed_on is None else handed_on
