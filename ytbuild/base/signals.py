"""The signals that end a run, what children inherit of signals, and moments that neither may disturb."""

from __future__ import annotations

import contextlib
import signal
import threading
from collections.abc import Iterator
from types import FrameType
from typing import Any

_ENDING = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
# Whoever writes to a terminal while SIGTTOU is handled, not ignored, is told to try again for ever; so is a reader
# while SIGTTIN is. SIGPIPE and SIGXFSZ are ignored by Python itself, and `subprocess` restores them in children.
_LEFT_AS_THEY_ARE = {signal.SIGTTIN, signal.SIGTTOU, signal.SIGPIPE, signal.SIGXFSZ}


def install() -> None:
    """Make of SIGTERM and SIGHUP what Ctrl-C is: jobs, transactions and operations are ended on the way out.

    A signal that was ignored when the process began stays ignored: nohup(1), or `&` in a script. The handlers are the
    whole process's: only a command line may call this, in the main thread.
    """
    for number in _ENDING:
        if signal.getsignal(number) is not signal.SIG_IGN:
            signal.signal(number, _interrupt)
    prepare_for_children()


def prepare_for_children() -> None:
    """See to it that children begin with no signal ignored, and that the kernel keeps their exit status.

    Ignored signals stay ignored in a new program, handled ones do not (execve(2)): so what is ignored gets a handler
    that does nothing. Where SIGCHLD is ignored, by a supervisor or by the code of a stage, the status of every child
    is lost (wait(2)). Only the main thread can change this; in others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        return
    for number in signal.valid_signals() - _LEFT_AS_THEY_ARE:
        if signal.getsignal(number) is signal.SIG_IGN:
            signal.signal(number, signal.SIG_DFL if number == signal.SIGCHLD else _do_nothing)


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Hold the first signal that ends a run back until the block has ended; a second one counts at once.

    It is for moments in which an interrupt would lose what nobody could end any more. Only the main thread is
    interrupted by signals; in others this does nothing.
    """
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    came: list[int] = []
    before: dict[int, Any] = {}

    def note(number: int, frame: FrameType | None) -> None:
        came.append(number)
        if len(came) > 1 and callable(before[number]):
            before[number](number, frame)

    for each in _ENDING:
        if signal.getsignal(each) not in (signal.SIG_IGN, _do_nothing):
            before[each] = signal.signal(each, note)
    try:
        yield
    finally:
        for held, handler in before.items():
            signal.signal(held, handler)
        if came:
            signal.raise_signal(came[0])


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


def _do_nothing(_: int, __: FrameType | None) -> None:
    pass
