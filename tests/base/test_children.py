"""Child processes: how their end is told, what ends them, and what of them is left."""

from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.run.stages import alive, until
from ytbuild.base import children
from ytbuild.base.cancellation import Cancellation, Cancelled
from ytbuild.base.children import Child, ExitStatus


@pytest.fixture(autouse=True)
def no_thread_is_left() -> Iterator[None]:
    """Whatever a child needs to be watched has ended soon after it."""
    before = threading.active_count()
    yield
    until(lambda: threading.active_count() <= before, 5)


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    """A child that does not end when it is asked to is killed soon."""
    monkeypatch.setattr(children, "_GRACE_SECONDS", 0.2)


def started(folder: Path, script: str, time_limit: float | None = None, **variables: str) -> Child:
    """Start a bash script whose output goes to the files `out` and `log`."""
    command = ["bash", "-c", script]
    environment = children.inherited() | variables
    with open(folder / "out", "wb") as out, open(folder / "log", "wb") as log:
        return Child(command, cwd=str(folder), environment=environment, stdout=out, stderr=log, time_limit=time_limit)


def pid(folder: Path, name: str = "pid") -> int:
    """Return the process id that a script has written, or will write, to a file."""
    until(lambda: (folder / name).exists() and (folder / name).read_text().endswith("\n"))
    return int((folder / name).read_text())


@pytest.mark.parametrize(
    ("script", "code", "problem"),
    [
        ("exit 0", 0, ""),
        ("exit 3", 3, "exited with code 3"),
        ("kill -KILL $$", -9, "was killed by SIGKILL"),
        ("kill -40 $$", -40, "was killed by signal 40"),
    ],
)
@pytest.mark.parametrize("way", ["waitid", "no waitid"])
def test_the_status_of_a_child_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str, script: str, code: int, problem: str
) -> None:
    if way == "no waitid":
        monkeypatch.delattr(os, "waitid")
    status = started(tmp_path, script).wait()
    assert (status, status.problem) == (ExitStatus(code), problem)


def test_a_child_has_nothing_on_stdin_and_the_variables_that_it_is_given(tmp_path: Path) -> None:
    assert not started(tmp_path, "cat; echo $NAME >&2; pwd", NAME="value").wait().problem
    assert (tmp_path / "out").read_text() == f"{tmp_path}\n" and (tmp_path / "log").read_text() == "value\n"


