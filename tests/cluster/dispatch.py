"""Running one command, from the wire or from a batch, with everything that may come in between."""

from __future__ import annotations

import inspect
from typing import TYPE_CHECKING, Any

from tests.cluster.errors import ClusterError
from tests.cluster.faults import ERRORS
from tests.cluster.requests import Command, Request
from tests.cluster.transaction_commands import expire

if TYPE_CHECKING:
    from tests.cluster.state import State


PREREQUISITE = 1000


async def run(state: State, command: Command, request: Request) -> Any:
    """The answer of a command; ClusterError when it fails."""
    expire(state)

    async def handle() -> Any:
        for tx in request.get("prerequisite_transaction_ids") or []:
            if tx not in state.transactions.open:
                raise ClusterError(PREREQUISITE, f"Prerequisite check failed: transaction {tx} is missing")
        state.limits.check_access(request, command.is_volatile)
        answer = command.handler(state, request)
        return await answer if inspect.isawaitable(answer) else answer

    if command.is_volatile and not command.is_heavy:
        return await state.mutations.once(request, handle)
    return await handle()


def described_path(parameters: dict[str, Any]) -> str:
    """The path that a fault's `path` option is looked for in."""
    named = [
        parameters[name] for name in ("path", "source_path", "destination_path", "link_path") if name in parameters
    ]
    return " ".join(map(str, named))


async def execute_batch(state: State, request: Request) -> Any:
    """`execute_batch`: light commands one after another, each with an output or an error of its own."""
    shared = {"transaction_id": request.get("transaction_id")} if request.get("transaction_id") else {}
    results: list[dict[str, Any]] = []
    for each in request.parameters.get("requests", []):
        try:
            answer = await _run_inner(state, request, each, shared)
        except ClusterError as error:
            results.append({"error": error.as_dict()})
        else:
            results.append({} if answer is None else {"output": answer})
    return {"results": results}


async def _run_inner(state: State, outer: Request, described: dict[str, Any], shared: dict[str, Any]) -> Any:
    name, parameters = str(described["command"]), {**shared, **described.get("parameters", {})}
    state.journal.note(name, parameters, None)
    fault = state.faults.take(name, described_path(parameters), (*ERRORS, "error"))
    if fault is not None:
        raise fault.error()
    command = state.commands.get(name)
    if command is None:
        raise ClusterError(1, f'Unknown command "{name}"')
    if command.is_heavy or name == "execute_batch":
        raise ClusterError(1, f'Command "{name}" cannot be part of a batch since it is heavy')
    inner = Request(name, parameters, outer.user, outer.token, described.get("input"))
    return await run(state, command, inner)


COMMANDS = [Command("execute_batch", "null", "structured", True, False, execute_batch)]
