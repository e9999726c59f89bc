"""A proxy in front of the stand-in cluster that keeps each request as a line (`lines.py`)."""

from __future__ import annotations

import asyncio
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import aiohttp
from aiohttp import web

from tests.wire.lines import Sent, line

_OF_ONE_HOP = frozenset({"transfer-encoding", "content-length", "connection", "host", "date", "server"})
_QUESTIONS_OF_VERSION = ("/api", "/api/v4")
_LONGEST_HEADER = 1 << 20


class Recorder:
    """What was sent to `address`, which passes it on to `cluster`; set `call` to name what is done next."""

    def __init__(self, cluster: str) -> None:
        self.call = ""
        self.address = ""
        self._cluster = cluster
        self._lines: list[dict[str, Any]] = []

    def write(self, path: Path) -> None:
        """Write the lines: those of a call that are equal to one before are left out, and pings come last, since when
        they come is chance."""
        texts = {json.dumps(one, ensure_ascii=True): one for one in self._lines}
        ordered = sorted(texts, key=lambda text: "ping" in texts[text]["command"])
        path.write_text("".join(f"{text}\n" for text in ordered), encoding="utf-8")

    async def pass_on(self, request: web.Request) -> web.Response:
        """Keep a request, and answer what the cluster answers."""
        body = await request.read()
        if request.path not in _QUESTIONS_OF_VERSION:
            self._lines.append(line(self.call, Sent(request.method, request.path_qs, request.headers, body)))
        if request.path == "/hosts":
            # Requests that move data shall come here, too.
            return web.json_response([self.address])
        headers = {name: value for name, value in request.headers.items() if name.lower() not in _OF_ONE_HOP}
        url = f"http://{self._cluster}{request.path_qs}"
        session: aiohttp.ClientSession = request.app[_SESSION]
        skipped = ("User-Agent", "Accept", "Accept-Encoding", "Content-Type")
        async with session.request(
            request.method, url, headers=headers, data=body, skip_auto_headers=skipped
        ) as answer:
            content = await answer.read()
            kept = {name: value for name, value in answer.headers.items() if name.lower() not in _OF_ONE_HOP}
            return web.Response(status=answer.status, headers=kept, body=content)


_SESSION: web.AppKey[aiohttp.ClientSession] = web.AppKey("session", aiohttp.ClientSession)


@contextmanager
def recording(cluster: str) -> Iterator[Recorder]:
    """Give a recorder that serves on loopback until the block ends; `cluster` is the stand-in's address."""
    recorder = Recorder(cluster)
    serving, ended = threading.Event(), asyncio.Event()
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_until_complete, args=[_serve(recorder, serving, ended)])
    thread.start()
    try:
        assert serving.wait(timeout=30)
        yield recorder
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join()
        loop.close()


async def _serve(recorder: Recorder, serving: threading.Event, ended: asyncio.Event) -> None:
    app = web.Application(client_max_size=0)
    app.router.add_route("*", "/{path:.*}", recorder.pass_on)
    sizes = {"max_field_size": _LONGEST_HEADER, "max_line_size": _LONGEST_HEADER}
    runner = web.AppRunner(app, auto_decompress=False, access_log=None, shutdown_timeout=1, **sizes)
    async with aiohttp.ClientSession(auto_decompress=False, **sizes) as session:
        app[_SESSION] = session
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        host, port = runner.addresses[0][:2]
        recorder.address = f"{host}:{port}"
        serving.set()
        await ended.wait()
        await runner.cleanup()
