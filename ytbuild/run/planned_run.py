"""What a run would do: the stages that it selects, with all of their operations that is known beforehand."""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from ytbuild.backends.base import Backend, OperationSpec
from ytbuild.base.errors import ConfigError, OperationFailed, YtbuildError
from ytbuild.config import secrets
from ytbuild.config.stage import StageConfig
from ytbuild.graph.plan import Plan, Planner, check_stage_selection
from ytbuild.run import backend_choice, tracebacks
from ytbuild.run.operation_specs import SpecResolver

if TYPE_CHECKING:
    from ytbuild.run.stage_registry import PipelineScript, StageRegistry


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
class PlannedStage:
    """A stage that a run would run.

    `has_code` tells that its `stage.py` runs; `operations` are then those declared beside it, which it may start.
    """

    config: StageConfig
    has_code: bool
    operations: tuple[OperationSpec, ...]

    @property
    def name(self) -> str:
        """The stage's name."""
        return self.config.name


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

    @property
    def operations(self) -> tuple[OperationSpec, ...]:
        """The operations of all stages that are known beforehand."""
        return tuple(spec for stage in self.stages for spec in stage.operations)

    @property
    def skipped(self) -> tuple[str, ...]:
        """The names of the enabled stages that the run leaves out."""
        selected = {stage.name for stage in self.stages}
        return tuple(stage.name for stage in self.plan.stages if stage.name not in selected)


def plan_run(planner: Planner, options: RunOptions) -> PlannedRun:
    """Return what a run would do, checked as far as it can be known; only the script's `setup` runs.

    Raises a `UsageError` for whatever would not run.
    """
    backend = backend_choice.chosen(planner.config)
    selected = _selected(planner, options)
    registry = None if options.script is None else _registered(options.script)
    plan = planner.plan()
    known_secrets = secrets.load(planner.config.directory)
    resolver = SpecResolver(plan, backend, known_secrets)
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
        stages.append(PlannedStage(stage, has_code, tuple(specs)))
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
            f"setup() of the pipeline failed:\n{tracebacks.own(error)}", "correct pipeline.py"
        ) from error
    return pipeline.registry


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
