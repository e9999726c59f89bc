"""A command that is a fork of a warm process gives what `python -m ytbuild` gives, and leaves as little behind."""

from __future__ import annotations

import json
import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from subprocess import CompletedProcess, TimeoutExpired

import pytest

from tests.run.stages import alive, until
from tests.support import Pipeline, clean_environment, fork_server, python

STAGE = """\
from ytbuild import BaseStage


class First(BaseStage):
    def run(self, debug):
        import body
"""

STATE = """\
import gc, json, locale, logging, os, resource, signal, sys, tempfile, threading, time, warnings
import yt.wrapper

os.umask(mask := os.umask(0))
state = {
    "command": [sys.argv, sys.orig_argv, sys.executable, sys.modules["__main__"].__file__],
    "path": sys.path,
    "flags": [str(sys.flags), sys.dont_write_bytecode, sys.warnoptions, sys._xoptions],
    "environment": dict(os.environ),
    "folder": os.getcwd(),
    "signals": [
        getattr(handler, "__qualname__", handler) for handler in map(signal.getsignal, sorted(signal.valid_signals()))
    ],
    "blocked": signal.pthread_sigmask(signal.SIG_BLOCK, []),
    "files": sorted(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else [],
    "streams": [
        [each.encoding, each.errors, each.line_buffering, each.newlines, each.fileno(), each.isatty()]
        for each in (sys.stdin, sys.stdout, sys.stderr)
    ],
    "stdin": sys.stdin.read(),
    "mask": mask,
    "limits": [resource.getrlimit(each) for each in (resource.RLIMIT_NOFILE, resource.RLIMIT_DATA)],
    "temporary files": tempfile.gettempdir(),
    "threads": [thread.name for thread in threading.enumerate()],
    "main thread": threading.current_thread() is threading.main_thread(),
    "locale": [locale.setlocale(locale.LC_ALL), locale.getpreferredencoding(False)],
    "zone": time.tzname,
    "collector": [gc.isenabled(), gc.get_threshold(), gc.get_debug()],
    "log": [str(each) for each in logging.getLogger().handlers],
    "warnings": [str(each) for each in warnings.filters],
    "tests": [name for name in sys.modules if name.startswith("tests")],
    "session": [os.getpgid(0), os.getsid(0)],
    "proxy": yt.wrapper.config["proxy"]["url"],
}
print(json.dumps(state, default=str))
"""


def with_code(pipeline: Pipeline, code: str) -> Pipeline:
    """Make this what the stage does, and build it."""
    pipeline.write("stages/first/stage.py", STAGE)
    pipeline.write("body.py", code)
    pipeline.build()
    return pipeline


def without_times(result: CompletedProcess[str]) -> tuple[int, str, str]:
    """Return a run's exit code, stdout and stderr, the seconds that it took left out."""
    stdout = re.sub(r'"seconds": [\d.]+', '"seconds": …', result.stdout)
    return result.returncode, stdout, re.sub(r"\b[\d.]+m?s\b", "…", result.stderr)


COMMANDS = {
    "help": "--help",
    "no command": "",
    "unknown command": "biuld",
    "wrong usage": "build --nothing",
    "build": "build",
    "json": "build --json",
    "list": "ls",
    "differences": "diff --exit-code",
    "wrong configuration": "-o pipeline.uplod_paths=[] build",
    "no table": "table //tmp/nothing",
    "dry run": "run --dry-run",
    "run": "run",
    "no proxy": "upload -o pipeline.build_folder=//tmp/x",
}


@pytest.mark.parametrize("arguments", COMMANDS.values(), ids=COMMANDS)
def test_a_fork_gives_what_a_process_gives(tmp_path: Path, arguments: str) -> None:
    results = []
    for own_process in (False, True):
        pipeline = Pipeline.create(tmp_path / "pipeline")
        pipeline.write(".dev/input.jsonl", '{"n": 1}\n')
        results.append(without_times(pipeline.run(*arguments.split(), own_process=own_process)))
        pipeline.root.rename(tmp_path / f"ran {own_process}")
    assert results[0] == results[1]


