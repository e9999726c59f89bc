"""The commands about operations."""

from __future__ import annotations

from typing import Any

from tests.cluster.formats import to_json
from tests.cluster.nodes import timestamp
from tests.cluster.operations import lifecycle
from tests.cluster.operations.model import Operation, Operations
from tests.cluster.requests import Command, Request
from tests.cluster.state import State

DEFAULT_LIMIT = 100


def _start(state: State, request: Request) -> Any:
    return {"operation_id": lifecycle.start(state, request).id}


def _get(state: State, request: Request) -> Any:
    operation = Operations.of(state).find(request.parameters)
    return _chosen(operation.described(state.clock.now()), request.get("attributes"))


def _chosen(described: dict[str, Any], attributes: Any) -> dict[str, Any]:
    return described if attributes is None else {key: described[key] for key in attributes if key in described}


def _list(state: State, request: Request) -> Any:
    now = state.clock.now()
    found = [each for each in reversed(Operations.of(state).by_id.values()) if _matches(each, request)]
    limit = int(request.get("limit", DEFAULT_LIMIT))
    shown = [_chosen(each.described(now), request.get("attributes")) for each in found[:limit]]
    return {"operations": shown, "incomplete": len(found) > limit}


def _matches(operation: Operation, request: Request) -> bool:
    started = timestamp(operation.start_time)
    with_failed = request.get("with_failed_jobs")
    return (
        request.get("user", operation.user) == operation.user
        and request.get("state", operation.state) == operation.state
        and request.get("type", operation.type) == operation.type
        and request.get("pool", operation.spec.get("pool")) == operation.spec.get("pool")
        and str(request.get("filter", "")).lower() in f"{operation.id} {operation.spec}".lower()
        and (with_failed is None or bool(with_failed) == bool(operation.count("failed")))
        and str(request.get("from_time", "")) <= started
        and started <= str(request.get("to_time", "~"))
        and started <= str(request.get("cursor_time", "~"))
    )


async def _abort(state: State, request: Request) -> None:
    operation = Operations.of(state).find(request.parameters)
    await lifecycle.abort(state, operation, request.user, request.get("abort_message"))


async def _complete(state: State, request: Request) -> None:
    await lifecycle.complete(Operations.of(state).find(request.parameters))


def _suspend(state: State, request: Request) -> None:
    Operations.of(state).find(request.parameters).may_start_jobs.clear()


def _resume(state: State, request: Request) -> None:
    Operations.of(state).find(request.parameters).may_start_jobs.set()


def _update(state: State, request: Request) -> None:
    operation = Operations.of(state).find(request.parameters)
    operation.runtime_parameters = {**operation.runtime_parameters, **request.get("parameters", {})}


def _shown(state: State, payload: Any) -> Any:
    """All operations with what start_operation was called with, secrets included."""
    return [
        {
            "id": each.id,
            "type": each.type,
            "state": each.state,
            "parameters": to_json(each.parameters, False),
            "jobs": [{"id": job.id, "state": job.state, "task": job.task_name} for job in each.jobs.values()],
        }
        for each in Operations.of(state).by_id.values()
    ]


COMMANDS = [
    Command("start_operation", "null", "structured", True, False, _start),
    Command("get_operation", "null", "structured", False, False, _get),
    Command("list_operations", "null", "structured", False, False, _list),
    Command("abort_operation", "null", "null", True, False, _abort),
    Command("complete_operation", "null", "null", True, False, _complete),
    Command("suspend_operation", "null", "null", True, False, _suspend),
    Command("resume_operation", "null", "null", True, False, _resume),
    Command("update_operation_parameters", "null", "null", True, False, _update),
]
CONTROL = {"operations": _shown}
