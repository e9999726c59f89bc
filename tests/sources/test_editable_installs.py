"""Editable installs: `.pth` files and the finders that setuptools puts on `sys.meta_path`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support import Pipeline

pytestmark = pytest.mark.quick

# What a site-packages folder does with its .pth files, for a folder on PYTHONPATH, where Python ignores them.
SITECUSTOMIZE = "import os, site; site.addsitedir(os.path.join(os.path.dirname(__file__), 'packages'))\n"

# After setuptools' command/editable_wheel.py: a finder for packages, another for namespaces.
FINDER = """\
import sys
from importlib.machinery import ModuleSpec, PathFinder
from importlib.util import spec_from_file_location
from itertools import chain
from pathlib import Path

MAPPING = {mapping!r}
NAMESPACES = {namespaces!r}
PLACEHOLDER = "__editable__.ours-1.0.finder.__path_hook__"


class _EditableFinder:
    @classmethod
    def find_spec(cls, fullname, path=None, target=None):
        for name, location in MAPPING.items():
            if fullname == name or fullname.startswith(name + "."):
                rest = fullname.replace(name, "", 1).strip(".").split(".")
                return cls._find_spec(fullname, Path(location, *filter(None, rest)))
        return None

    @classmethod
    def _find_spec(cls, fullname, candidate):
        for path in (candidate / "__init__.py", Path(str(candidate) + ".py")):
            if path.exists():
                return spec_from_file_location(fullname, path)


class _EditableNamespaceFinder:
    @classmethod
    def _path_hook(cls, path):
        if path == PLACEHOLDER:
            return cls
        raise ImportError

    @classmethod
    def find_spec(cls, fullname, target=None, *_):
        if fullname in NAMESPACES:
            spec = ModuleSpec(fullname, None, is_package=True)
            spec.submodule_search_locations = [*NAMESPACES[fullname], PLACEHOLDER]
            return spec
        return None

    @classmethod
    def find_module(cls, fullname):
        return None


def install():
    sys.meta_path.append(_EditableFinder)
    if NAMESPACES:
        sys.path_hooks.append(_EditableNamespaceFinder._path_hook)
        sys.path.append(PLACEHOLDER)
"""


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A source checkout with a package, a single-file module and a namespace package that note when they run."""
    folder = tmp_path / "checkout" / "src"
    for path in ("ours/__init__.py", "ours/deep/x.py", "single.py", "space/one/__init__.py", "space/two.py"):
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_text(f"open({str(tmp_path / 'ran')!r}, 'w').close()\n")
    return folder


@pytest.fixture
def hook(tmp_path: Path) -> Path:
    """A folder for PYTHONPATH whose `packages` Python treats as a site-packages folder."""
    folder = tmp_path / "hook"
    (folder / "packages").mkdir(parents=True)
    (folder / "sitecustomize.py").write_text(SITECUSTOMIZE)
    return folder


def _install_path(hook: Path, checkout: Path) -> None:
    (hook / "packages" / "_ours.pth").write_text(f"{checkout}\n")


def _install_finder(hook: Path, checkout: Path) -> None:
    mapping = {"ours": str(checkout / "ours"), "single": str(checkout / "single")}
    finder = FINDER.format(mapping=mapping, namespaces={"space": [str(checkout / "space")]})
    (hook / "packages" / "__editable___ours_finder.py").write_text(finder)
    line = "import __editable___ours_finder; __editable___ours_finder.install()\n"
    (hook / "packages" / "__editable__.ours-1.0.pth").write_text(line)


INSTALLS = [pytest.param(_install_path, id="pth"), pytest.param(_install_finder, id="finder")]
CASES = [
    ("ours", ["ours/__init__.py", "ours/deep/x.py"]),
    ("ours.deep", ["ours/__init__.py", "ours/deep/x.py"]),
    ("single", ["single.py"]),
    ("space.one", ["space/one/__init__.py"]),
    ("space.two", ["space/two.py"]),
]


@pytest.mark.parametrize("install", INSTALLS)
@pytest.mark.parametrize(("name", "expected"), CASES, ids=[name for name, _ in CASES])
def test_an_editable_install_ships_from_its_checkout_without_running(
    pipeline: Pipeline, hook: Path, checkout: Path, tmp_path: Path, install: object, name: str, expected: list[str]
) -> None:
    assert callable(install)
    install(hook, checkout)
    pipeline.configure(f"upload_modules: [{name}]")
    pipeline.build(PYTHONPATH=str(hook))
    assert [member for member in pipeline.names() if member.startswith(("ours", "single", "space"))] == expected
    assert not (tmp_path / "ran").exists()


def test_the_pipeline_s_own_package_comes_before_an_editable_install(
    pipeline: Pipeline, hook: Path, checkout: Path
) -> None:
    _install_finder(hook, checkout)
    pipeline.write("ours/__init__.py")
    pipeline.configure("upload_modules: [ours]")
    pipeline.build(PYTHONPATH=str(hook))
    assert "ours/__init__.py" in pipeline.names() and "ours/deep/x.py" not in pipeline.names()


def test_a_finder_of_the_old_kind_does_no_harm(pipeline: Pipeline, hook: Path, checkout: Path) -> None:
    _install_finder(hook, checkout)
    old = "type('Old', (), {'find_module': lambda self, name, path=None: None})()"
    (hook / "packages" / "old.pth").write_text(f"import sys; sys.meta_path.insert(0, {old})\n")
    pipeline.configure("upload_modules: [ours]")
    pipeline.build(PYTHONPATH=str(hook))
    assert "ours/__init__.py" in pipeline.names()
