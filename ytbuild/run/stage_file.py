"""Importing stage code, and finding the stage class in a `stage.py`; only enabled stages are imported."""

from __future__ import annotations

import contextlib
import importlib.util
import inspect
import os
import sys
from collections.abc import Iterator
from types import ModuleType

from ytbuild.base.errors import StageError
from ytbuild.config.stage import StageConfig
from ytbuild.run.stage import BaseStage


@contextlib.contextmanager
def importing_from(directory: str) -> Iterator[None]:
    """Let code import from the pipeline's folder, without writing bytecode, until the block ends.

    What was imported from there is forgotten afterwards: the next pipeline in this process may have modules of the
    same names.
    """
    path, writes_none, known = sys.path[:], sys.dont_write_bytecode, set(sys.modules)
    # Nothing is written outside .build and .dev, bytecode included.
    sys.dont_write_bytecode = True
    importlib.invalidate_caches()
    if directory not in sys.path:
        sys.path.insert(0, directory)
    try:
        yield
    finally:
        sys.path[:], sys.dont_write_bytecode = path, writes_none
        new = {name: module for name, module in sys.modules.copy().items() if name not in known}
        # Not all that lies below: a virtual environment in the folder keeps its modules, which load only once.
        own = {name for name, module in new.items() if "." not in name and directory in _folders(module)}
        for name in new:
            if name.split(".")[0] in own | {"stages"}:
                del sys.modules[name]


def _folders(module: ModuleType) -> set[str]:
    """Return the folders that a top-level module or package lies in."""
    # Not getattr: some modules import others when they are asked for a name.
    own = getattr(module, "__dict__", {})
    return {os.path.dirname(place) for place in (own.get("__file__"), *(own.get("__path__") or ())) if place}


def stage_class(stage: StageConfig) -> type[BaseStage]:
    """Return the class of a stage that has a `stage.py`.

    It is the one subclass of `BaseStage` defined in the file that no other there derives from. Raises `StageError`
    when there is none or more than one; what the file itself raises when it is executed keeps its traceback.
    """
    path = os.path.join(stage.directory, "stage.py")
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
