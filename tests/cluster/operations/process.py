"""One job's process: pipes, its process group, its end.

Standard input and all outputs are pipes, as on the cluster: a job that seeks, truncates or reopens them would get
away with it on regular files.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
from dataclasses import dataclass, field
from pathlib import Path

PIPE_CHUNK = 1 << 16
LEFTOVERS_TIMEOUT = 5.0
SKIPPED = b"\n...skipped...\n"


@dataclass(frozen=True)
class Launch:
    """What to start. `folder` holds the pipes, `sandbox` is the working directory."""

    job_id: str
    command: str
    folder: Path
    sandbox: Path
    environment: dict[str, str]
    stdin: bytes | None
    output_fds: list[int]
    redirect_stdout: bool
    time_limit: float | None
    stderr_limit: int


@dataclass
class Exit:
    """How a process ended; `code` is negative for a signal, as in subprocess."""

    code: int = 0
    timed_out: bool = False
    outputs: list[bytes] = field(default_factory=list)
    stderr: bytes = b""


class _Collector(asyncio.Protocol):
    """Keeps what comes out of a pipe: all of it, or its head and its tail within a limit."""

    def __init__(self, limit: int | None = None) -> None:
        self.head = bytearray()
        self.tail = bytearray()
        self.skipped = False
        self.half = limit // 2 if limit is not None else None
        self.closed: asyncio.Future[None] = asyncio.get_running_loop().create_future()

    def data_received(self, data: bytes) -> None:
        if self.half is None:
            self.head += data
            return
        room = max(0, self.half - len(self.head))
        self.head += data[:room]
        self.tail += data[room:]
        if len(self.tail) > self.half:
            self.skipped = True
            del self.tail[: len(self.tail) - self.half]

    def connection_lost(self, exc: Exception | None) -> None:
        if not self.closed.done():
            self.closed.set_result(None)

    def data(self) -> bytes:
        return bytes(self.head + (SKIPPED if self.skipped else b"") + self.tail)


class _Pipes:
    """The ends that the server holds, and those that the process gets."""

    def __init__(self) -> None:
        self.given: list[int] = []
        self.readers: list[asyncio.ReadTransport] = []

    async def reader(self, read_end: int, limit: int | None = None) -> _Collector:
        os.set_blocking(read_end, False)
        loop = asyncio.get_running_loop()
        transport, collector = await loop.connect_read_pipe(
            lambda: _Collector(limit), os.fdopen(read_end, "rb", buffering=0)
        )
        self.readers.append(transport)
        return collector

    async def output(self, limit: int | None = None) -> tuple[int, _Collector]:
        read_end, write_end = os.pipe()
        self.given.append(write_end)
        return write_end, await self.reader(read_end, limit)

    async def named(self, path: Path) -> _Collector:
        os.mkfifo(path)
        read_end = os.open(path, os.O_RDONLY | os.O_NONBLOCK)
        # Without a writer of ours the pipe would count as ended before the process has opened it.
        self.given.append(os.open(path, os.O_WRONLY))
        return await self.reader(read_end)

    async def stdin(self, data: bytes | None) -> int:
        if data is None:
            null = os.open(os.devnull, os.O_RDONLY)
            self.given.append(null)
            return null
        read_end, write_end = os.pipe()
        self.given.append(read_end)
        os.set_blocking(write_end, False)
        loop = asyncio.get_running_loop()
        transport, _ = await loop.connect_write_pipe(asyncio.Protocol, os.fdopen(write_end, "wb", buffering=0))
        transport.write(data)
        transport.write_eof()
        return read_end

    def close_given(self) -> None:
        while self.given:
            os.close(self.given.pop())

    def close(self) -> None:
        # What could not be written to stdin breaks off by itself once nobody holds its other end.
        self.close_given()
        for transport in self.readers:
            transport.close()


async def run_process(launch: Launch) -> Exit:
    """Run a job to its end. Cancelling this coroutine kills the job."""
    pipes = _Pipes()
    try:
        return await _run(launch, pipes)
    finally:
        kill_job(launch.job_id)
        pipes.close()


async def _run(launch: Launch, pipes: _Pipes) -> Exit:
    stdin = await pipes.stdin(launch.stdin)
    stderr, errors = await pipes.output(launch.stderr_limit)
    collectors: list[_Collector] = []
    stdout, named = (stderr if launch.redirect_stdout else asyncio.subprocess.DEVNULL), []
    for fd in launch.output_fds:
        if fd == 1:
            stdout, collector = await pipes.output()
        else:
            named.append((fd, path := launch.folder / f"output-{fd}"))
            collector = await pipes.named(path)
        collectors.append(collector)
    process = await asyncio.create_subprocess_exec(
        *_arguments(launch.command, named),
        cwd=launch.sandbox,
        env=launch.environment,
        stdin=stdin,
        stdout=stdout,
        stderr=stderr,
        start_new_session=True,
    )
    ended = await _wait(process, launch)
    pipes.close_given()
    await asyncio.wait([collector.closed for collector in [*collectors, errors]], timeout=LEFTOVERS_TIMEOUT)
    return Exit(process.returncode or 0, not ended, [each.data() for each in collectors], errors.data())


def _arguments(command: str, named: list[tuple[int, Path]]) -> list[str]:
    """A shell that opens what a job has beyond stdout and stderr, and becomes the one that runs the command.

    On descriptor 5 jobs report statistics of their own; nobody reads them here.
    """
    opened = "".join(f' {fd}>"${{{number}}}"' for number, (fd, _) in enumerate(named, start=2))
    script = f'exec 5>/dev/null{opened}; exec /bin/bash -c "$1"'
    return ["/bin/bash", "-c", script, "bash", command, *(str(path) for _, path in named)]


async def _wait(process: asyncio.subprocess.Process, launch: Launch) -> bool:
    """Wait for the process and end what it leaves behind; False when its time was up."""
    try:
        await asyncio.wait_for(process.wait(), launch.time_limit)
        return True
    except TimeoutError:
        return False
    finally:
        _kill_group(process.pid)
        kill_job(launch.job_id)
        await process.wait()


def _kill_group(pid: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(pid, signal.SIGKILL)


def kill_job(job_id: str) -> None:
    """Kill what still carries the job's id: processes that left its group, which a container would end too."""
    mark = f"YT_JOB_ID={job_id}".encode()
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and mark in _environment_of(entry):
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(int(entry.name), signal.SIGKILL)


def _environment_of(entry: Path) -> list[bytes]:
    try:
        return (entry / "environ").read_bytes().split(b"\0")
    except OSError:
        return []
