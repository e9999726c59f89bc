"""Answers on the wire: errors, streams, and the ways in which a connection can fail."""

from __future__ import annotations

import asyncio
import inspect
import json
import socket
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from aiohttp import web

from tests.cluster import formats
from tests.cluster.errors import AUTHENTICATION, BANNED_PROXY, ClusterError
from tests.cluster.faults import Rule
from tests.cluster.requests import Request
from tests.cluster.state import State

# A longer header would not pass through Python's http.client.
MAX_HEADER = 60_000


def error_response(error: ClusterError, status: int | None = None) -> web.Response:
    """An error as JSON in the body and in the headers, as the client looks for it in both."""
    text = json.dumps(formats.to_json(error.as_dict(), False))
    headers = {"X-YT-Response-Code": str(error.code), "X-YT-Response-Message": json.dumps(error.message)[1:-1][:1000]}
    if len(text) < MAX_HEADER:
        headers["X-YT-Error"] = text
    status = status or (401 if error.code == AUTHENTICATION else 400)
    return web.Response(text=text, status=status, headers=headers, content_type="application/json")


def control(state: State, handler: Any) -> Callable[[web.Request], Awaitable[web.Response]]:
    """A handler of /_test/: JSON in, JSON out."""

    async def handle(request: web.Request) -> web.Response:
        body = await request.content.read()
        try:
            answer = handler(state, json.loads(body) if body else {})
            answer = await answer if inspect.isawaitable(answer) else answer
        except ClusterError as error:
            return error_response(error)
        return web.json_response(answer)

    return handle


def reset(request: web.Request) -> web.Response:
    """Reset the connection: the peer sees ECONNRESET."""
    transport = request.transport
    if transport is not None:
        sock = transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        transport.abort()
    return web.Response()


async def before(request: web.Request, fault: Rule) -> web.StreamResponse | None:
    """What a fault answers instead of running the command; None for faults that come later."""
    if fault.kind == "reset_before":
        await _swallow(request, int(fault.options.get("bytes", 0)))
        return reset(request)
    if fault.kind == "html502":
        page = "<html><head><title>502 Bad Gateway</title></head><body>nginx</body></html>"
        return web.Response(text=page, status=502, content_type="text/html")
    if fault.kind == "503":
        code = fault.options.get("code", BANNED_PROXY)
        return error_response(ClusterError(code, "This proxy is banned"), 503)
    if fault.kind == "hang":
        await asyncio.sleep(float(fault.options.get("seconds", 60)))
        gone = request.transport is None or request.transport.is_closing()
        return web.Response() if gone else None
    if fault.kind in ("reset_after", "short_body", "trailer_error"):
        return None
    return error_response(fault.error(), fault.options.get("status"))


async def _swallow(request: web.Request, size: int) -> None:
    """Read `size` bytes of the body, so that a reset comes in the middle of an upload."""
    while size > 0 and (piece := await request.content.read(min(size, 1 << 16))):
        size -= len(piece)


async def one(data: bytes) -> AsyncIterator[bytes]:
    """A stream of one piece."""
    yield data


async def stream(
    web_request: web.Request, state: State, request: Request, pieces: AsyncIterator[bytes], fault: Rule | None
) -> web.StreamResponse:
    """A heavy answer, chunked; a fault may cut it short."""
    headers = {"Content-Type": "application/octet-stream"}
    if request.response_parameters:
        form = formats.header_format(web_request.headers.get("X-YT-Header-Format", "<format=text>yson"))
        headers["X-YT-Response-Parameters"] = formats.dumps(request.response_parameters, form).decode("latin-1")
    if fault is not None:
        return await _broken_stream(web_request, headers, b"".join([piece async for piece in pieces]), fault)
    response = web.StreamResponse(headers=headers)
    response.enable_chunked_encoding()
    await response.prepare(web_request)
    async for piece in pieces:
        if piece:
            state.journal.sent[request.command] += len(piece)
            await response.write(piece)
    await response.write_eof()
    return response


async def _broken_stream(
    request: web.Request, headers: dict[str, str], data: bytes, fault: Rule
) -> web.StreamResponse:
    """The first part of an answer (`part`: how much of it), and then nothing, or an error in the trailer."""
    transport = request.transport
    if transport is None:
        return web.Response()
    kept = data[: int(len(data) * float(fault.options.get("part", 0.5)))]
    lines = ["HTTP/1.1 200 OK", *(f"{name}: {value}" for name, value in headers.items())]
    if fault.kind == "short_body" and fault.options.get("chunked") is not True:
        lines += [f"Content-Length: {len(data)}", "", ""]
        transport.write("\r\n".join(lines).encode("latin-1") + kept)
    else:
        lines += ["Transfer-Encoding: chunked", "Trailer: X-YT-Error, X-YT-Response-Code", "", ""]
        body = b"%x\r\n%s\r\n" % (len(kept), kept) if kept else b""
        transport.write("\r\n".join(lines).encode("latin-1") + body)
    if fault.kind == "trailer_error":
        error = ClusterError(int(fault.options.get("code", 716)), "Attribute or chunk is lost")
        trailers = [f"X-YT-Error: {json.dumps(error.as_dict())}", f"X-YT-Response-Code: {error.code}", "", ""]
        transport.write(b"0\r\n" + "\r\n".join(trailers).encode())
    transport.close()
    return web.Response()
