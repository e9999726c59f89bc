"""What was asked of the stand-in: numbers of requests, bytes, and the requests themselves."""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from tests.cluster.formats import to_json

if TYPE_CHECKING:
    from tests.cluster.state import State

KEPT = 10_000


class Journal:
    """Counters and the last requests; `received` counts bodies as they travelled, `content` what they held."""

    def __init__(self) -> None:
        self.clear()

    def clear(self) -> None:
        """Start anew."""
        self.requests: Counter[str] = Counter()
        self.batched: Counter[str] = Counter()
        self.received: Counter[str] = Counter()
        self.content: Counter[str] = Counter()
        self.sent: Counter[str] = Counter()
        self.last: deque[dict[str, Any]] = deque(maxlen=KEPT)

    def note(self, command: str, parameters: dict[str, Any], headers: Mapping[str, str] | None) -> None:
        """One request over the wire, or (without headers) one inside execute_batch."""
        (self.requests if headers is not None else self.batched)[command] += 1
        shown = {name: value for name, value in (headers or {}).items() if name.lower() != "authorization"}
        path = parameters.get("path", parameters.get("destination_path", parameters.get("link_path")))
        entry = {"command": command, "path": None if path is None else str(path), "in_batch": headers is None}
        self.last.append({**entry, "parameters": to_json(parameters, False), "headers": shown})


def _counters(state: State, payload: Any) -> Any:
    journal = state.journal
    names = ("requests", "batched", "received", "content", "sent")
    return {name: dict(getattr(journal, name)) for name in names} | {"total": journal.requests.total()}


def _requests(state: State, payload: Any) -> Any:
    return list(state.journal.last)


def _reset(state: State, payload: Any) -> None:
    state.journal.clear()
    state.faults.clear()
    state.limits.clear()
    state.clock.shift = 0.0


CONTROL = {"counters": _counters, "requests": _requests, "reset": _reset}
