"""Where an importable name lies, found without importing or executing anything of it.

The search is Python's own (`importlib.machinery.PathFinder` and the finders that editable installs put on
`sys.meta_path`), but only ever for the last component of a name, with the folders given: looking up `a.b` by its
whole name would import `a`.
"""

from __future__ import annotations

import importlib.machinery as machinery
import os
import sys
from dataclasses import dataclass

from ytbuild.base.errors import ModuleLookupError, closest
from ytbuild.base.text import quote

_BUILTIN_FINDERS = (machinery.BuiltinImporter, machinery.FrozenImporter, machinery.PathFinder)


@dataclass(frozen=True)
class Module:
    """A package's folder or a module's file, and its place in the archive.

    `name` is the importable name that ships: the top-level package, or the named portion of a namespace package.
    """

    name: str
    path: str
    arcname: str


def locate(name: str, pipeline_dir: str) -> Module:
    """Return where the module that `name` belongs to lies: in the pipeline, then on `sys.path`.

    Raises `ModuleLookupError` when there is none, or when it is built in, in a zip, or spread over folders.
    """
    folders = [pipeline_dir, *(path for path in sys.path if path)]
    for path in folders:
        # The finders cache directory listings by mtime, which misses a file made in the same tick.
        sys.path_importer_cache.pop(path, None)
    parts = name.split(".")
    if parts[0] in sys.builtin_module_names or parts[0] in sys.stdlib_module_names:
        raise ModuleLookupError(
            f"upload_modules: {name} belongs to Python itself",
            "remove it: every job has the standard library",
        )
    for count, part in enumerate(parts, 1):
        spec = _find(part, folders, top=count == 1)
        shipped = ".".join(parts[:count])
        if spec is None:
            raise ModuleLookupError(
                f"upload_modules: there is no module {shipped}"
                + (" in the namespace package " + ".".join(parts[: count - 1]) if count > 1 else ""),
                _closest_module(part, pipeline_dir if count == 1 else "")
                or "install it, put it into the pipeline's folder, or ship its folder with upload_paths",
            )
        is_namespace = spec.origin is None and spec.submodule_search_locations is not None
        if not is_namespace:
            return _module(shipped, spec)
        folders = list(spec.submodule_search_locations or ())
    return _namespace(name, folders)


def _closest_module(name: str, folder: str) -> str:
    """Return a hint with the module of a folder whose name is closest; empty when there is none."""
    if not folder:
        return ""
    names = [entry.removesuffix(".py") for entry in os.listdir(folder)]
    return closest(name, (other for other in names if other.isidentifier()))


def _find(part: str, folders: list[str], top: bool) -> machinery.ModuleSpec | None:
    spec = machinery.PathFinder.find_spec(part, folders)
    if not top or (spec is not None and spec.origin is not None):
        return spec
    for finder in sys.meta_path:
        # Finders of the kind that Python 3.12 dropped have no find_spec.
        find_spec = getattr(finder, "find_spec", None)
        if find_spec is not None and finder not in _BUILTIN_FINDERS:
            editable: machinery.ModuleSpec | None = find_spec(part, None, None)
            if editable is not None:
                return editable
    return spec


def _module(name: str, spec: machinery.ModuleSpec) -> Module:
    origin = spec.origin or ""
    if not isinstance(spec.loader, machinery.SourceFileLoader | machinery.ExtensionFileLoader):
        kind = type(spec.loader).__name__
        raise ModuleLookupError(
            f"upload_modules: {name} is not in a plain file or folder ({quote(origin)}, found by {kind})",
            "a zip or a compiled-only module cannot be copied: install it unpacked, or ship it with upload_paths",
        )
    arcname = name.replace(".", "/")
    if spec.submodule_search_locations is not None:
        return Module(name, os.path.realpath(os.path.dirname(origin)), arcname)
    folder = os.path.dirname(arcname)
    return Module(name, os.path.realpath(origin), os.path.join(folder, os.path.basename(origin)))


def _namespace(name: str, folders: list[str]) -> Module:
    real = list(dict.fromkeys(map(os.path.realpath, folders)))
    if len(real) != 1:
        raise ModuleLookupError(
            f"upload_modules: {name} is a namespace package in {len(real)} folders: {', '.join(map(quote, real))}",
            f"name the part that you need, such as {name}.something",
        )
    return Module(name, real[0], name.replace(".", "/"))
