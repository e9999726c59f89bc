"""Runs at the start of every Python of a dev job: what would not be on the cluster is not importable here.

Python imports `sitecustomize` from the path on its own (https://docs.python.org/3/library/site.html). The folder of
this file is the last entry of a dev job's PYTHONPATH. What it hides is told by the variable YTBUILD_DEV_SITE: the
pipeline's folder, in which nothing is importable but the sandbox and the interpreter's own packages, and the names
of packages that are installed here only because ytbuild needs them.

Every job pays for what is imported here: nothing is that the interpreter has not loaded already.
"""

from __future__ import annotations

import os
import sys

TYPE_CHECKING = False
if TYPE_CHECKING:
    import importlib.machinery
    from collections.abc import Sequence
    from types import ModuleType

_HERE = os.path.dirname(os.path.abspath(__file__))


class _Hider:
    """A finder that goes before all others and refuses what they find in the wrong place."""

    def __init__(self, pipeline: str, allowed: list[str], only_for_ytbuild: list[str]) -> None:
        self._pipeline = _folder(pipeline)
        self._allowed = [*map(_folder, allowed), _folder(sys.prefix), _folder(sys.base_prefix)]
        self._only_for_ytbuild = frozenset(only_for_ytbuild)

    def is_hidden(self, path: str) -> bool:
        """Tell whether a path lies in the pipeline's working tree."""
        real = os.path.realpath(path) + "/"
        return real.startswith(self._pipeline) and not real.startswith(tuple(self._allowed))

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: ModuleType | None = None
    ) -> importlib.machinery.ModuleSpec | None:
        """Find a top-level module as the other finders do; raise for one that is hidden."""
        if path is not None or "." in name:
            return None
        hidden = ""
        for finder in sys.meta_path:
            if finder is self or not hasattr(finder, "find_spec"):
                continue
            spec = finder.find_spec(name, None, target)
            if spec is None:
                continue
            places = [spec.origin] if spec.origin else list(spec.submodule_search_locations or ())
            if places and all(os.path.isabs(place) and self.is_hidden(place) for place in places):
                hidden = places[0]
            elif name in self._only_for_ytbuild and not self._ships(places):
                raise ModuleNotFoundError(
                    f"No module named {name!r} (it is installed here because ytbuild itself needs it, and the "
                    f"cluster's image may not have it: add it to the stage's requirements.txt, or to "
                    f"pipeline.upload_modules)",
                    name=name,
                )
            else:
                return spec
        if hidden:
            raise ModuleNotFoundError(
                f"No module named {name!r} (it is installed from {hidden}, inside the pipeline, and is not in the "
                f"archive: add it to pipeline.upload_modules or pipeline.upload_paths)",
                name=name,
            )
        return None

    def _ships(self, places: list[str]) -> bool:
        shipped = tuple(self._allowed[:-2])
        return any((os.path.realpath(place) + "/").startswith(shipped) for place in places)


def _folder(path: str) -> str:
    return os.path.realpath(path).rstrip("/") + "/"


def _install(settings: str) -> None:
    """Hide what the settings say: three fields with \\x1e between them, the last two lists with \\x1f."""
    pipeline, allowed, only_for_ytbuild = settings.split("\x1e")
    hider = _Hider(pipeline, allowed.split("\x1f"), only_for_ytbuild.split("\x1f"))
    sys.path[:] = [path for path in sys.path if not path or not hider.is_hidden(path)]
    sys.meta_path.insert(0, hider)


def _run_the_other_sitecustomize() -> None:
    """Run the machine's own `sitecustomize`, which this one stands in front of."""
    import importlib.machinery

    others = [path for path in sys.path if os.path.abspath(path) != _HERE]
    spec = importlib.machinery.PathFinder.find_spec("sitecustomize", others)
    if spec is not None and spec.loader is not None:
        import importlib.util

        spec.loader.exec_module(importlib.util.module_from_spec(spec))


if "YTBUILD_DEV_SITE" in os.environ:
    _install(os.environ["YTBUILD_DEV_SITE"])
    sys.path[:] = [path for path in sys.path if os.path.abspath(path) != _HERE]
    _run_the_other_sitecustomize()
