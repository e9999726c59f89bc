"""What a `stage.py` is made of: `BaseStage`, and what it is given."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ytbuild.clients.base import Client

DebugContext = dict[str, Any]
"""What stages hand on to one another within a run."""


@dataclass(frozen=True)
class StageDependencies:
    """What every stage may use: the client of the backend, and the pipeline's configuration (OmegaConf)."""

    yt_client: Client
    pipeline_config: Any
    configs_dir: str


class BaseStage(ABC):
    """The base of the class in a stage's `stage.py`.

    `config` is the stage's `config.yaml` as an OmegaConf mapping, `deps` what all stages share, and `logger` writes
    to the run's log.
    """

    def __init__(self, name: str, config: Any, deps: StageDependencies, logger: logging.Logger) -> None:
        self.name = name
        self.config = config
        self.deps = deps
        self.logger = logger

    @abstractmethod
    def run(self, debug: DebugContext) -> DebugContext | None:
        """Do the stage's work; what is returned, or `debug` itself when it is None, goes to the next stage."""
