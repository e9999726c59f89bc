"""The reader of imports behind tests/test_house.py: each form of an import, in a room that may not have it."""

from __future__ import annotations

import pytest

from tests import house
from tests.imports import File, files, unreadable

MODULES = files(house.PACKAGE).keys()

# Each of these in ytbuild/base/ reaches ytbuild/run/stage.py, or the room that it lies in.
FORMS = {
    "import": "import ytbuild.run.stage",
    "import under another name": "import os, ytbuild.run.stage as stage",
    "from a module": "from ytbuild.run.stage import StageContext",
    "a module from a room": "from ytbuild.run import stage",
    "a module among others": "from ytbuild.run import (\n    stage as other,\n    launcher,\n)",
    "a room from the package": "from ytbuild import run",
    "everything": "from ytbuild.run.stage import *",
    "relative module": "from ..run.stage import StageContext",
    "relative room": "from ..run import stage",
    "relative package": "from .. import run",
    "in a function": "def f():\n    from ytbuild.run import stage",
    "in a method": "class C:\n    async def f(self):\n        import ytbuild.run.stage",
    "in a class": "class C:\n    from ..run import stage",
    "in a condition": "if x:\n    pass\nelse:\n    import ytbuild.run.stage",
    "in a try": "try:\n    pass\nexcept E:\n    import ytbuild.run.stage",
    "in a match": "match x:\n    case 1:\n        import ytbuild.run.stage",
    "for the type checker": "if TYPE_CHECKING:\n    from ytbuild.run.stage import StageContext",
    "for the type checker, by its module": "if typing.TYPE_CHECKING:\n    from ..run import stage",
    "import_module": 'importlib.import_module("ytbuild.run.stage")',
    "import_module under another name": 'def f():\n    return load("ytbuild.run.stage")',
    "relative import_module": 'importlib.import_module("..run.stage", __package__)',
    "__import__": '__import__("ytbuild.run.stage")',
    "a room of which the module is computed": 'importlib.import_module(f"ytbuild.run.{name}")',
    "a table of modules": 'MODULES = {"stage": "ytbuild.run.stage"}',
    "an entry point": 'ENTRY = "ytbuild.run.stage:StageContext"',
    "a public name": "from ytbuild import StageContext",
    "the package": "import ytbuild",
}


def arrows(text: str, module: str = "ytbuild.base.text") -> list[str]:
    return house.forbidden_imports(File(module, False, text), MODULES)


@pytest.mark.parametrize("form", FORMS)
def test_an_arrow_up_is_noticed_in_every_form(form: str) -> None:
    assert arrows(FORMS[form])


@pytest.mark.parametrize("form", FORMS)
def test_the_same_form_is_allowed_downwards(form: str) -> None:
    if "ytbuild import" not in FORMS[form] and FORMS[form] != "import ytbuild":
        assert not arrows(FORMS[form].replace("run", "base").replace("stage", "text"), "ytbuild.run.stage")


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("ytbuild.backends.dev.client", "from ytbuild.backends.prod.client import ProdClient"),
        ("ytbuild.backends.dev.client", "from ytbuild.backends import prod"),
        ("ytbuild.backends.dev.client", "from ..prod import client"),
        ("ytbuild.backends.prod.client", "def f():\n    import ytbuild.backends.dev.client"),
        ("ytbuild.backends.base", "from ytbuild.backends.dev.client import DevClient"),
        ("ytbuild.backends.yql_helpers", "from .prod import client"),
        ("ytbuild.yql.duckdb.engine", "from ytbuild.backends import base"),
        ("ytbuild.yql.duckdb.engine", "from ...backends.dev import tables"),
        ("ytbuild.yql.binding.types", "from ytbuild.yql.duckdb import engine"),
        ("ytbuild.yql.syntax.tree", "from ..binding import types"),
        ("ytbuild.yql.requests.builder", "from ytbuild.yql.syntax import tree"),
        ("ytbuild.build", "from ytbuild.diff import compare"),
        ("ytbuild.build", "from . import upload"),
        ("ytbuild.config.pipeline", "from ytbuild import sources"),
        ("ytbuild.cluster.nodes", "from ytbuild.store import remote"),
        ("ytbuild.cli.main", "from ytbuild import script"),
    ],
)
def test_an_arrow_between_neighbours_is_noticed(module: str, text: str) -> None:
    assert arrows(text, module)


@pytest.mark.parametrize(
    ("module", "text"),
    [
        ("ytbuild.base.text", "import os, xxhash\nfrom collections.abc import Iterable"),
        ("ytbuild.base.text", "from .errors import YtbuildError\nfrom ytbuild.base import signals"),
        ("ytbuild.base.text", "from ytbuild import __version__"),
        ("ytbuild.base.text", '"""As ytbuild.run.stage does."""\nlogger = getLogger("ytbuild.stage.x")'),
        ("ytbuild.cli.main", 'import_module(f"ytbuild.cli.{name}")'),
        ("ytbuild.backends.dev.client", "from ytbuild.backends import base\nfrom ..yql_helpers import x"),
        ("ytbuild.yql.duckdb.engine", "from ..syntax import tree\nfrom ytbuild.yql.binding.types import Type"),
    ],
)
def test_what_is_allowed_is_no_arrow(module: str, text: str) -> None:
    assert arrows(text, module) == []


def test_a_name_that_stands_nowhere_in_the_text_is_unreadable() -> None:
    readable = 'import_module("yt.wrapper")\nimport_module(f"ytbuild.cli.{name}")\n'
    computed = 'import_module(name)\nimportlib.import_module(f"ytbuild.{x}")\n__import__(a + b)\n'
    assert unreadable(File("ytbuild.base.text", False, readable)) == []
    assert unreadable(File("ytbuild.base.text", False, computed)) == [1, 2, 3]


@pytest.mark.parametrize(
    "form",
    [
        "from p import b",
        "import p.b",
        "from .b import f",
        "class C:\n    from . import b",
        "def f():\n    from p import b",
        "if TYPE_CHECKING:\n    from p.b import f",
    ],
)
def test_a_circle_of_imports_is_noticed(form: str) -> None:
    package = {"p": File("p", True, ""), "p.a": File("p.a", False, form), "p.c": File("p.c", False, "")}
    assert house.circle(package | {"p.b": File("p.b", False, "from p.a import f")})
    assert not house.circle(package | {"p.b": File("p.b", False, "from p.c import f")})


def test_a_package_that_imports_its_own_files_is_no_circle() -> None:
    package = {
        "p": File("p", True, ""),
        "p.q": File("p.q", True, "from p.q.a import f"),
        "p.q.a": File("p.q.a", False, "from p.q import b"),
        "p.q.b": File("p.q.b", False, ""),
    }
    assert not house.circle(package)
    assert house.circle(
        package | {"p.c": File("p.c", False, "import p.q.a"), "p.q.b": File("p.q.b", False, "import p.c")}
    )
