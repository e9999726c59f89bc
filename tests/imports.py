"""What a Python file imports, in every form that an import has, read from its text: nothing is executed."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Set
from dataclasses import dataclass
from pathlib import Path

_DOTTED = re.compile(r"(\.*)(\w+(?:\.\w+)*)(?::[\w.]+)?")
_IN_ONE_ROOM = re.compile(r"\w+\.\w+\.")
_LOADERS = ("import_module", "__import__")


@dataclass(frozen=True)
class Import:
    """One module of the tree that a file imports, and where."""

    module: str
    line: int


@dataclass(frozen=True)
class File:
    """A file of the tree: its module's full name, whether it is a package's `__init__`, and its text."""

    module: str
    is_package: bool
    text: str

    @property
    def package(self) -> str:
        """The package that relative imports start from."""
        return self.module if self.is_package else self.module.rpartition(".")[0]


def files(root: Path) -> dict[str, File]:
    """Return the files of a package by the full names of their modules."""
    read: dict[str, File] = {}
    for path in sorted(root.rglob("*.py")):
        parts = [root.name, *path.relative_to(root).with_suffix("").parts]
        is_package = parts[-1] == "__init__"
        module = ".".join(parts[:-1] if is_package else parts)
        read[module] = File(module, is_package, path.read_text(encoding="utf-8"))
    return read


def imports(file: File, modules: Set[str]) -> list[Import]:
    """Return what a file imports of `modules`: statements anywhere in it, and texts that name a module.

    A text counts whoever is called with it (`importlib.import_module("a.b")`, a table of modules, `-m a.b`): a name
    that is loaded later is an arrow like any other. `from a import b` is `a.b` where that is a module, else `a`.
    """
    return [Import(module, node.lineno) for node in _nodes(file) for module in _named(node, file, modules)]


def unreadable(file: File) -> list[int]:
    """Return the lines that import a module by a name that stands nowhere in the text."""
    return [
        node.lineno
        for node in _nodes(file)
        if isinstance(node, ast.Call)
        and _called(node) in _LOADERS
        and not (node.args and _names_a_room(node.args[0]))
    ]


def _nodes(file: File) -> Iterator[ast.expr | ast.stmt]:
    """Yield every statement and expression of a file, in functions and for the type checker as well."""
    return (node for node in ast.walk(ast.parse(file.text)) if isinstance(node, ast.expr | ast.stmt))


def _named(node: ast.expr | ast.stmt, file: File, modules: Set[str]) -> Iterator[str]:
    if isinstance(node, ast.Import):
        yield from (_known(alias.name, modules) for alias in node.names if _known(alias.name, modules))
    elif isinstance(node, ast.ImportFrom):
        base = _absolute(node.level, node.module or "", file.package)
        for alias in node.names:
            if f"{base}.{alias.name}" in modules:
                yield f"{base}.{alias.name}"
            elif not alias.name.startswith("__") and _known(base, modules):
                yield _known(base, modules)
    elif isinstance(node, ast.Constant | ast.JoinedStr):
        match = _DOTTED.fullmatch((_text(node) or "").rstrip("."))
        module = _known(_absolute(len(match[1]), match[2], file.package), modules) if match else ""
        if "." in module:
            yield module


def _names_a_room(node: ast.expr) -> bool:
    """Tell whether a loader's argument is a constant, or an f-string that varies only inside of one room."""
    text = _text(node) or ""
    return bool(_IN_ONE_ROOM.match(text)) if isinstance(node, ast.JoinedStr) else bool(text)


def _text(node: ast.expr) -> str | None:
    """Return a constant text, or what an f-string begins with."""
    if isinstance(node, ast.JoinedStr):
        node = node.values[0] if node.values else node
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else None


def _called(node: ast.Call) -> str:
    return node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")


def _absolute(level: int, name: str, package: str) -> str:
    """Return the full name of a module that is named relative to a package; level 0 is a full name already."""
    if not level:
        return name
    parents = package.split(".")[: len(package.split(".")) - level + 1]
    return ".".join([*parents, *filter(None, [name])])


def _known(name: str, modules: Set[str]) -> str:
    """Return the longest beginning of a dotted name that is a module, or nothing."""
    while name and name not in modules:
        name = name.rpartition(".")[0]
    return name
