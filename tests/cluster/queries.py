"""Queries with recorded answers: the stand-in runs no SQL.

A test records what a query whose text contains something shall answer:

    cluster.control("queries", record=[{"contains": "GROUP BY", "rows": [{"n": 1}], "tables": {"//tmp/out": [...]}}])

`contains` is one text or several that must all occur; of several answers that fit, the one recorded last is taken.
`rows` is the only result, `results` a list of several; without both the query has no result. `tables` are written
(created if need be) when the query completes. `error` is a message, or an error with code, message and inner_errors.
`seconds` is how long the query runs, `ending` how long it is then about to complete, `hidden` how long `get_query`
does not find it. `cluster.control("queries")` lists the queries that ran, `clear=True` forgets all. A query without a
recorded answer fails and says so.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import Any

from tests.cluster.errors import ClusterError, generic
from tests.cluster.formats import encode_rows, to_json
from tests.cluster.nodes import new_id, timestamp
from tests.cluster.paths import RichPath
from tests.cluster.requests import Command, Request
from tests.cluster.state import State

FINISHED = ("completed", "failed", "aborted")
QUERY_NOT_FOUND, STATE_MISMATCH = 3901, 3904
SHOWN_TEXT = 200
KEYS = {"contains", "rows", "results", "tables", "error", "seconds", "ending", "hidden"}


@dataclass
class Query:
    """One query, from start_query on."""

    id: str
    user: str
    parameters: dict[str, Any]
    start_time: float
    state: str = "running"
    finish_time: float | None = None
    error: dict[str, Any] | None = None
    results: list[list[dict[str, Any]]] = field(default_factory=list)
    runner: asyncio.Task[None] | None = None
    hidden: float = 0

    def described(self) -> dict[str, Any]:
        """All attributes that get_query knows."""
        shown: dict[str, Any] = {
            "id": self.id,
            "engine": self.parameters.get("engine"),
            "query": self.parameters.get("query"),
            "files": self.parameters.get("files", []),
            "settings": self.parameters.get("settings", {}),
            "annotations": self.parameters.get("annotations", {}),
            "user": self.user,
            "state": self.state,
            "start_time": timestamp(self.start_time),
            "result_count": len(self.results),
            "progress": {"yql_progress": {}},
        }
        if self.finish_time is not None:
            shown["finish_time"] = timestamp(self.finish_time)
        if self.error is not None:
            shown["error"] = self.error
        return shown

    def finish(self, state: str, now: float, error: ClusterError | None = None) -> None:
        """Note the end, once."""
        if self.state not in FINISHED:
            self.state, self.finish_time = state, now
            self.error = error.as_dict() if error is not None else None


@dataclass
class Queries:
    """What a stand-in knows about queries."""

    by_id: dict[str, Query] = field(default_factory=dict)
    recorded: list[dict[str, Any]] = field(default_factory=list)

    @classmethod
    def of(cls, state: State) -> Queries:
        """The queries of a stand-in; its state knows nothing of them."""
        return vars(state).setdefault("queries", cls())  # type: ignore[no-any-return]

    def find(self, request: Request) -> Query:
        """The query that a request names."""
        query = self.by_id.get(str(request.get("query_id")))
        if query is None:
            raise self.not_found(request)
        return query

    @staticmethod
    def not_found(request: Request) -> ClusterError:
        """The error of a query that nobody knows, or not yet."""
        message = f'Query {request.get("query_id")} is not found in stage "{request.get("stage")}"'
        return ClusterError(QUERY_NOT_FOUND, message)

    def answer(self, text: str) -> dict[str, Any]:
        """The recorded answer to a query; ClusterError when there is none."""
        for answer in reversed(self.recorded):
            wanted = answer["contains"]
            if all(each in text for each in ([wanted] if isinstance(wanted, str) else wanted)):
                found: dict[str, Any] = answer
                return found
        raise generic(f"The stand-in runs no SQL, and no answer is recorded for this query: {text[:SHOWN_TEXT]}")


def _start(state: State, request: Request) -> Any:
    if not isinstance(request.get("query"), str) or not isinstance(request.get("engine"), str):
        raise generic('Parameters "engine" and "query" are required')
    query = Query(new_id(2000), request.user, dict(request.parameters), state.clock.now())
    Queries.of(state).by_id[query.id] = query
    query.runner = asyncio.get_running_loop().create_task(_run(state, query))
    return {"query_id": query.id}


async def _run(state: State, query: Query) -> None:
    try:
        answer = Queries.of(state).answer(query.parameters["query"])
        query.hidden = answer.get("hidden", 0)
        await asyncio.sleep(answer.get("seconds", 0))
        if "ending" in answer:
            query.state = "completing"
            await asyncio.sleep(answer["ending"])
        if answer.get("error") is not None:
            raise _error(answer["error"])
        for path, rows in answer.get("tables", {}).items():
            rich = RichPath.of(path)
            state.write_rows(RichPath(rich.text, {"create": True, **rich.attributes}), rows, None)
        query.results = answer.get("results") or ([answer["rows"]] if "rows" in answer else [])
        query.finish("completed", state.clock.now())
    except ClusterError as error:
        query.finish("failed", state.clock.now(), error)


def _error(recorded: Any) -> ClusterError:
    if isinstance(recorded, str):
        return ClusterError(1, "Failed to run query", None, [generic(recorded)])
    inner = recorded.get("inner_errors", [])
    return ClusterError(recorded.get("code", 1), recorded["message"], recorded.get("attributes"), inner)


def _get(state: State, request: Request) -> Any:
    queries = Queries.of(state)
    query = queries.find(request)
    if state.clock.now() < query.start_time + query.hidden:
        raise queries.not_found(request)
    return _chosen(query.described(), request.get("attributes"))


def _chosen(described: dict[str, Any], attributes: Any) -> dict[str, Any]:
    if not attributes:
        return described
    return {key: value for key, value in described.items() if key in attributes}


def _list(state: State, request: Request) -> Any:
    found = [
        query
        for query in reversed(Queries.of(state).by_id.values())
        if request.get("user", query.user) == query.user
        and request.get("state", query.state) == query.state
        and request.get("engine", query.parameters["engine"]) == query.parameters["engine"]
        and str(request.get("filter", "")) in query.parameters["query"]
    ]
    limit = int(request.get("limit", 100))
    shown = [_chosen(query.described(), request.get("attributes")) for query in found[:limit]]
    return {"queries": shown, "incomplete": len(found) > limit, "timestamp": 0}


async def _abort(state: State, request: Request) -> None:
    query = Queries.of(state).find(request)
    if query.state != "running" or query.runner is None:
        raise ClusterError(STATE_MISMATCH, f'Cannot abort query {query.id} which is in state "{query.state}"')
    query.runner.cancel()
    await asyncio.wait([query.runner])
    message = request.get("message") or f"Query was aborted by user {request.user}"
    query.finish("aborted", state.clock.now(), generic(str(message)))


def _result(state: State, request: Request) -> list[dict[str, Any]]:
    query = Queries.of(state).find(request)
    index = int(request.get("result_index", 0))
    if query.state != "completed":
        raise generic(f'Query {query.id} has no results in state "{query.state}"')
    if index >= len(query.results):
        raise generic(f"Query {query.id} has no result {index}: it has {len(query.results)}")
    return query.results[index]


def _get_result(state: State, request: Request) -> Any:
    rows = _result(state, request)
    names = dict.fromkeys(name for row in rows for name in row)
    return {
        "id": str(request.get("query_id")),
        "result_index": int(request.get("result_index", 0)),
        "schema": [{"name": name, "type": "any", "required": False} for name in names],
        "data_statistics": {"row_count": len(rows)},
        "is_truncated": False,
    }


def _read_result(state: State, request: Request) -> bytes:
    return encode_rows(_result(state, request), request.get("output_format", "yson"))


def _control(state: State, payload: Any) -> Any:
    queries = Queries.of(state)
    if payload.get("clear"):
        queries.recorded = []
        queries.by_id = {key: query for key, query in queries.by_id.items() if query.state not in FINISHED}
    for answer in payload.get("record", []):
        if "contains" not in answer or not answer.keys() <= KEYS:
            raise generic(f"A recorded answer needs `contains` and has only the keys {sorted(KEYS)}: {answer}")
        queries.recorded.append(answer)
    return [to_json({**query.described(), "parameters": query.parameters}, False) for query in queries.by_id.values()]


COMMANDS = [
    Command("start_query", "null", "structured", True, False, _start),
    Command("get_query", "null", "structured", False, False, _get),
    Command("list_queries", "null", "structured", False, False, _list),
    Command("abort_query", "null", "null", True, False, _abort),
    Command("get_query_result", "null", "structured", False, False, _get_result),
    Command("read_query_result", "null", "tabular", False, True, _read_result),
]
CONTROL = {"queries": _control}
