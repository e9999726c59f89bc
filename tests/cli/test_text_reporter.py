"""Reporters: every event has its words, and what several threads say comes out line by line."""

from __future__ import annotations

import importlib
import pkgutil
import re
import sys
import threading
import time
from dataclasses import dataclass, is_dataclass

import pytest

import ytbuild
from ytbuild.base.reporter import SILENT, Event, Reporter, Warned
from ytbuild.cli.run import WORDS
from ytbuild.cli.stage_log import StageLogged
from ytbuild.cli.text_reporter import PlainReporter, TerminalReporter

CLEAR = re.escape("\r\x1b[2K")


@dataclass(frozen=True)
class Step(Event):
    """An event of these tests."""

    seconds: float


def event_classes() -> list[type[Event]]:
    """Return every kind of event that the rooms below the command line tell of."""
    for module in pkgutil.walk_packages(ytbuild.__path__, "ytbuild."):
        if not module.name.startswith(("ytbuild.cli", "ytbuild.jobenv.job_site", "ytbuild.__main__")):
            importlib.import_module(module.name)
    waiting, known = [Event], []
    while waiting:
        kinds = waiting.pop().__subclasses__()
        waiting += kinds
        known += [kind for kind in kinds if kind.__module__.startswith("ytbuild.") and not kind.__subclasses__()]
    return [kind for kind in known if kind is not Warned and not kind.__module__.startswith("ytbuild.cli.")]


def test_every_event_has_words() -> None:
    assert {*event_classes(), StageLogged} == set(WORDS)


def test_every_event_is_a_frozen_dataclass() -> None:
    for kind in event_classes():
        assert is_dataclass(kind) and kind.__dataclass_params__.frozen, kind  # type: ignore[attr-defined]


Capture = pytest.CaptureFixture[str]


def test_lines_and_bars_of_many_threads_do_not_mix(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ytbuild.cli.text_reporter._INTERVAL", 0)
    reporter = TerminalReporter()
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def say(number: int) -> None:
        for count in range(200):
            reporter.progress("packing", count, 200)
            reporter.line(f"line {number} {count}")
            reporter.event(Warned(f"{number} {count}"))

    try:
        threads = [threading.Thread(target=say, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    said = capsys.readouterr().err
    line, bar = r"(?:line|warning:) \d \d+\n", r"packing \[[#.]{24}\] \d+ B of 200 B"
    drawn = re.split(CLEAR, said)
    assert [part for part in drawn if not re.fullmatch(rf"(?:{bar}|(?:{line})*)", part)] == []
    assert said.count("\n") == 6 * 200 * 2


def test_what_an_event_says_comes_out_whole(capsys: Capture) -> None:
    reporter = PlainReporter()

    def said_slowly(event: Step, to: PlainReporter) -> None:
        for part in "abc":
            to.line(f"{event.seconds:g}{part}")
            time.sleep(0.001)

    reporter.words = {Step: said_slowly}
    threads = [threading.Thread(target=reporter.event, args=(Step(number),)) for number in range(5)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert re.fullmatch(r"((\d)a\n\2b\n\2c\n){5}", capsys.readouterr().err)


def test_a_watched_block_shows_how_it_stands_until_it_ends(capsys: Capture, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ytbuild.cli.text_reporter._TICK", 0.01)
    reporter = TerminalReporter()
    reporter.words = {Step: lambda event, to: to.status("at work")}
    said = ""
    with reporter.working(Step):
        while "at work" not in said:
            said += capsys.readouterr().err
    said += capsys.readouterr().err
    assert said.endswith("at work\r\x1b[2K")


@pytest.mark.parametrize("reporter", [PlainReporter(), SILENT])
def test_without_a_terminal_nobody_asks_how_something_stands(reporter: Reporter, capsys: Capture) -> None:
    def asked(seconds: float) -> Event:
        raise AssertionError

    with reporter.working(asked):
        time.sleep(0.6)
    reporter.progress("packing", 1, 2)
    assert capsys.readouterr().err == ""
