"""Many commands in one process: each leaves the interpreter as it found it, however it ends."""

from __future__ import annotations

import gc
import logging
import os
import signal
import sys
import threading
from pathlib import Path

import pytest

from tests.support import Pipeline
from ytbuild.cli.main import exit_code

pytestmark = pytest.mark.quick

STAGE = (
    "from words import WORD\n"
    "from ytbuild import BaseStage\n\n"
    "class First(BaseStage):\n"
    "    def run(self, debug):\n"
    "        self.logger.info(WORD)\n"
)


def with_word(root: Path, word: str) -> Pipeline:
    """A pipeline whose stage logs a word of a module beside it."""
    pipeline = Pipeline.create(root)
    pipeline.write("stages/first/stage.py", STAGE)
    pipeline.write("words.py", f"WORD = {word!r}\n")
    return pipeline


def state() -> dict[str, object]:
    """Return what commands touch of the interpreter."""
    logger = logging.getLogger("ytbuild")
    return {
        "path": sys.path[:],
        "own modules": [name for name in sys.modules if name.split(".")[0] in ("stages", "words")],
        "bytecode": sys.dont_write_bytecode,
        "signals": [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)],
        "log": (logger.handlers[:], logger.level, logger.propagate),
        "collector": gc.isenabled(),
        "environment": dict(os.environ),
        "folder": os.getcwd(),
        "threads": [thread.name for thread in threading.enumerate()],
        "stdout": sys.stdout,
        "stderr": sys.stderr,
    }


def test_each_run_imports_its_own_modules_and_says_everything_once(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for word in ("one", "two", "three"):
        assert exit_code(["-C", str(with_word(tmp_path / word, word).root), "run"]) == 0
        said = capsys.readouterr().err
        assert said.count("[first]") == 1 and f"[first] {word}\n" in said


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["run"], 0),
        (["run", "--dry-run"], 0),
        (["build", "--json"], 0),
        (["diff", "--exit-code"], 1),
        (["ls"], 0),
        (["run", "nowhere"], 2),
        (["upload"], 2),
        (["nothing"], 2),
        (["--help"], 0),
    ],
)
@pytest.mark.parametrize("collecting", [True, False])
def test_a_command_leaves_nothing_behind(tmp_path: Path, arguments: list[str], code: int, collecting: bool) -> None:
    pipeline = with_word(tmp_path, "word")
    (gc.enable if collecting else gc.disable)()
    try:
        before = state()
        assert exit_code(["-C", str(pipeline.root), *arguments]) == code
        assert state() == before
    finally:
        gc.enable()


@pytest.mark.parametrize("ending", ["raise ValueError", "raise KeyboardInterrupt", "raise SystemExit(3)"])
def test_a_stage_that_fails_leaves_nothing_behind(tmp_path: Path, ending: str) -> None:
    pipeline = with_word(tmp_path, "word")
    pipeline.write("words.py", ending)
    before = state()
    assert exit_code(["-C", str(pipeline.root), "run"]) == (130 if "Keyboard" in ending else 1)
    assert state() == before


def test_modules_of_a_virtual_environment_in_the_folder_stay(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pipeline = with_word(tmp_path, "word")
    pipeline.write("words.py", "import installed\nWORD = 'word'\n")
    monkeypatch.syspath_prepend(str(pipeline.write(".venv/installed.py").parent))
    try:
        assert exit_code(["-C", str(pipeline.root), "run"]) == 0
        assert "installed" in sys.modules and "words" not in sys.modules
    finally:
        sys.modules.pop("installed", None)


def test_a_command_runs_outside_the_main_thread(tmp_path: Path) -> None:
    pipeline = with_word(tmp_path, "word")
    codes: list[int] = []
    thread = threading.Thread(target=lambda: codes.append(exit_code(["-C", str(pipeline.root), "run"])))
    thread.start()
    thread.join()
    assert codes == [0]
