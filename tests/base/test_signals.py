"""Signals of a command: what ends it, what it goes on ignoring, and what its children see of that."""

from __future__ import annotations

import signal
import subprocess
import sys

import pytest

from ytbuild.base import signals

pytestmark = pytest.mark.quick

ENDING = [signal.SIGINT, signal.SIGTERM, signal.SIGHUP]
COMMAND = """\
import os, signal, subprocess, sys
from ytbuild.base import signals
signals.install()
try:
    {body}
except KeyboardInterrupt:
    print("interrupted", flush=True)
"""


def said(body: str, ignored: str = "") -> list[str]:
    """Run a body in a process that began with these signals ignored; return what it printed, word by word."""
    traps = "".join(f"trap '' {name}; " for name in ignored.split())
    command = ["bash", "-c", f'{traps}exec "$0" -c "$1"', sys.executable, COMMAND.format(body=body)]
    return subprocess.run(command, capture_output=True, text=True, check=True, timeout=30).stdout.split()


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_ends_a_command_interrupts_it(number: signal.Signals) -> None:
    assert said(f"os.kill(os.getpid(), {number}); signal.pause()") == ["interrupted"]


@pytest.mark.parametrize("number", ENDING)
def test_a_signal_that_was_ignored_stays_ignored(number: signal.Signals) -> None:
    assert said(f"os.kill(os.getpid(), {number}); print('goes on')", number.name[3:]) == ["goes", "on"]


def test_a_child_ignores_no_signal() -> None:
    body = "subprocess.run(['grep', 'SigIgn', '/proc/self/status'])"
    name, mask = said(body, "HUP INT TERM QUIT CHLD USR1")
    assert name == "SigIgn:"
    # glibc's posix_spawn leaves signals of its own ignored (32, 33), and they are no program's business.
    assert not [number for number in signal.valid_signals() if int(mask, 16) >> (number - 1) & 1]


def test_the_status_of_a_child_is_kept_where_sigchld_was_ignored() -> None:
    assert said("print(subprocess.call(['false']))", "CHLD") == ["1"]


def interrupts(count: int) -> list[str]:
    """Interrupt an undisturbed block so often; return what happened, in order."""
    events: list[str] = []
    try:
        with signals.undisturbed():
            for _ in range(count):
                signal.raise_signal(signal.SIGINT)
            events.append("block ended")
    except KeyboardInterrupt:
        events.append("interrupted")
    return events


def test_the_first_interrupt_waits_for_the_end_of_an_undisturbed_block() -> None:
    assert interrupts(1) == ["block ended", "interrupted"]


def test_a_second_interrupt_of_an_undisturbed_block_counts_at_once() -> None:
    assert interrupts(2) == ["interrupted"]


def test_an_undisturbed_block_leaves_the_handlers_as_they_were() -> None:
    before = [signal.getsignal(number) for number in ENDING]
    assert interrupts(0) == ["block ended"]
    assert [signal.getsignal(number) for number in ENDING] == before
