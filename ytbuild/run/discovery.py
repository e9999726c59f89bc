"""Finding the stage class in a `stage.py`; only enabled stages are imported."""

from __future__ import annotations

import importlib.util
import inspect
import os
import sys

from ytbuild.base.errors import StageError
from ytbuild.config.stage import StageConfig
from ytbuild.run.stage import BaseStage


def stage_class(stage: StageConfig) -> type[BaseStage] | None:
    """Return the class of a stage, None when it has no `stage.py`.

    It is the one subclass of `BaseStage` defined in the file that no other there derives from. Raises `StageError`
    when there is none or more than one; what the file itself raises when it is executed keeps its traceback.
    """
    path = os.path.join(stage.directory, "stage.py")
    if not os.path.isfile(path):
        return None
    name = f"stages.{stage.name}.stage"
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None and spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    own = [
        value
        for value in vars(module).values()
        if inspect.isclass(value) and issubclass(value, BaseStage) and value.__module__ == name
    ]
    leaves = [value for value in own if not any(other is not value and issubclass(other, value) for other in own)]
    label = f"stages/{stage.name}/stage.py"
    if len(leaves) > 1:
        names = ", ".join(leaf.__name__ for leaf in leaves)
        raise StageError(f"{label} defines more than one stage: {names}", "keep one, and move the others away")
    if not leaves:
        raise StageError(
            f"{label} defines no stage", "write `class Something(BaseStage)` with a method run(self, debug)"
        )
    return leaves[0]
