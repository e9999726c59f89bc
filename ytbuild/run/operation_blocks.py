"""The operation blocks that stage code hands to `run_map` and the others, checked like declared ones."""

from __future__ import annotations

from typing import Any

from ytbuild.base.errors import ConfigError
from ytbuild.config import stage as stage_config
from ytbuild.config.checks import Section
from ytbuild.config.stage import Operation, StageConfig
from ytbuild.graph.plan import Plan


def operation_of(plan: Plan, stage: StageConfig, kind: str, block: Any) -> Operation:
    """Return a block as an operation of `kind`; raises `ConfigError` for whatever is wrong in it."""
    section, name = _section(stage, kind, block)
    own = section.values.get("kind")
    if own not in (None, kind):
        raise section.error("kind", f"is {own!r}, and run_{kind} was called with it", f"call run_{own}")
    return stage_config.operation(section, name, kind, plan.rules.operation_keys())


def _section(stage: StageConfig, kind: str, block: Any) -> tuple[Section, str]:
    """Return a block's section, which knows where it stands in the file, and its name."""
    from omegaconf import DictConfig, OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    # A block that code made stands in no file.
    path, label = "", f"the operation_config of run_{kind}"
    keys: tuple[str, ...] = ()
    values = block
    if isinstance(block, DictConfig):
        if block._get_parent() is not None:
            path, label, keys = stage.config_path, stage.label, tuple(str(block._get_full_key("")).split("."))
        try:
            values = OmegaConf.to_container(block, resolve=True, throw_on_missing=True)
        except OmegaConfBaseException as error:
            said = str(error).strip().split("\n")[0]
            raise ConfigError(f"{label}: {'.'.join(keys)}: {said}", "give the value") from error
    if not isinstance(values, dict):
        raise ConfigError(
            f"stage {stage.name}: run_{kind} was given {type(block).__name__} as operation_config",
            "give a block of the stage's configuration: self.config.client.operations.<name>",
        )
    plain = {str(key): value for key, value in values.items()}
    return Section(path, label, keys, plain), keys[-1] if keys else kind
