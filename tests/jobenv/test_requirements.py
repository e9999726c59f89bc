"""A stage's `requirements.txt` in dev: what pip installs, what it sees, what ends it, and what heals."""

from __future__ import annotations

import gzip
import io
import os
import shutil
import signal
import socket
import subprocess
import sys
import tarfile
import threading
import zipfile
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.run.stages import alive, failed, operation, ran
from tests.support import Pipeline, clean_environment
from ytbuild.base.cancellation import Cancellation, Cancelled
from ytbuild.base.errors import ConfigError, OperationFailed
from ytbuild.jobenv import requirements

BACKEND = """\
import os, zipfile
def build_wheel(folder, settings=None, metadata=None):
    name = "tinything-1-py3-none-any.whl"
    seen = "\\n".join(f"{name}={value}" for name, value in os.environ.items())
    with zipfile.ZipFile(f"{folder}/{name}", "w") as wheel:
        wheel.writestr("tinything.py", f"SEEN = {seen!r}")
        wheel.writestr("tinything-1.dist-info/METADATA", "Metadata-Version: 2.1\\nName: tinything\\nVersion: 1\\n")
        facts = "Wheel-Version: 1.0\\nRoot-Is-Purelib: true\\nTag: py3-none-any\\n"
        wheel.writestr("tinything-1.dist-info/WHEEL", facts)
        wheel.writestr("tinything-1.dist-info/RECORD", "")
    return name
"""
PROJECT = (
    '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    '[project]\nname = "tinything"\nversion = "1"\n'
)


def without_time(member: tarfile.TarInfo) -> tarfile.TarInfo:
    member.mtime = 0
    return member


@dataclass(frozen=True)
class Stage:
    """A stage with requirements, in an archive as the installation finds it, and the package `tinything` in `lib`."""

    root: Path

    def install(self, lines: str, cancellation: Cancellation | None = None, python: str = sys.executable) -> Path:
        """Install these requirements; return the folder of the packages."""
        path = self.root / "stages/first/requirements.txt"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(lines)
        content = io.BytesIO()
        with tarfile.open(fileobj=content, mode="w") as tar:
            tar.add(path, "stages/first/requirements.txt", filter=without_time)
            tar.add(self.root / "lib", "lib", filter=without_time)
        archive = self.root / f"{zlib.crc32(content.getvalue())}.tar.gz"
        archive.write_bytes(gzip.compress(content.getvalue()))
        done = requirements.install(
            str(path), python, str(self.build_dir), str(archive), cancellation or Cancellation()
        )
        return Path(done)

    @property
    def build_dir(self) -> Path:
        return self.root / ".build"

    def left(self) -> list[str]:
        """Return the names of what lies among the installations and is none."""
        return [path.name for path in (self.build_dir / "requirements").glob(".*")]


@pytest.fixture
def stage(tmp_path: Path) -> Stage:
    package = tmp_path / "lib"
    package.mkdir()
    (package / "pyproject.toml").write_text(PROJECT)
    (package / "backend.py").write_text(BACKEND)
    return Stage(tmp_path)


