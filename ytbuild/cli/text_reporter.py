"""Words for people, on stderr: what happens, warnings, errors, and a progress line on a terminal only."""

from __future__ import annotations

import contextlib
import os
import sys
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, TextIO

import click

from ytbuild.base.text import size

if TYPE_CHECKING:
    from ytbuild.base.errors import YtbuildError
    from ytbuild.base.reporter import Event

_WIDTH = 24
_INTERVAL = 0.1
_TICK = 0.5
_CLEAR_LINE = "\r\x1b[2K"


class PlainReporter:
    """Says what happens, a line for each thing.

    `quiet` leaves out all but warnings and errors, `verbose` adds detail. `words` is how the command that runs puts
    its events, by their classes.
    """

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        self.quiet = quiet
        self.verbose = verbose
        self.words: Words = {}
        # Whatever is said comes out whole, whichever threads speak.
        self._lock = threading.RLock()

    def event(self, event: Event) -> None:
        """Say what happened."""
        # Imported here: `ytbuild --help` has no events.
        from ytbuild.base.reporter import Warned

        with self._lock:
            if isinstance(event, Warned):
                self.warning(event.message)
            else:
                self.words[type(event)](event, self)

    def progress(self, what: str, done: int, total: int) -> None:
        """Show how far something is, in bytes; nothing unless stderr is a terminal."""

    def working(self, current: Callable[[float], Event]) -> contextlib.AbstractContextManager[None]:
        """Show how something stands, and how long it has taken; nothing unless stderr is a terminal."""
        return contextlib.nullcontext()

    def status(self, text: str) -> None:
        """Show how something stands, for a moment; nothing unless stderr is a terminal."""

    def line(self, text: str) -> None:
        """Say something that a quiet user does not need."""
        if not self.quiet:
            self.always(text)

    def detail(self, text: str) -> None:
        """Say something that only a verbose user wants."""
        if self.verbose:
            self.always(text)

    def warning(self, text: str) -> None:
        """Say something that is probably not what the user wants."""
        self.always(f"{_styled('warning:', 'yellow')} {text}")

    def error(self, error: YtbuildError) -> None:
        """Say what failed and what to do."""
        with self._lock:
            self.always(f"{_styled('error:', 'red')} {error.message}")
            for note in getattr(error, "__notes__", ()):
                self.warning(note)
            if error.hint:
                self.always(f"{_styled('hint:', 'cyan')} {error.hint}")

    def failed(self, error: YtbuildError) -> None:
        """Say what the command failed with."""
        self.error(error)

    def interrupted(self, notes: Iterable[str]) -> None:
        """Say that Ctrl-C or a signal ended the command, and what could not be ended."""
        for note in notes:
            self.warning(note)
        self.always("interrupted")

    def always(self, text: str) -> None:
        """Say something whatever was asked for."""
        with self._lock:
            click.echo(text, err=True)


Words = Mapping["type[Event]", Callable[[Any, PlainReporter], None]]
"""How a command puts events, by their classes."""


class TerminalReporter(PlainReporter):
    """Says what happens, and shows below it, in a line that comes and goes, how far something is."""

    def __init__(self, quiet: bool = False, verbose: bool = False) -> None:
        super().__init__(quiet, verbose)
        self._drawn = False
        self._last = 0.0

    def progress(self, what: str, done: int, total: int) -> None:
        """Draw a bar."""
        with self._lock:
            now = time.monotonic()
            if now - self._last < _INTERVAL and done < total:
                return
            self._last = now
            filled = _WIDTH * done // total if total else _WIDTH
            bar = "#" * filled + "." * (_WIDTH - filled)
            self._draw(f"{what} [{bar}] {size(done)} of {size(total)}")

    @contextlib.contextmanager
    def working(self, current: Callable[[float], Event]) -> Iterator[None]:
        """Draw how something stands, now and then."""
        try:
            with ticking(lambda seconds: self.event(current(seconds)), _TICK):
                yield
        finally:
            self._clear()

    def event(self, event: Event) -> None:
        """Say what happened; the bar of what ended with it goes, also when there is nothing to say."""
        with self._lock:
            self._clear()
            super().event(event)

    def status(self, text: str) -> None:
        """Draw how something stands."""
        self._draw(text)

    def always(self, text: str) -> None:
        """Say something where the progress line was."""
        with self._lock:
            self._clear()
            super().always(text)

    def _draw(self, text: str) -> None:
        with self._lock:
            sys.stderr.write(f"{_CLEAR_LINE}{text}")
            sys.stderr.flush()
            self._drawn = True

    def _clear(self) -> None:
        with self._lock:
            if self._drawn:
                sys.stderr.write(_CLEAR_LINE)
                sys.stderr.flush()
                self._drawn = False


@contextlib.contextmanager
def ticking(tick: Callable[[float], None], interval: float) -> Iterator[None]:
    """Call `tick` with the seconds since the block began, every `interval` seconds, from a thread of its own."""
    stop = threading.Event()
    started = time.monotonic()

    def run() -> None:
        while not stop.wait(interval):
            tick(time.monotonic() - started)

    ticker = threading.Thread(target=run, name="progress", daemon=True)
    ticker.start()
    try:
        yield
    finally:
        stop.set()
        ticker.join()


def _styled(text: str, colour: str) -> str:
    return click.style(text, fg=colour, bold=True) if wants_colour(sys.stderr) else text


def wants_colour(stream: TextIO) -> bool:
    """Tell whether colours belong on this stream: a terminal, and nobody said NO_COLOR (https://no-color.org)."""
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"
