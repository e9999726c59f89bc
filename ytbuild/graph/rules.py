"""`rules/operations/*.yaml`: which legs an operation has, which scripts they look for, their wrapper template.

`common.yaml` is no kind: it has the keys for which `common` stands in the others.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ytbuild.base import shipped
from ytbuild.base.framing import framed
from ytbuild.config.documents import Documents
from ytbuild.config.stage import OperationKeys

KINDS = ("map", "vanilla", "map_reduce", "reduce", "sort", "yql")
_COMMON = "common"


@dataclass(frozen=True)
class Leg:
    """One command of an operation.

    `setting` is the key of the operation block that names its script, `scripts` are the defaults, the first that
    exists wins, and `wrapper` is the name of the template.
    """

    name: str
    setting: str
    scripts: tuple[str, ...]
    wrapper: str


@dataclass(frozen=True)
class OperationRule:
    """What ytbuild knows of one kind of operation; `passed_on` are the keys for the cluster's spec."""

    kind: str
    legs: tuple[Leg, ...]
    keys: frozenset[str]
    passed_on: frozenset[str]


@dataclass(frozen=True)
class Rules:
    """All rules on operations, with the text that they were read from."""

    operations: dict[str, OperationRule]
    templates: dict[str, str]
    text: bytes

    def operation_keys(self) -> OperationKeys:
        """Return which keys the operation blocks of each kind may have."""
        return OperationKeys({kind: rule.keys | rule.passed_on for kind, rule in self.operations.items()})

    def legs(self) -> dict[str, Leg]:
        """Return every leg by its name."""
        return {leg.name: leg for rule in self.operations.values() for leg in rule.legs}


def load(documents: Documents) -> Rules:
    """Return the rules that ship with ytbuild."""
    texts = {name: shipped.rule(f"operations/{name}.yaml") for name in (_COMMON, *KINDS)}
    values = {name: documents.constant(text) for name, text in texts.items()}
    common = frozenset(values[_COMMON]["passed_on"])
    operations = {kind: _operation(kind, values[kind], common) for kind in KINDS}
    names = sorted({leg.wrapper for rule in operations.values() for leg in rule.legs})
    templates = {name: shipped.rule(f"wrappers/{name}") for name in names}
    text = framed((*texts.values(), *templates.values()))
    return Rules(operations, {name: data.decode() for name, data in templates.items()}, text)


def _operation(kind: str, values: dict[str, Any], common: frozenset[str]) -> OperationRule:
    legs = tuple(Leg(leg["name"], leg["setting"], tuple(leg["scripts"]), leg["wrapper"]) for leg in values["legs"])
    passed_on = frozenset(values["passed_on"])
    if _COMMON in passed_on:
        passed_on = passed_on - {_COMMON} | common
    return OperationRule(kind, legs, frozenset(values["keys"]), passed_on)
