"""`python -m tests.cluster --folder DIR [--port N]`: serve until stdin is closed or SIGTERM comes."""

from __future__ import annotations

import argparse
import asyncio
import os
import signal
import threading
from pathlib import Path

from tests.cluster.server import start


async def _serve(folder: Path, port: int) -> None:
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    runner, address = await start(folder, port)

    def watch_stdin() -> None:
        # Not through sys.stdin, whose lock a thread must not hold when the interpreter ends.
        while os.read(0, 1 << 16):
            pass
        loop.call_soon_threadsafe(ended.set)

    # A test process that is killed closes this pipe: nothing is left running.
    threading.Thread(target=watch_stdin, daemon=True).start()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ended.set)
    print(f"http://{address}", flush=True)
    await ended.wait()
    await runner.cleanup()


def main() -> None:
    """Read the arguments and serve."""
    parser = argparse.ArgumentParser(prog="python -m tests.cluster", description=__doc__)
    parser.add_argument("--folder", type=Path, required=True, help="scratch space for contents and jobs")
    parser.add_argument("--port", type=int, default=0, help="0 takes a free one")
    arguments = parser.parse_args()
    asyncio.run(_serve(arguments.folder, arguments.port))


if __name__ == "__main__":
    main()
