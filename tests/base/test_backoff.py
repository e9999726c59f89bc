"""The one backoff: how its pauses grow, and what ends them."""

from __future__ import annotations

import threading
import time
from types import SimpleNamespace
from typing import Any

import pytest

from ytbuild.base import backoff
from ytbuild.base.backoff import Backoff
from ytbuild.base.errors import ClusterError


class Clock:
    """A clock that sleeping puts forward."""

    def __init__(self) -> None:
        self.now = 100.0
        self.pauses: list[float] = []

    def sleep(self, seconds: float) -> None:
        """Put it forward."""
        self.pauses.append(seconds)
        self.now += seconds


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    """The time that a backoff sees."""
    clock = Clock()
    monkeypatch.setattr(backoff, "time", SimpleNamespace(monotonic=lambda: clock.now, sleep=clock.sleep))
    return clock


def pauses(clock: Clock, *arguments: Any, most: int = 50, **options: Any) -> list[float]:
    """Wait until there is no other attempt, and return how long each pause was."""
    waiting = Backoff(*arguments, **options)
    while waiting.count < most and waiting.wait():
        pass
    return clock.pauses


def test_pauses_double_up_to_the_longest(clock: Clock) -> None:
    assert pauses(clock, 1, 5, most=5) == [1, 2, 4, 5, 5]


def test_pauses_grow_as_they_are_told_to(clock: Clock) -> None:
    assert pauses(clock, 1, 10, most=4, growth=1.5) == [1, 1.5, 2.25, 3.375]


def test_no_pause_is_too_many(clock: Clock) -> None:
    assert len(pauses(clock, 1, 10, most=5_000)) == 5_000


def test_no_pause_begins_that_would_end_too_late(clock: Clock) -> None:
    assert pauses(clock, 1, 15, 10) == [1, 2, 4]


def test_a_last_pause_that_is_cut_ends_in_time(clock: Clock) -> None:
    assert pauses(clock, 1, 15, 10, cut=True) == [1, 2, 4, 3]


def test_some_pauses_are_made_however_late_it_is(clock: Clock) -> None:
    assert pauses(clock, 1, 15, 0.5, at_least=2) == [1, 2]


def test_pauses_are_stretched_at_random_within_bounds(clock: Clock) -> None:
    seen = pauses(clock, 1, 1, most=200, jitter=(0.5, 1.5))
    assert all(0.5 <= pause <= 1.5 for pause in seen)
    assert min(seen) < 0.7 and max(seen) > 1.3


def test_each_pause_is_told_of_before_it_begins(clock: Clock) -> None:
    heard: list[tuple[int, int]] = []
    pauses(clock, 1, 1, most=3, waiting=lambda number: heard.append((number, len(clock.pauses))))
    assert heard == [(1, 0), (2, 1), (3, 2)]


def test_a_pause_that_does_not_begin_is_not_told_of(clock: Clock) -> None:
    heard: list[int] = []
    pauses(clock, 2, 2, 1, waiting=heard.append)
    assert heard == []


def test_an_interrupt_ends_a_pause_and_the_attempts() -> None:
    stop = threading.Event()
    threading.Timer(0.05, stop.set).start()
    begin = time.monotonic()
    assert not Backoff(30, 30, sleep=stop.wait).wait()
    assert time.monotonic() - begin < 5


def test_an_attempt_that_got_on_for_long_starts_the_time_again(clock: Clock) -> None:
    waiting = Backoff(1, 5, 10)
    assert waiting.wait() and waiting.wait()
    clock.now += 10
    assert waiting.wait(got_on=True)
    assert clock.pauses == [1, 2, 1]


def test_an_attempt_that_got_on_for_a_moment_does_not(clock: Clock) -> None:
    waiting = Backoff(1, 5, 10)
    while waiting.wait(got_on=True):
        clock.now += 1
    assert clock.now <= 110


def fails(clock: Clock, attempts: list[float], transient: bool = True, times: int = 99) -> Any:
    """An action that fails some times."""

    def action() -> str:
        attempts.append(clock.now)
        if len(attempts) <= times:
            raise ClusterError(f"attempt {len(attempts)}", transient=transient)
        return "done"

    return action


def passing(error: ClusterError) -> bool:
    return error.transient


def test_what_fails_in_passing_is_done_again(clock: Clock) -> None:
    attempts: list[float] = []
    assert Backoff(1, 5, 60).repeat(fails(clock, attempts, times=2), passing) == "done"
    assert attempts == [100, 101, 103]


def test_what_fails_for_good_is_not_done_again(clock: Clock) -> None:
    attempts: list[float] = []
    with pytest.raises(ClusterError, match="attempt 1"):
        Backoff(1, 5, 60).repeat(fails(clock, attempts, transient=False), passing)
    assert attempts == [100]


def test_the_last_error_is_raised_when_time_is_over(clock: Clock) -> None:
    attempts: list[float] = []
    with pytest.raises(ClusterError, match="attempt 4"):
        Backoff(1, 5, 10).repeat(fails(clock, attempts), passing)
    assert attempts == [100, 101, 103, 107]
