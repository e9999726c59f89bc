"""Events for programs: an object of JSON a line on stdout. Warnings and errors are on stderr, too."""

from __future__ import annotations

import contextlib
import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import is_dataclass
from datetime import UTC, datetime
from typing import Any, TextIO

from ytbuild import __version__
from ytbuild.base.errors import YtbuildError
from ytbuild.base.reporter import Event
from ytbuild.cli.json_output import FORMAT_VERSION
from ytbuild.cli.text_reporter import PlainReporter, ticking

_PROGRESS_INTERVAL = 1.0
_WORKING_INTERVAL = 10.0

Fields = Mapping[type[Event], Callable[[Any], Mapping[str, Any]]]
"""The fields of those events that are not written as they are, by their classes."""


class JsonReporter(PlainReporter):
    """Writes every event with its `event`, `time` and fields; `fields` gives those that are not the event's own."""

    def __init__(self, command: str, fields: Fields, verbose: bool, progress: bool) -> None:
        super().__init__(quiet=True, verbose=verbose)
        self._fields = fields
        self._shows_progress = progress
        self._last: dict[str, float] = {}
        self._out: TextIO | None = None
        self._write("started", format_version=FORMAT_VERSION, version=__version__, command=command)

    def event(self, event: Event) -> None:
        """Write an event."""
        with self._lock:
            fields: Callable[[Any], Mapping[str, Any]] = self._fields.get(type(event), _flat)
            self._write(re.sub("(?<=[a-z])(?=[A-Z])", "_", type(event).__name__).lower(), **fields(event))
            super().event(event)

    def progress(self, what: str, done: int, total: int) -> None:
        """Write how far something is, now and then and at its end."""
        with self._lock:
            now = time.monotonic()
            late = now - self._last.setdefault(what, now) >= _PROGRESS_INTERVAL
            if self._shows_progress and (late or done >= total):
                self._last[what] = now
                self._write("progress", what=what, done=done, total=total)

    def working(self, current: Callable[[float], Event]) -> contextlib.AbstractContextManager[None]:
        """Write how something stands, now and then."""
        if not self._shows_progress:
            return super().working(current)
        return ticking(lambda seconds: self.event(current(seconds)), _WORKING_INTERVAL)

    def detail(self, text: str) -> None:
        """Say nothing: the events have it."""

    def failed(self, error: YtbuildError) -> None:
        """Write what failed, as the last event."""
        notes = list(getattr(error, "__notes__", ()))
        self._write("failed", message=error.message, hint=error.hint, notes=notes, exit_code=error.exit_code)
        super().failed(error)

    def interrupted(self, notes: Iterable[str]) -> None:
        """Write that Ctrl-C or a signal ended the command, as the last event."""
        notes = list(notes)
        self._write("interrupted", notes=notes)
        super().interrupted(notes)

    @contextlib.contextmanager
    def alone_on_stdout(self) -> Iterator[None]:
        """Keep stdout for events: whatever else prints there in the block, children included, prints on stderr."""
        sys.stdout.flush()
        with open(os.dup(1), "w", encoding="utf-8") as out:
            os.dup2(2, 1)
            self._out = out
            try:
                yield
            finally:
                sys.stdout.flush()
                os.dup2(out.fileno(), 1)
                self._out = None

    def _write(self, name: str, **fields: object) -> None:
        now = datetime.now(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
        line = json.dumps({"event": name, "time": now, **fields}, ensure_ascii=True)
        with self._lock:
            out = self._out or sys.stdout
            out.write(line + "\n")
            out.flush()


def _flat(event: Event) -> dict[str, Any]:
    """Return the fields of an event, and of values in it that have fields of their own."""
    fields: dict[str, Any] = {}
    for name, value in vars(event).items():
        fields |= vars(value) if is_dataclass(value) else {name: value}
    return {name: round(value, 4) if isinstance(value, float) else value for name, value in fields.items()}
