"""What one client sends and the other does not, command by command.

A request is a set of facts, such as `parameters in | | body` or `type | spec(map)/pool | text`. A difference is a
fact of ours that no official request of the same command has, or a name that all of theirs have and one of ours
lacks. The parts of a batch are commands of their own: `get in a batch`.
"""

from __future__ import annotations

import json
import tomllib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

_WORDS = frozenset({"input_format", "output_format", "format", "type", "mode", "operation_type", "engine", "stage"})
_WORDS |= {"job_state", "sort_order"}
"""Parameters that have one of a few words, which is compared, too."""

_FREE = frozenset({"annotations", "attributes", "description", "secure_vault", "settings", "started_by", "input"})
"""Maps whose keys are the user's own: only that they are maps is compared."""

_NAMED = frozenset({"tasks", "environment"})
"""Maps whose keys are the user's names, for values of one shape."""

_MEANS_THE_SAME = "output_format"
"""A parameter that means the same in all commands: what is sent with one of them will do for another."""

_HEADERS = frozenset({"accept", "accept-encoding", "authorization", "content-encoding", "content-type", "expect"})
_HEADERS |= {"transfer-encoding"}


class Fact(NamedTuple):
    """Something that a request has."""

    what: str
    where: str
    value: str


@dataclass
class Shape:
    """What was seen of one command: all facts, the names that every request has, and those that any has."""

    facts: set[Fact] = field(default_factory=set)
    always: set[tuple[str, str]] = field(default_factory=set)
    count: int = 0

    def add(self, facts: set[Fact], names: set[tuple[str, str]]) -> None:
        """Take a request in."""
        self.always = self.always & names if self.count else names
        self.facts |= facts
        self.count += 1

    def places(self) -> set[str]:
        """Return the paths of all parameters that were seen."""
        return {fact.where for fact in self.facts if fact.what == "type"}


def shapes(lines: Iterable[Mapping[str, Any]]) -> dict[str, Shape]:
    """Return what lines of a recording show, by the commands' names."""
    by_command: dict[str, Shape] = {}
    for line in lines:
        for command, facts, names in _requests(line):
            by_command.setdefault(command, Shape()).add(facts, names)
    return by_command


def read(path: Path) -> list[dict[str, Any]]:
    """Return the lines of a recording."""
    return [json.loads(text) for text in path.read_text(encoding="utf-8").splitlines()]


def differences(ours: Mapping[str, Shape], official: Mapping[str, Shape]) -> list[str]:
    """Return a line for each difference: `command | what | where | value`."""
    everywhere = {
        fact for shape in official.values() for fact in shape.facts if fact.where.startswith(_MEANS_THE_SAME)
    }
    told: list[str] = []
    for command, shape in sorted(ours.items()):
        if command not in official:
            told.append(f"{command} | command never sent | |")
            continue
        known = official[command]
        if _MEANS_THE_SAME in known.places():
            known = Shape(known.facts | everywhere, known.always, known.count)
        told += [f"{command} | {' | '.join(fact)}" for fact in _extra(shape, known)]
        told += [f"{command} | missing {what} | {name} |" for what, name in sorted(known.always - shape.always)]
    return told


def _extra(shape: Shape, known: Shape) -> Iterator[Fact]:
    places, unknown = known.places(), ""
    for fact in sorted(shape.facts - known.facts, key=lambda fact: (fact.where, fact.what != "type", fact.value)):
        if fact.what not in ("type", "word") or fact.where in places:
            yield fact
        elif not unknown or not f"{fact.where}/".startswith(f"{unknown}/"):
            # What is in a value that is never sent is not sent either.
            unknown = fact.where
            yield Fact("parameter never sent", fact.where, fact.value)


def _requests(line: Mapping[str, Any]) -> Iterator[tuple[str, set[Fact], set[tuple[str, str]]]]:
    """Give command, facts and names of a request, and of the parts of a batch."""
    parameters = dict(line["parameters"])
    for part in parameters.get("requests", ()):
        own = {**part["parameters"], **({"input": part["input"]} if "input" in part else {})}
        yield f"{part['command']} in a batch", set(_of_parameters(own)), _names(own)
    if "requests" in parameters:
        parameters["requests"] = [dict.fromkeys(part, "") for part in parameters["requests"]]
    headers = {name.lower(): str(value) for name, value in line["headers"].items()}
    headers = {name: value for name, value in headers.items() if name in _HEADERS or name.startswith("x-yt-")}
    body = ", ".join(str(line["body"][key]) for key in ("type", "encoding", "sent") if line["body"].get(key))
    facts = {Fact("method", "", line["method"]), Fact("parameters in", "", line["parameters_in"])}
    facts |= {Fact("body", "", body), *(Fact("header", *header) for header in headers.items())}
    names = _names(parameters) | {("header", name) for name in headers}
    yield line["command"], facts | set(_of_parameters(parameters)), names


def _names(parameters: Mapping[str, Any]) -> set[tuple[str, str]]:
    return {("parameter", name) for name in parameters}


def _of_parameters(parameters: Mapping[str, Any]) -> Iterator[Fact]:
    for name, value in parameters.items():
        kind = parameters.get("operation_type")
        yield from _of_value(value, f"{name}({kind})" if name == "spec" and kind else name, name)


def _of_value(value: Any, where: str, key: str) -> Iterator[Fact]:
    if isinstance(value, dict) and "$attributes" in value:
        outer, *inner = _of_value(value["$value"], where, key)
        yield outer._replace(value=f"{outer.value} with attributes")
        yield from inner
        for name, one in value["$attributes"].items():
            yield from _of_value(one, f"{where}/@{name}", name)
        return
    yield Fact("type", where, _type(value))
    if isinstance(value, str) and key in _WORDS:
        yield Fact("word", where, value)
    if isinstance(value, dict) and key not in _FREE and not _is_scalar(value):
        for name, one in value.items():
            yield from _of_value(one, f"{where}/{'*' if key in _NAMED else name}", name)
    if isinstance(value, list):
        for one in value:
            yield from _of_value(one, f"{where}/[]", key)


def _is_scalar(value: Mapping[str, Any]) -> bool:
    return len(value) == 1 and next(iter(value)) in ("$uint64", "$double", "$bytes")


def _type(value: Any) -> str:
    if isinstance(value, dict) and _is_scalar(value):
        return next(iter(value))[1:]
    if isinstance(value, str):
        # A proxy takes such a text as it is: for the name of a format, say.
        return "text with attributes in it" if value.startswith("<") and "=" in value.partition(">")[0] else "text"
    names = {dict: "map", list: "list", bool: "boolean", int: "int64", float: "double", type(None): "entity"}
    return names[type(value)]


def intended(path: Path) -> dict[str, str]:
    """Return the differences that are meant, and the reason of each."""
    with path.open("rb") as file:
        groups = tomllib.load(file)["intended"]
    return {line: group["reason"] for group in groups for line in group["differences"]}
