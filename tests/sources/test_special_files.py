"""What is no plain file, has an odd name, or cannot be read; and what of a file's mode ships."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests.planning import SRC, link, members, plan, refused, warnings
from tests.support import Pipeline, clean_environment

# Root reads everything unless these two capabilities are gone from what the next program may get; prctl(2).
_PLAIN_USER = """
import ctypes, os, sys
if os.geteuid() == 0:
    for capability in (1, 2):  # CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH
        assert ctypes.CDLL(None).prctl(24, capability, 0, 0, 0) == 0  # PR_CAPBSET_DROP
os.execv(sys.executable, [sys.executable, "-m", "ytbuild", "build"])
"""


def _refused_as_plain_user(pipeline: Pipeline) -> str:
    result = subprocess.run(
        [sys.executable, "-c", _PLAIN_USER],
        cwd=pipeline.root,
        env=clean_environment(),
        capture_output=True,
        text=True,
        timeout=60,
    )
    assert result.returncode == 2, result.stderr
    assert "error: " in result.stderr and "hint: " in result.stderr
    assert not (pipeline.root / ".build").exists()
    return result.stderr


def _make_socket(path: Path) -> None:
    # A socket's address is at most 107 bytes: bind it by a short name and move it.
    here = os.getcwd()
    os.chdir(path.parent)
    try:
        with socket.socket(socket.AF_UNIX) as made:
            made.bind("socket")
        os.rename("socket", path.name)
    finally:
        os.chdir(here)


def _make_device(path: Path) -> None:
    try:
        os.mknod(path, 0o020600, os.makedev(1, 3))
    except (PermissionError, OSError):
        path.symlink_to("/dev/null")


def test_a_fifo_is_refused_by_name(pipeline: Pipeline) -> None:
    os.mkfifo(pipeline.root / SRC / "odd")
    said = pipeline.refused()
    assert f"{SRC}/odd" in said and "fifo" in said


def test_a_socket_is_refused_by_name(pipeline: Pipeline) -> None:
    _make_socket(pipeline.root / SRC / "odd")
    said = refused(pipeline)
    assert f"{SRC}/odd" in said and "socket" in said


def test_a_device_is_refused_by_name(pipeline: Pipeline) -> None:
    _make_device(pipeline.root / SRC / "odd")
    said = refused(pipeline)
    assert f"{SRC}/odd" in said and "device" in said


def test_a_fifo_that_is_named_like_a_key_is_refused_without_waiting_for_its_writer(pipeline: Pipeline) -> None:
    os.mkfifo(pipeline.root / SRC / "site.pem")
    assert "site.pem" in refused(pipeline)


def test_a_fifo_in_place_of_requirements_txt_is_refused(pipeline: Pipeline) -> None:
    os.mkfifo(pipeline.root / "stages/first/requirements.txt")
    assert "stages/first/requirements.txt" in refused(pipeline)


def test_a_fifo_as_upload_path_is_refused(pipeline: Pipeline) -> None:
    os.mkfifo(pipeline.root / "odd")
    pipeline.configure("upload_paths: [{source: odd}]")
    assert "odd" in refused(pipeline)


def test_a_directory_in_place_of_requirements_txt_is_refused(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/requirements.txt/x.txt")
    assert "stages/first/requirements.txt" in refused(pipeline)


def test_a_directory_in_place_of_the_stage_s_config_is_refused(pipeline: Pipeline) -> None:
    (pipeline.root / "stages/first/config.yaml").unlink()
    pipeline.write("stages/first/config.yaml/x.txt")
    assert "stages/first/config.yaml" in refused(pipeline)


def test_a_file_in_place_of_src_is_refused(pipeline: Pipeline) -> None:
    (pipeline.root / SRC / "mapper.py").unlink()
    (pipeline.root / SRC).rmdir()
    pipeline.write(SRC, "x")
    assert SRC in refused(pipeline)


@pytest.mark.parametrize("make", [os.mkfifo, _make_socket, _make_device], ids=["fifo", "socket", "device"])
def test_special_files_do_no_harm_when_ignored(pipeline: Pipeline, make: object) -> None:
    assert callable(make)
    make(pipeline.root / SRC / "odd")
    pipeline.write(f"{SRC}/.ytignore", "odd\n")
    assert f"{SRC}/odd" not in members(pipeline)


def test_a_name_that_is_not_utf8_is_refused_and_printed_as_escapes(pipeline: Pipeline) -> None:
    (pipeline.root / SRC / os.fsdecode(b"caf\xe9.txt")).touch()
    assert f'"{SRC}/caf\\351.txt"' in refused(pipeline)


def test_a_folder_name_that_is_not_utf8_is_refused(pipeline: Pipeline) -> None:
    pipeline.write(os.fsdecode(f"{SRC}/".encode() + b"caf\xe9/x.txt"))
    assert "caf\\351" in refused(pipeline)


def test_a_name_that_is_not_utf8_may_be_ignored(pipeline: Pipeline) -> None:
    (pipeline.root / SRC / os.fsdecode(b"caf\xe9.txt")).touch()
    pipeline.write(f"{SRC}/.ytignore", "caf*\n")
    assert list(members(pipeline)) == ["stages/first/config.yaml", f"{SRC}/mapper.py"]


ODD_NAME = 'a\nb"c\\d\x07\x1b]0;x\x9b1m'


def test_an_odd_name_ships_as_it_is(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/{ODD_NAME}", "content")
    pipeline.build()
    assert pipeline.content(f"{SRC}/{ODD_NAME}") == b"content"


def test_an_odd_name_in_an_error_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    os.mkfifo(pipeline.root / SRC / ODD_NAME)
    said = refused(pipeline)
    assert f'"{SRC}/a\\nb\\"c\\\\d\\a\\033]0;x\\302\\2331m"' in said
    assert not set(said) & set("\x07\x1b\x9b")


@pytest.mark.parametrize(
    "path",
    [f"id_rsa{ODD_NAME}", f"{ODD_NAME}/.env"],
    ids=["of a secret", "of a folder with a secret"],
)
def test_an_odd_name_in_a_warning_cannot_write_to_the_terminal(pipeline: Pipeline, path: str) -> None:
    pipeline.write(f"{SRC}/{path}")
    said = warnings(pipeline)
    assert "\\033]0;x" in said
    assert not set(said) & set("\x07\x1b\x9b")


def test_an_empty_directory_is_not_archived(pipeline: Pipeline) -> None:
    (pipeline.root / SRC / "empty" / "deeper").mkdir(parents=True)
    assert not [name for name in members(pipeline) if "empty" in name]


def test_an_empty_directory_changes_no_key(pipeline: Pipeline) -> None:
    before = plan(pipeline).key
    (pipeline.root / SRC / "empty").mkdir()
    assert plan(pipeline).key == before


@pytest.mark.parametrize(
    ("mode", "executable"),
    [(0o700, True), (0o744, True), (0o500, True), (0o677, False), (0o611, False), (0o644, False), (0o400, False)],
    ids=oct,
)
def test_only_the_owner_s_executable_bit_ships(pipeline: Pipeline, mode: int, executable: bool) -> None:
    pipeline.write(f"{SRC}/tool").chmod(mode)
    assert members(pipeline)[f"{SRC}/tool"].executable is executable


def test_other_bits_of_the_mode_change_no_key(pipeline: Pipeline) -> None:
    tool = pipeline.write(f"{SRC}/tool")
    tool.chmod(0o644)
    before = plan(pipeline).key
    tool.chmod(0o4666)
    assert plan(pipeline).key == before


@pytest.mark.parametrize("path", [f"{SRC}/closed.txt", f"{SRC}/site.pem", "stages/first/requirements.txt"])
def test_a_file_that_cannot_be_read_is_refused_by_name(pipeline: Pipeline, path: str) -> None:
    pipeline.write(path).chmod(0)
    assert path in _refused_as_plain_user(pipeline)


def test_a_directory_that_cannot_be_read_is_refused_by_name(pipeline: Pipeline) -> None:
    folder = pipeline.write(f"{SRC}/closed/x.txt").parent
    folder.chmod(0)
    try:
        assert f"{SRC}/closed" in _refused_as_plain_user(pipeline)
    finally:
        folder.chmod(0o700)


@pytest.mark.parametrize("path", [".ytignore", "stages/first/.ytignore", f"{SRC}/.ytignore"])
def test_an_ignore_file_that_cannot_be_read_is_refused_by_name(pipeline: Pipeline, path: str) -> None:
    pipeline.write(path, "x\n").chmod(0)
    assert path in _refused_as_plain_user(pipeline)


@pytest.mark.parametrize("path", ["configs/config.yaml", "stages/first/config.yaml"])
def test_a_configuration_that_cannot_be_read_is_refused_by_name(pipeline: Pipeline, path: str) -> None:
    (pipeline.root / path).chmod(0)
    assert path in _refused_as_plain_user(pipeline)


def test_a_link_to_a_device_names_link_and_device(pipeline: Pipeline) -> None:
    link(pipeline, f"{SRC}/odd", "/dev/null")
    said = refused(pipeline)
    assert f"{SRC}/odd" in said and "/dev/null" in said