def test_tokens_and_secrets_are_not_inherited(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YT_TOKEN", "AWS_SECRET_ACCESS_KEY", "LC_ALL"):
        monkeypatch.setenv(name, "value")
    assert children.inherited().items() >= {("LC_ALL", "value")}
    assert not {"YT_TOKEN", "AWS_SECRET_ACCESS_KEY"} & set(children.inherited())
    assert children.inherited("YT_TOKEN")["YT_TOKEN"] == "value"


def test_a_command_that_is_not_there_raises(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        children.run(["/no/such/command"], cwd=str(tmp_path), environment={}, stdout=1, stderr=2)


def test_what_a_child_leaves_in_its_group_ends_with_it(tmp_path: Path) -> None:
    assert not started(tmp_path, "sleep 60 & echo $! >pid").wait().problem
    until(lambda: not alive(pid(tmp_path)), 1)


def test_a_child_in_a_session_of_its_own_is_ended_by_its_variable(tmp_path: Path) -> None:
    script = "setsid bash -c 'echo $$ >pid; exec sleep 60' & until [ -s pid ]; do sleep 0.02; done"
    assert not started(tmp_path, script, MARK="this one").wait().problem
    children.kill_marked("MARK", "another")
    assert alive(pid(tmp_path))
    children.kill_marked("MARK", "this one")
    until(lambda: not alive(pid(tmp_path)), 1)


def test_a_child_ends_when_its_time_is_up(tmp_path: Path) -> None:
    status = started(tmp_path, "sleep 60", time_limit=0.1).wait()
    assert (status.timed_out, status.problem) == (True, "ran longer than its time limit")


def test_a_time_limit_that_is_long_enough_changes_nothing(tmp_path: Path) -> None:
    assert started(tmp_path, "sleep 0.1", time_limit=60).wait() == ExitStatus(0)


def test_a_child_may_clean_up_when_it_is_ended(tmp_path: Path) -> None:
    child = started(tmp_path, "trap 'echo cleaned; exit 4' TERM; echo $$ >pid; sleep 60 & wait")
    pid(tmp_path)
    child.end()
    assert child.wait() == ExitStatus(4) and (tmp_path / "out").read_text() == "cleaned\n"


@pytest.mark.usefixtures("impatient")
def test_a_child_that_does_not_want_to_end_is_killed_with_its_group(tmp_path: Path) -> None:
    child = started(tmp_path, "trap '' TERM; sleep 60 & echo $! >pid; wait; sleep 60")
    other = pid(tmp_path)
    child.end()
    child.end()
    assert child.wait() == ExitStatus(-signal.SIGKILL)
    until(lambda: not alive(other), 1)


def test_a_child_has_ended_when_its_block_is_left(tmp_path: Path) -> None:
    with pytest.raises(ZeroDivisionError), started(tmp_path, "echo $$ >pid; sleep 60") as child:
        pid(tmp_path)
        raise ZeroDivisionError
    assert child.ended.is_set() and not alive(pid(tmp_path))


def test_ending_a_child_that_has_ended_does_nothing(tmp_path: Path) -> None:
    child = started(tmp_path, "exit 0")
    child.wait()
    child.end()
    assert child.wait() == ExitStatus(0)


def run(folder: Path, script: str, cancellation: Cancellation) -> ExitStatus:
    with open(folder / "log", "wb") as log:
        return children.run(
            ["bash", "-c", script],
            cwd=str(folder),
            environment=children.inherited(),
            stdout=log,
            stderr=log,
            cancellation=cancellation,
        )


def test_a_run_that_is_cancelled_from_another_thread_ends_the_child(tmp_path: Path) -> None:
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(run, tmp_path, "echo $$ >pid; sleep 60", cancellation)
        number = pid(tmp_path)
        cancellation.cancel()
        with pytest.raises(Cancelled):
            running.result(5)
    assert not alive(number)


def test_a_run_that_was_cancelled_before_starts_nothing(tmp_path: Path) -> None:
    cancellation = Cancellation()
    cancellation.cancel()
    with pytest.raises(Cancelled):
        run(tmp_path, "echo $$ >pid", cancellation)
    assert not (tmp_path / "pid").exists()


def test_several_children_are_cancelled_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(children, "_GRACE_SECONDS", 1.0)
    cancellation = Cancellation()
    with ThreadPoolExecutor(4) as pool:
        script = "trap '' TERM; echo $$ >pid{}; while :; do sleep 0.05; done"
        running = [pool.submit(run, tmp_path, script.format(index), cancellation) for index in range(4)]
        for index in range(4):
            pid(tmp_path, f"pid{index}")
        began = time.monotonic()
        cancellation.cancel()
        for future in running:
            assert isinstance(future.exception(), Cancelled)
    assert time.monotonic() - began < 2.5


@contextlib.contextmanager
def sigchld_ignored() -> Iterator[None]:
    before = signal.signal(signal.SIGCHLD, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGCHLD, before)


@pytest.mark.parametrize("code", [0, 1])
def test_the_status_is_known_although_sigchld_was_ignored(tmp_path: Path, code: int) -> None:
    with sigchld_ignored():
        assert started(tmp_path, f"exit {code}").wait() == ExitStatus(code)


@pytest.mark.parametrize("way", ["waitid", "no waitid"])
def test_a_child_whose_status_is_lost_has_failed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, way: str) -> None:
    if way == "no waitid":
        monkeypatch.delattr(os, "waitid")
    child = started(tmp_path, "echo $$ >pid; sleep 0.5")
    with sigchld_ignored():
        status = child.wait()
    assert status == ExitStatus(None) and status.problem.startswith("ended without an exit status")


def test_a_child_for_which_somebody_else_waited_does_not_count_as_success(tmp_path: Path) -> None:
    child = started(tmp_path, "echo $$ >pid; sleep 0.2; exit 3")
    with contextlib.suppress(ChildProcessError):
        os.waitpid(pid(tmp_path), 0)
    assert child.wait() in (ExitStatus(3), ExitStatus(None))


def test_no_zombie_is_left(tmp_path: Path) -> None:
    child = started(tmp_path, "echo $$ >pid")
    child.wait()
    assert not os.path.exists(f"/proc/{pid(tmp_path)}")


def test_an_interrupt_while_a_child_is_waited_for_ends_it(tmp_path: Path) -> None:
    timer = threading.Timer(0.3, os.kill, [os.getpid(), signal.SIGINT])
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        run(tmp_path, "echo $$ >pid; sleep 60", Cancellation())
    assert not alive(pid(tmp_path))


def test_children_of_others_are_not_touched(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"]) as other:
        started(tmp_path, "exit 0").wait()
        assert other.poll() is None
        other.kill()
