"""Faults that tests order: which request they hit, and what happens to it."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from tests.cluster import errors
from tests.cluster.errors import ClusterError, generic

if TYPE_CHECKING:
    from tests.cluster.state import State

# Kinds that are error answers: these also hit commands inside execute_batch.
ERRORS: dict[str, Any] = {
    "401": errors.not_authenticated,
    "901": lambda: errors.access_denied("root", "//tmp"),
    "402": lambda: ClusterError(
        402,
        'Cannot take "exclusive" lock for node //tmp since "exclusive" lock is taken by concurrent transaction 1-2',
    ),
    "501": lambda: errors.already_exists("//tmp"),
    "902": lambda: errors.account_limit("tmp", 100, 100),
    "202": lambda: errors.too_many_operations("research", 1),
    "904": lambda: ClusterError(904, 'Request queue size limit exceeded for user "root"'),
    "11000": lambda: errors.no_such_transaction("1-2-3-4"),
    "500": lambda: errors.no_such_node("//tmp/missing", 'Node //tmp has no child with key "missing"'),
    "1915": lambda: errors.no_such_operation("1-2-3-4"),
    "307": lambda: errors.schema_violation("Invalid type of column"),
}
# Kinds that happen to the connection or to the answer as a whole.
TRANSPORT = ("reset_before", "reset_after", "503", "html502", "hang", "short_body", "trailer_error")


@dataclass
class Rule:
    """One order."""

    command: str
    kind: str
    nth: int | str = 1
    count: int = 1
    options: dict[str, Any] = field(default_factory=dict)
    seen: int = 0
    applied: int = 0

    def hits(self, command: str, path: str, kinds: Collection[str] | None) -> bool:
        """Count a matching request; whether it is hit."""
        if self.command not in (command, "*") or (kinds is not None and self.kind not in kinds):
            return False
        if self.options.get("path", "") not in path:
            return False
        self.seen += 1
        if self.nth != "every" and not int(self.nth) <= self.seen < int(self.nth) + self.count:
            return False
        self.applied += 1
        return True

    def error(self) -> ClusterError:
        """The error answer that this kind stands for; `code` and `message` options override it."""
        found: ClusterError = ERRORS[self.kind]() if self.kind in ERRORS else generic("Ordered by the test")
        code = self.options.get("code", found.code)
        return ClusterError(code, self.options.get("message", found.message), found.attributes, found.inner_errors)


class Faults:
    """The orders that stand."""

    def __init__(self) -> None:
        self.rules: list[Rule] = []

    def clear(self) -> None:
        """No more faults."""
        self.rules = []

    def take(self, command: str, path: str, kinds: Collection[str] | None = None) -> Rule | None:
        """The rule that hits this request, if one does."""
        found = [rule for rule in self.rules if rule.hits(command, path, kinds)]
        return found[0] if found else None


def _faults(state: State, payload: Any) -> Any:
    if payload.get("clear"):
        state.faults.clear()
    elif "command" in payload:
        options = dict(payload)
        command, kind = options.pop("command"), str(options.pop("kind"))
        kind = {"502": "html502", "html": "html502", "html502": "html502"}.get(kind, kind)
        if kind not in ERRORS and kind not in TRANSPORT and kind != "error":
            raise generic(f"No such kind of fault: {kind}")
        rule = Rule(command, kind, options.pop("nth", 1), options.pop("count", 1), options)
        state.faults.rules.append(rule)
    return [
        {"command": rule.command, "kind": rule.kind, "seen": rule.seen, "applied": rule.applied}
        for rule in state.faults.rules
    ]


CONTROL = {"faults": _faults}
