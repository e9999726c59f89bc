"""ytbuild: build, diff, upload and run the code of YTsaurus pipelines."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

__version__ = "0.1.0"

if TYPE_CHECKING:
    from ytbuild.errors import YtbuildError as YtbuildError
    from ytbuild.run.stage import BaseStage as BaseStage
    from ytbuild.run.stage import StageDependencies as StageDependencies

# Loaded when first used: `import ytbuild` must not pay for what a command does not need.
_PUBLIC = {
    "BaseStage": "ytbuild.run.stage",
    "StageDependencies": "ytbuild.run.stage",
    "YtbuildError": "ytbuild.errors",
}

__all__ = ["BaseStage", "StageDependencies", "YtbuildError", "__version__"]


def __getattr__(name: str) -> Any:
    if name not in _PUBLIC:
        raise AttributeError(f"module 'ytbuild' has no attribute {name!r}")
    import importlib

    return getattr(importlib.import_module(_PUBLIC[name]), name)
