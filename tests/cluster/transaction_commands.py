"""Commands on transactions, and the control of time."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from tests.cluster.errors import ClusterError, generic, no_such_transaction
from tests.cluster.nodes import Node
from tests.cluster.requests import NO_TRANSACTION, Command, Request

if TYPE_CHECKING:
    from tests.cluster.state import State
    from tests.cluster.tree import Tree

DEFAULT_TIMEOUT = 15_000


def start_transaction(state: State, request: Request) -> Any:
    """`start_transaction`."""
    timeout = float(request.get("timeout") or DEFAULT_TIMEOUT) / 1000
    deadline = request.get("deadline")
    until = None if deadline is None else seconds_of(deadline)
    tx = state.transactions.start(request.transaction, timeout, request.get("attributes") or {}, until)
    return {"transaction_id": tx.id}


def _wanted(request: Request) -> str:
    if request.transaction is None:
        raise no_such_transaction(NO_TRANSACTION)
    return request.transaction


def ping_transaction(state: State, request: Request) -> Any:
    """`ping_transaction`."""
    state.transactions.ping(_wanted(request), bool(request.get("ping_ancestor_transactions")))
    return {}


def commit_transaction(state: State, request: Request) -> Any:
    """`commit_transaction`."""
    state.commit(_wanted(request))
    return {}


def abort_transaction(state: State, request: Request) -> Any:
    """`abort_transaction`."""
    state.abort(_wanted(request))
    return {}


def seconds_of(moment: Any) -> float:
    """A time given as text or as milliseconds."""
    if isinstance(moment, int):
        return moment / 1000
    try:
        parsed = datetime.fromisoformat(str(moment).replace("Z", "+00:00"))
    except ValueError as error:
        raise generic(f"Error parsing time {moment!r}") from error
    return (parsed if parsed.tzinfo else parsed.replace(tzinfo=UTC)).timestamp()


def expire(state: State) -> None:
    """Abort and remove what has outlived its time; done before every command."""
    state.transactions.expire()
    now = state.clock.now()
    for node in list(state.tree.expiring):
        if _is_over(state.tree, node, now):
            try:
                state.tree.remove(node, None)
            except ClusterError:
                # Locked, itself or something below it: its time starts anew.
                node.touched = now


def _is_over(tree: Tree, node: Node, now: float) -> bool:
    if None not in node.versions or not tree.is_visible(node, None):
        return False
    own = tree.user_attributes(node, None)
    if "expiration_time" in own and seconds_of(own["expiration_time"]) <= now:
        return True
    return "expiration_timeout" in own and node.touched + own["expiration_timeout"] / 1000 <= now


def _advance(state: State, payload: Any) -> Any:
    state.clock.shift += float(payload["seconds"])
    expire(state)
    return {"now": state.clock.now()}


COMMANDS = [
    Command("start_transaction", "null", "structured", True, False, start_transaction),
    Command("ping_transaction", "null", "null", True, False, ping_transaction),
    Command("commit_transaction", "null", "null", True, False, commit_transaction),
    Command("abort_transaction", "null", "null", True, False, abort_transaction),
]
CONTROL = {"advance": _advance}
