"""Events as lines of JSON: whole whoever speaks, with what a verbose user wants, and odd texts escaped."""

from __future__ import annotations

import json
import sys
import threading

import pytest

from tests.support import Pipeline
from ytbuild.base.reporter import Warned
from ytbuild.cli.json_reporter import JsonReporter

LOGS = (
    "from ytbuild import *\nclass First(BaseStage):\n    def run(self, debug):\n        self.logger.debug('small')\n"
)


def test_events_of_many_threads_do_not_mix(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonReporter("run", {}, verbose=False, progress=True)
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)

    def say(number: int) -> None:
        for count in range(200):
            reporter.event(Warned(f"{number} {count}"))
            reporter.progress(str(number), count, count)

    try:
        threads = [threading.Thread(target=say, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(interval)
    events = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [event["event"] for event in events].count("warned") == 6 * 200
    assert len(events) == 1 + 2 * 6 * 200


def test_progress_is_said_at_its_end_and_not_every_time(capsys: pytest.CaptureFixture[str]) -> None:
    reporter = JsonReporter("build", {}, verbose=False, progress=True)
    for done in range(101):
        reporter.progress("packing", done, 100)
    _, *events = (json.loads(line) for line in capsys.readouterr().out.splitlines())
    assert [(event["done"], event["total"]) for event in events] == [(100, 100)]


def test_odd_texts_are_escaped(capsys: pytest.CaptureFixture[str]) -> None:
    JsonReporter("run", {}, verbose=False, progress=True).event(Warned("a\nb\x1b[31mé"))
    said = capsys.readouterr().out
    assert said.isascii() and said.count("\n") == 2
    assert json.loads(said.splitlines()[1])["message"] == "a\nb\x1b[31mé"


@pytest.mark.parametrize(("options", "levels"), [((), []), (("-v",), ["debug"]), (("-q",), [])])
def test_debug_messages_of_stages_are_for_verbose_users(
    pipeline: Pipeline, options: tuple[str, ...], levels: list[str]
) -> None:
    pipeline.write("stages/first/stage.py", LOGS)
    result = pipeline.run("run", "--json", *options, check=True)
    events = [json.loads(line) for line in result.stdout.splitlines()]
    assert [event["level"] for event in events if event["event"] == "stage_logged"] == levels
    assert result.stderr == ""
