"""The reference page against the code: every function, type and pragma is there, and nothing else."""

from __future__ import annotations

import pytest

from tests.docs import pages
from ytbuild.yql.binding import expression_binder, pragmas
from ytbuild.yql.binding.aggregates import AGGREGATES
from ytbuild.yql.binding.constructors import CONSTRUCTORS
from ytbuild.yql.binding.functions import SCALARS
from ytbuild.yql.binding.types import TYPES

pytestmark = pytest.mark.quick

PAGE = pages.read(pages.REFERENCE / "yql.md")


def tabled(heading: str) -> list[tuple[str, str]]:
    """Return the first two cells of a section's tables, without their backticks."""
    text = pages.section(PAGE, heading).split("\n##")[0]
    return [(cells[0].strip("`"), cells[1].strip("` |")) for cells in pages.rows(text)]


@pytest.mark.parametrize(
    ("heading", "functions"),
    [
        ("## Functions", [(entry.name, entry.signature) for entry in SCALARS.values()]),
        ("### Literals of other types", [(entry.name, entry.signature) for entry in CONSTRUCTORS.values()]),
        ("### Aggregate functions", [(entry.name, entry.signature) for entry in AGGREGATES.values()]),
    ],
)
def test_the_functions(heading: str, functions: list[tuple[str, str]]) -> None:
    assert tabled(heading) == functions


def test_the_functions_of_time() -> None:
    assert tuple(pages.code_spans(pages.section(PAGE, "### The current time"))) == tuple(expression_binder.NOW)


def test_the_types() -> None:
    assert [name for name, _ in tabled("## Types")] == list(TYPES)


def test_the_pragmas() -> None:
    named = pages.code_spans(pages.section(PAGE, "## Pragmas"))
    assert named == [*pragmas.IGNORED, *pragmas.HONOURED, *pragmas.REFUSED]


def test_no_pragma_is_in_two_lists() -> None:
    names = [name.lower() for name in (*pragmas.IGNORED, *pragmas.HONOURED, *pragmas.REFUSED)]
    assert len(names) == len(set(names))
