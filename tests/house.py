"""The house: the rooms of `ytbuild` in their order, and what breaks it."""

from __future__ import annotations

import graphlib
from collections.abc import Iterable, Mapping
from pathlib import Path

from tests.imports import File, imports

ROOT = Path(__file__).resolve().parents[1]
PACKAGE = ROOT / "ytbuild"

# A room may import from itself and from those before it. What shares a line does not know its neighbours.
ROOMS = (
    ("base",),
    ("config",),
    ("sources",),
    ("jobenv",),
    ("graph",),
    ("archive",),
    ("rows",),
    ("yql.requests",),
    ("yql.syntax",),
    ("yql.binding",),
    ("yql.duckdb",),
    ("cluster",),
    ("store",),
    ("build",),
    ("diff",),
    ("upload",),
    ("backends.base",),
    ("backends.dev", "backends.prod"),
    ("run",),
    ("api",),
    ("cli",),
    ("script",),
)
# What lies beside the rooms of a folder belongs to the first of them.
_BESIDE = {"backends": "backends.base", "backends.yql_helpers": "backends.base", "yql": "yql.requests"}
# The package itself and its start: they are above all rooms, and no room imports them.
OUTSIDE = ("ytbuild", "ytbuild.__main__")

_LEVEL = {room: level for level, line in enumerate(ROOMS) for room in line}


def room_of(module: str) -> str:
    """Return the room of a module of ytbuild, or "" for one that is in none."""
    parts = module.split(".")[1:]
    for length in (2, 1):
        name = ".".join(parts[:length])
        if name in _LEVEL or name in _BESIDE:
            return _BESIDE.get(name, name)
    return ""


def forbidden_imports(file: File, modules: Iterable[str]) -> list[str]:
    """Return the arrows that the order does not allow, each with its line."""
    room = room_of(file.module)
    return [
        f"{file.module}:{arrow.line} ({room}) imports {arrow.module} ({room_of(arrow.module) or 'outside'})"
        for arrow in imports(file, set(modules))
        if not _may_import(room, room_of(arrow.module))
    ]


def _may_import(room: str, other: str) -> bool:
    return room == other or (bool(other) and _LEVEL[other] < _LEVEL[room])


def circle(files: Mapping[str, File]) -> list[str]:
    """Return the modules of one circle of imports, lazy ones included, or nothing.

    A package's own files may name it: `__init__` hands on what they hold.
    """
    graph: dict[str, set[str]] = {}
    for module, file in files.items():
        imported = {name for arrow in imports(file, files.keys()) for name in _with_packages(arrow.module)}
        graph[module] = {name for name in imported if not _is_inside(module, name)}
    try:
        graphlib.TopologicalSorter(graph).prepare()
    except graphlib.CycleError as error:
        return list(error.args[1])
    return []


def _with_packages(module: str) -> list[str]:
    """Return a module and the packages that importing it imports; the root is outside."""
    parts = module.split(".")
    return [".".join(parts[:length]) for length in range(2, len(parts) + 1)]


def _is_inside(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")