@pytest.mark.parametrize(
    "code",
    [
        "raise ValueError('é')",
        "raise KeyboardInterrupt",
        "raise SystemExit(3)",
        "import sys; sys.exit('words')",
        "import os; os._exit(7)",
        "import os; os.abort()",
        "import os, signal; os.kill(os.getpid(), signal.SIGKILL)",
        "import os, sys; print('one\\r\\ntwo'); sys.stdout.flush(); os.write(1, b'\\xff'); os.write(2, b'low')",
        "import os; os.system('echo from a child; echo its stderr >&2')",
        "import sys; sys.stdout.buffer.write(b'bytes'); sys.stderr.buffer.write(b'more')",
        "import atexit; atexit.register(print, 'at exit')",
        "import threading, time; threading.Thread(target=lambda: (time.sleep(0.1), print('late'))).start()",
        "import warnings; warnings.warn('careful'); warnings.warn('old', DeprecationWarning)",
        "open(__file__)",
    ],
)
def test_code_does_in_a_fork_what_it_does_in_a_process(pipeline: Pipeline, code: str) -> None:
    with_code(pipeline, code)
    assert without_times(pipeline.run("run")) == without_times(pipeline.run("run", own_process=True))


def test_code_finds_in_a_fork_what_it_finds_in_a_process(pipeline: Pipeline) -> None:
    with_code(pipeline, STATE)
    variables = {"YT_PROXY": "127.0.0.1:1", "TZ": "Asia/Kathmandu", "TMPDIR": str(pipeline.root), "OWN": "é"}
    forked, own = (
        json.loads(pipeline.run("run", own_process=own_process, check=True, **variables).stdout)
        for own_process in (False, True)
    )
    assert forked == own
    assert (forked["proxy"], forked["environment"]["OWN"]) == ("127.0.0.1:1", "é")


def test_a_script_finds_in_a_fork_what_it_finds_in_a_process(tmp_path: Path) -> None:
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "script.py").write_text(STATE)
    (tmp_path / "link.py").symlink_to("folder/script.py")
    forked, own = (
        python(str(tmp_path / "link.py"), "a", cwd=tmp_path, environment=clean_environment(), own_process=own_process)
        for own_process in (False, True)
    )
    assert json.loads(forked.stdout) == json.loads(own.stdout)
    assert (forked.returncode, forked.stderr) == (0, "")


def test_nothing_of_a_run_reaches_the_next(pipeline: Pipeline) -> None:
    with_code(pipeline, STATE)
    before = pipeline.run("run", check=True).stdout
    pipeline.write(
        "body.py",
        "import gc, logging, os, signal, sys, threading, time, warnings\n"
        "os.environ['LEFT'] = '1'; os.chdir('/'); os.umask(0o777); sys.path.append('/left'); sys.argv.pop()\n"
        "signal.signal(signal.SIGUSR1, signal.SIG_IGN); gc.disable(); logging.basicConfig(force=True)\n"
        "warnings.simplefilter('error'); os.dup(1); sys.stdout = sys.stderr\n"
        "threading.Thread(target=time.sleep, args=(1000,), daemon=True).start()\n",
    )
    pipeline.run("run")
    pipeline.write("body.py", STATE)
    assert pipeline.run("run", check=True).stdout == before


def test_several_run_at_once(tmp_path: Path) -> None:
    """Each waits for a file that the one after it makes."""
    code = (
        "import pathlib, time\nhere = pathlib.Path.cwd()\nhere.joinpath('here').touch()\n"
        "while not here.with_name(str((int(here.name) + 1) % 3)).joinpath('here').exists(): time.sleep(0.01)\n"
        "print(here.name)\n"
    )
    pipelines = [with_code(Pipeline.create(tmp_path / str(number)), code) for number in range(3)]
    with ThreadPoolExecutor(3) as pool:
        results = pool.map(lambda pipeline: pipeline.run("run", check=True), pipelines)
    assert [result.stdout for result in results] == ["0\n", "1\n", "2\n"]


def test_a_command_that_takes_too_long_is_ended(tmp_path: Path) -> None:
    (tmp_path / "late.py").write_text("import os, time\nopen('pid', 'w').write(str(os.getpid()))\ntime.sleep(1000)\n")
    with pytest.raises(TimeoutExpired):
        fork_server().run("-m", "late", cwd=tmp_path, environment=clean_environment(), timeout=1)
    until(lambda: not alive(int((tmp_path / "pid").read_text())))


def test_variables_that_python_reads_when_it_starts_are_read(pipeline: Pipeline) -> None:
    with_code(pipeline, "import sys; print(sys.flags.utf8_mode, sys.path)")
    said = pipeline.run("run", check=True, PYTHONUTF8="1", PYTHONPATH="/nowhere").stdout
    assert said.startswith("1 ") and "'/nowhere'" in said
