"""ytbuild: build, diff, upload and run the code of YTsaurus pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.2.0.dev0"

# The public names, loaded when first used: `import ytbuild` must not pay for what a command does not need.
_PUBLIC = {
    "BasePipeline": "ytbuild.script",
    "BaseStage": "ytbuild.run.stage",
    "DebugContext": "ytbuild.run.stage",
    "DefaultPipeline": "ytbuild.script",
    "OperationFailed": "ytbuild.base.errors",
    "Reporter": "ytbuild.base.reporter",
    "RunOptions": "ytbuild.run.planned_run",
    "StageContext": "ytbuild.run.stage",
    "StageDependencies": "ytbuild.run.stage",
    "StageRegistry": "ytbuild.run.stage_registry",
    "Workspace": "ytbuild.api",
    "YtbuildError": "ytbuild.base.errors",
    "run_map": "ytbuild.run.operation_functions",
    "run_map_reduce": "ytbuild.run.operation_functions",
    "run_reduce": "ytbuild.run.operation_functions",
    "run_sort": "ytbuild.run.operation_functions",
    "run_vanilla": "ytbuild.run.operation_functions",
}

__all__ = [*_PUBLIC, "__version__"]

if TYPE_CHECKING:
    # What type checkers read: a test holds it to the list above.
    from ytbuild.api import Workspace as Workspace
    from ytbuild.base.errors import OperationFailed as OperationFailed
    from ytbuild.base.errors import YtbuildError as YtbuildError
    from ytbuild.base.reporter import Reporter as Reporter
    from ytbuild.run.operation_functions import run_map as run_map
    from ytbuild.run.operation_functions import run_map_reduce as run_map_reduce
    from ytbuild.run.operation_functions import run_reduce as run_reduce
    from ytbuild.run.operation_functions import run_sort as run_sort
    from ytbuild.run.operation_functions import run_vanilla as run_vanilla
    from ytbuild.run.planned_run import RunOptions as RunOptions
    from ytbuild.run.stage import BaseStage as BaseStage
    from ytbuild.run.stage import DebugContext as DebugContext
    from ytbuild.run.stage import StageContext as StageContext
    from ytbuild.run.stage import StageDependencies as StageDependencies
    from ytbuild.run.stage_registry import StageRegistry as StageRegistry
    from ytbuild.script import BasePipeline as BasePipeline
    from ytbuild.script import DefaultPipeline as DefaultPipeline


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ytbuild' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PUBLIC[name]), name)
