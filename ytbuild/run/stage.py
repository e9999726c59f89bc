"""What a `stage.py` is made of: `BaseStage`, and what it is given."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from ytbuild.backends.base import Client, OperationHandle, OperationResult
    from ytbuild.run.operation_specs import Given

DebugContext = dict[str, Any]
"""What stages hand on to one another within a run."""


@dataclass(frozen=True)
class StageDependencies:
    """What every stage may use: the client of the backend, and the pipeline's configuration (OmegaConf)."""

    yt_client: Client
    pipeline_config: Any
    configs_dir: str


class Launcher(Protocol):
    """Starts the operations of stage code."""

    def run(self, context: StageContext, kind: str, block: Any, given: Given) -> OperationResult:
        """Run an operation to its end."""
        ...

    def start(self, context: StageContext, kind: str, block: Any, given: Given) -> OperationHandle:
        """Start an operation."""
        ...


@dataclass(frozen=True)
class StageContext:
    """What `run_map` and the others need of a stage; every stage has it as `self.context`."""

    name: str
    config: Any
    deps: StageDependencies
    logger: logging.Logger
    launcher: Launcher = field(repr=False)


class BaseStage(ABC):
    """The base of the class in a stage's `stage.py`.

    `config` is the stage's `config.yaml` as an OmegaConf mapping, `deps` what all stages share, `logger` writes to
    the run's log, and `context` is what `run_map` and the others take.
    """

    def __init__(self, context: StageContext) -> None:
        self.context = context
        self.name = context.name
        self.config = context.config
        self.deps = context.deps
        self.logger = context.logger

    @abstractmethod
    def run(self, debug: DebugContext) -> DebugContext | None:
        """Do the stage's work; what is returned, or `debug` itself when it is None, goes to the next stage."""
