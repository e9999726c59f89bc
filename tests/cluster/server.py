"""The HTTP side: the command table, where parameters come from, how answers and errors go back."""

from __future__ import annotations

import importlib
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable
from types import ModuleType
from typing import Any

from aiohttp import web

from tests.cluster import (
    cypress,
    dispatch,
    faults,
    files,
    formats,
    journal,
    limits,
    links,
    system,
    tables,
    transaction_commands,
    transport,
)
from tests.cluster.errors import ClusterError
from tests.cluster.requests import Command, Request
from tests.cluster.state import State

STATE: web.AppKey[State] = web.AppKey("state", State)
READ_SIZE = 1 << 22
_MODULES: list[ModuleType] = [
    cypress,
    links,
    transaction_commands,
    files,
    tables,
    dispatch,
    system,
    faults,
    journal,
    limits,
]
_OTHERS = ("tests.cluster.operations", "tests.cluster.queries")


def _all_modules() -> list[ModuleType]:
    found = list(_MODULES)
    for name in _OTHERS:
        try:
            found.append(importlib.import_module(name))
        except ModuleNotFoundError as error:
            if error.name != name:
                raise
    return found


def make_app(state: State) -> web.Application:
    """The application for a cluster."""
    modules = _all_modules()
    for module in modules:
        state.commands.update({command.name: command for command in getattr(module, "COMMANDS", [])})
    app = web.Application(client_max_size=0)
    app[STATE] = state
    app.router.add_get("/api", _versions)
    app.router.add_get("/api/v4", _table)
    app.router.add_route("*", "/api/v4/{command}", _command)
    app.router.add_get("/hosts", _hosts)
    app.router.add_route("*", "/auth/whoami", _whoami)
    app.router.add_get("/ping", _versions)
    for module in modules:
        if hasattr(module, "close"):
            app.on_cleanup.append(_closing(state, module.close))
        for name, handler in getattr(module, "CONTROL", {}).items():
            app.router.add_route("*", f"/_test/{name}", transport.control(state, handler))
    return app


def _closing(state: State, close: Callable[[State], Awaitable[None]]) -> Callable[[web.Application], Awaitable[None]]:
    async def run(_: web.Application) -> None:
        await close(state)

    return run


async def _plain(request: web.Request, name: str, answer: Any) -> web.StreamResponse:
    """An endpoint that is no command; faults and counters go by its name."""
    state = request.app[STATE]
    state.journal.note(name, {}, request.headers)
    fault = state.faults.take(name, "")
    if fault is not None and (early := await transport.before(request, fault)) is not None:
        return early
    try:
        state.limits.check_token(_token(request))
    except ClusterError as error:
        return transport.error_response(error)
    return web.json_response(answer)


async def _versions(request: web.Request) -> web.StreamResponse:
    return await _plain(request, "api", ["v3", "v4"])


async def _table(request: web.Request) -> web.StreamResponse:
    commands = request.app[STATE].commands.values()
    return await _plain(request, "api", [command.description() for command in commands])


async def _hosts(request: web.Request) -> web.StreamResponse:
    return await _plain(request, "hosts", [request.app[STATE].address])


async def _whoami(request: web.Request) -> web.StreamResponse:
    return await _plain(request, "whoami", {"login": _user(request), "realm": "stand-in"})


def _token(request: web.Request) -> str | None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    return token if scheme == "OAuth" and token else None


def _user(request: web.Request) -> str:
    return request.headers.get("X-YT-User-Name", "root")


async def _command(web_request: web.Request) -> web.StreamResponse:
    state, name = web_request.app[STATE], web_request.match_info["command"]
    command = state.commands.get(name)
    if command is None:
        return transport.error_response(ClusterError(1, f'Command "{name}" is not registered'), 404)
    try:
        parameters = await _parameters(web_request, command)
    except ClusterError as error:
        return transport.error_response(error)
    state.journal.note(name, parameters, web_request.headers)
    fault = state.faults.take(name, dispatch.described_path(parameters))
    if fault is not None and (early := await transport.before(web_request, fault)) is not None:
        return early
    request = Request(name, parameters, _user(web_request), _token(web_request))
    request.body = _body(web_request, state, name)
    try:
        state.limits.check_token(request.token)
        if command.input_type == "structured":
            request.input = formats.loads(await request.read_body(), parameters.get("input_format", "yson"))
        answer = await dispatch.run(state, command, request)
        if fault is not None and fault.kind == "reset_after":
            return transport.reset(web_request)
        return await _answer(web_request, state, command, request, answer, fault)
    except ClusterError as error:
        return transport.error_response(error)


async def _parameters(request: web.Request, command: Command) -> dict[str, Any]:
    """Query string < header < body."""
    form = formats.header_format(request.headers.get("X-YT-Header-Format", "<format=text>yson"))
    parameters: dict[str, Any] = dict(request.query)
    sources = [request.headers.get("X-YT-Parameters", "").encode("utf-8", "surrogateescape")]
    if command.input_type == "null" and request.method == "POST":
        sources.append(await request.content.read())
    for source in sources:
        if source:
            try:
                parameters.update(formats.loads(source, form))
            except Exception as error:
                raise ClusterError(1, f"Error parsing parameters: {error}") from error
    return parameters


async def _body(request: web.Request, state: State, name: str) -> AsyncIterator[bytes]:
    """The body as it comes; what calls itself gzip is a zlib stream in the official client."""
    decoder = zlib.decompressobj(47) if request.headers.get("Content-Encoding") in ("gzip", "deflate") else None
    async for piece in request.content.iter_any():
        data = decoder.decompress(piece) if decoder is not None else piece
        state.journal.received[name] += len(piece)
        state.journal.content[name] += len(data)
        yield data


async def _answer(
    web_request: web.Request, state: State, command: Command, request: Request, answer: Any, fault: faults.Rule | None
) -> web.StreamResponse:
    if command.output_type in ("binary", "tabular"):
        pieces = transport.one(answer) if isinstance(answer, bytes) else answer
        return await transport.stream(web_request, state, request, pieces, fault)
    if command.output_type == "null":
        return web.Response()
    form = request.get("output_format", "yson")
    kind = "application/json" if formats.format_name(form) == "json" else "application/x-yt-yson-text"
    body = formats.dumps(answer, form)
    state.journal.sent[request.command] += len(body)
    return web.Response(body=body, content_type=kind)


async def start(folder: Any, port: int) -> tuple[web.AppRunner, str]:
    """Serve on a loopback port; the runner, and the address that it got."""
    state = State(folder)
    app = make_app(state)
    sizes: dict[str, Any] = {"max_field_size": 1 << 20, "max_line_size": 1 << 20, "read_bufsize": READ_SIZE}
    runner = web.AppRunner(app, auto_decompress=False, access_log=None, shutdown_timeout=1, **sizes)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", port)
    await site.start()
    host, bound = runner.addresses[0][:2]
    state.address = f"{host}:{bound}"
    return runner, state.address
