"""Words for people, on stderr: warnings, errors, and a progress line on a terminal only."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import TextIO

import click

from ytbuild.base.errors import YtbuildError
from ytbuild.base.text import size

_WIDTH = 24
_INTERVAL = 0.1
_TICK = 0.5
_CLEAR_LINE = "\r\x1b[2K"


@dataclass
class Reporter:
    """How much is said: `quiet` leaves out all but warnings and errors, `verbose` adds detail."""

    quiet: bool = False
    verbose: bool = False
    progress: bool = True
    _drawn: bool = field(default=False, init=False)
    _last: float = field(default=0.0, init=False)

    def line(self, text: str) -> None:
        """Say something that a quiet user does not need."""
        if not self.quiet:
            self._write(text)

    def detail(self, text: str) -> None:
        """Say something that only a verbose user wants."""
        if self.verbose:
            self._write(text)

    def warning(self, text: str) -> None:
        """Say something that is probably not what the user wants."""
        self._write(f"{self._styled('warning:', 'yellow')} {text}")

    def error(self, error: YtbuildError) -> None:
        """Say what failed and what to do."""
        self._write(f"{self._styled('error:', 'red')} {error.message}")
        for note in getattr(error, "__notes__", ()):
            self.warning(note)
        if error.hint:
            self._write(f"{self._styled('hint:', 'cyan')} {error.hint}")

    @contextlib.contextmanager
    def working(self, label: Callable[[], str]) -> Iterator[None]:
        """Show how far something is, and how long it has taken; nothing unless stderr is a terminal."""
        if not self._shows_progress():
            yield
            return
        stop = threading.Event()
        ticker = threading.Thread(target=self._tick, args=(label, stop), name="progress", daemon=True)
        ticker.start()
        try:
            yield
        finally:
            stop.set()
            ticker.join()
            self.clear()

    def _tick(self, label: Callable[[], str], stop: threading.Event) -> None:
        started = time.monotonic()
        while not stop.wait(_TICK):
            sys.stderr.write(f"{_CLEAR_LINE}{label()} … {time.monotonic() - started:.0f}s")
            sys.stderr.flush()
            self._drawn = True

    def _shows_progress(self) -> bool:
        return self.progress and not self.quiet and sys.stderr.isatty()

    def bar(self, label: str, done: int, total: int) -> None:
        """Show how far something is, in bytes; nothing unless stderr is a terminal."""
        if not self._shows_progress():
            return
        now = time.monotonic()
        if now - self._last < _INTERVAL and done < total:
            return
        self._last = now
        filled = _WIDTH * done // total if total else _WIDTH
        bar = "#" * filled + "." * (_WIDTH - filled)
        sys.stderr.write(f"{_CLEAR_LINE}{label} [{bar}] {size(done)} of {size(total)}")
        sys.stderr.flush()
        self._drawn = True

    def clear(self) -> None:
        """Remove the progress line."""
        if self._drawn:
            sys.stderr.write(_CLEAR_LINE)
            sys.stderr.flush()
            self._drawn = False

    def _write(self, text: str) -> None:
        self.clear()
        click.echo(text, err=True)

    def _styled(self, text: str, colour: str) -> str:
        return click.style(text, fg=colour, bold=True) if wants_colour(sys.stderr) else text


def wants_colour(stream: TextIO) -> bool:
    """Tell whether colours belong on this stream: a terminal, and nobody said NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
