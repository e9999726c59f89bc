"""Commands of the YTsaurus API, version 4, and the answers to them (YTsaurus docs, "Commands")."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ytbuild.base.errors import ClusterError
from ytbuild.cluster.error_codes import RESOLVE_ERROR

_BARE = frozenset({"get", "list"})
"""Commands that answer with the value itself when they are asked to, as the official client asks them."""


@dataclass(frozen=True)
class Command:
    """One command with its parameters and its input."""

    name: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    input: Any = None

    @property
    def label(self) -> str:
        """What it does, and to which path."""
        paths = (self.parameters.get(name) for name in ("path", "destination_path", "link_path"))
        return f"{self.name} {next(filter(None, paths), '')}".strip()

    @property
    def sent_parameters(self) -> dict[str, Any]:
        """The parameters as they are sent."""
        return {**self.parameters, **({"return_only_value": True} if self.name in _BARE else {})}

    def value_of(self, answer: Any) -> Any:
        """Return the value in an answer to it."""
        return answer["value"] if self.name == "exists" else answer


@dataclass(frozen=True)
class Answer:
    """What a command of a batch gave: its value, or the error that it ended with."""

    value: Any = None
    error: ClusterError | None = None

    def get(self) -> Any:
        """Return the value; raises the error."""
        if self.error is not None:
            raise self.error
        return self.value

    def get_if_exists(self) -> Any:
        """Return the value, None when the path leads nowhere; raises every other error."""
        return None if self.has(RESOLVE_ERROR) else self.get()

    def has(self, *codes: int) -> bool:
        """Tell whether it ended with an error of one of these codes."""
        return self.error is not None and not self.error.codes.isdisjoint(codes)