def wheel(stage: Stage, value: str) -> None:
    """Put a wheel of a package `small`, which holds this value, into the folder `lib`."""
    with zipfile.ZipFile(stage.root / "lib/small-1-py3-none-any.whl", "w") as file:
        file.writestr("small.py", f"VALUE = {value!r}\n")
        file.writestr("small-1.dist-info/METADATA", "Metadata-Version: 2.1\nName: small\nVersion: 1\n")
        file.writestr("small-1.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        file.writestr("small-1.dist-info/RECORD", "")


SMALL = "--no-index\n./lib/small-1-py3-none-any.whl\n"


def test_the_jobs_of_the_stage_see_the_packages(pipeline: Pipeline, tmp_path: Path) -> None:
    package = tmp_path / "dist"
    package.mkdir()
    (package / "pyproject.toml").write_text(PROJECT)
    (package / "backend.py").write_text(BACKEND)
    pipeline.write("stages/first/requirements.txt", f"{package}\n")
    pipeline.write("stages/first/src/vanilla.py", "import tinything\nprint(tinything.__file__)\n")
    operation(pipeline, "vanilla: {}")
    ran(pipeline)
    place = (pipeline.root / ".dev/first.vanilla.log").read_text().strip()
    assert place.startswith(str(pipeline.root / ".build" / "requirements"))


def test_what_pip_cannot_install_fails_the_run_with_pips_words(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/requirements.txt", "./no-such-folder\n")
    operation(pipeline, "vanilla: {}")
    pipeline.write("stages/first/src/vanilla.py")
    said = failed(pipeline)
    assert "pip could not install" in said and "exited with code 1" in said and "no-such-folder" in said


def test_a_failed_installation_leaves_nothing(stage: Stage) -> None:
    with pytest.raises(OperationFailed, match="no-such-folder"):
        stage.install("./no-such-folder\n")
    assert os.listdir(stage.build_dir / "requirements") == []


def test_requirements_that_are_installed_are_not_installed_again(stage: Stage) -> None:
    wheel(stage, "first")
    folder = stage.install(SMALL)
    before = os.stat(folder).st_ino
    assert stage.install(SMALL) == folder and os.stat(folder).st_ino == before


def test_requirements_without_a_package_install_nothing(stage: Stage) -> None:
    assert os.listdir(stage.install("# nothing yet\n")) == []


@pytest.mark.parametrize("damage", ["removed", "emptied", "cut", "record", "all"])
def test_a_damaged_installation_is_made_anew(stage: Stage, damage: str) -> None:
    wheel(stage, "value")
    folder = stage.install(SMALL)
    if damage == "removed":
        (folder / "small.py").unlink()
    elif damage == "emptied":
        shutil.rmtree(folder)
        folder.mkdir()
    elif damage == "cut":
        (folder / "small.py").write_text("")
    elif damage == "record":
        (folder.parent / "files").write_text("nothing that was recorded")
    else:
        shutil.rmtree(folder.parent)
        folder.parent.write_text("a file in its place")
    assert stage.install(SMALL) == folder and (folder / "small.py").read_text() == "VALUE = 'value'\n"
    assert stage.left() == []


def test_what_a_job_adds_to_an_installation_is_no_damage(stage: Stage) -> None:
    wheel(stage, "value")
    folder = stage.install(SMALL)
    (folder / "added.pyc").write_text("")
    stage.install(SMALL)
    assert (folder / "added.pyc").exists()


@pytest.mark.parametrize(
    "lines",
    [SMALL, *(f"--no-index\n{option} lib\nsmall\n" for option in ("--find-links", "-f")), "-r ../../lib/more.txt\n"],
)
def test_a_local_wheel_that_was_replaced_is_installed_anew(stage: Stage, lines: str) -> None:
    (stage.root / "lib/more.txt").write_text("--no-index\n./lib/small-1-py3-none-any.whl\n")
    for value in ("first", "second"):
        wheel(stage, value)
        assert (stage.install(lines) / "small.py").read_text() == f"VALUE = {value!r}\n"


def seen(folder: Path) -> str:
    return (folder / "tinything.py").read_text()


def test_a_packages_build_sees_no_token_and_no_secret(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("YT_TOKEN", "AWS_SECRET_ACCESS_KEY", "PIP_RETRIES", "NAMED"):
        monkeypatch.setenv(name, f"<{name}>" if name != "PIP_RETRIES" else "7")
    variables = seen(stage.install("./lib\n"))
    assert "<YT_TOKEN>" not in variables and "<AWS_SECRET_ACCESS_KEY>" not in variables and "<NAMED>" not in variables
    assert "PIP_RETRIES=7" in variables


def test_a_variable_that_the_file_names_is_passed_on(stage: Stage, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PLACE", "lib")
    assert "PLACE=lib" in seen(stage.install("./${PLACE}\n"))


@pytest.mark.parametrize("python", ["/no/such/python", "false"])
def test_an_interpreter_that_does_not_start_is_an_error(stage: Stage, python: str) -> None:
    with pytest.raises(ConfigError, match="does not start"):
        stage.install("", python=shutil.which(python) or python)


@pytest.fixture
def silent_index() -> Iterator[tuple[str, threading.Event]]:
    """A package index that takes connections and never answers: its address, and whether somebody has asked."""
    asked = threading.Event()
    connections = []
    with socket.create_server(("127.0.0.1", 0)) as server:

        def serve() -> None:
            try:
                while True:
                    connections.append(server.accept())
                    asked.set()
            except OSError:
                pass

        thread = threading.Thread(target=serve)
        thread.start()
        yield f"--index-url http://127.0.0.1:{server.getsockname()[1]}/simple/\nsmall\n", asked
        server.shutdown(socket.SHUT_RDWR)
        thread.join()
        for connection, _ in connections:
            connection.close()


def pips(of: int) -> list[int]:
    """Return the processes of pip whose parent is this one."""
    processes = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            command = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
            parent = int(Path(f"/proc/{name}/stat").read_text().rsplit(")", 1)[1].split()[1])
        except OSError:
            continue
        if parent == of and b"pip" in command:
            processes.append(int(name))
    return processes


def test_pip_is_ended_when_the_operation_is(stage: Stage, silent_index: tuple[str, threading.Event]) -> None:
    lines, asked = silent_index
    cancellation = Cancellation()
    with ThreadPoolExecutor(1) as pool:
        installing = pool.submit(stage.install, lines, cancellation)
        assert asked.wait(30)
        processes = pips(os.getpid())
        cancellation.cancel()
        with pytest.raises(Cancelled):
            installing.result(10)
    assert processes and not any(alive(process) for process in processes)
    assert os.listdir(stage.build_dir / "requirements") == []


def test_a_signal_that_ends_the_run_ends_pip(pipeline: Pipeline, silent_index: tuple[str, threading.Event]) -> None:
    lines, asked = silent_index
    pipeline.write("stages/first/requirements.txt", lines)
    pipeline.write("stages/first/src/vanilla.py")
    operation(pipeline, "vanilla: {}")
    with subprocess.Popen(
        [sys.executable, "-m", "ytbuild", "run", "-q"],
        cwd=pipeline.root,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert asked.wait(30)
        processes = pips(process.pid)
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=20)
    assert (process.returncode, said.strip()) == (130, "interrupted")
    assert processes and not any(alive(each) for each in processes)
    assert os.listdir(pipeline.root / ".build/requirements") == []


def test_the_operations_time_limit_covers_pip(pipeline: Pipeline, silent_index: tuple[str, threading.Event]) -> None:
    pipeline.write("stages/first/requirements.txt", silent_index[0])
    pipeline.write("stages/first/src/vanilla.py")
    operation(pipeline, "vanilla: {time_limit: 2000}")
    assert "ran longer than its time_limit, 2s" in failed(pipeline)
    assert os.listdir(pipeline.root / ".build/requirements") == []
