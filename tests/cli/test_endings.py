"""How the command ends: exit codes, closed pipes, Ctrl-C, terminals, and names that try to write to one."""

from __future__ import annotations

import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import ytbuild.cli
from tests.cli.terminal import on_a_terminal
from tests.support import Pipeline, clean_environment
from tests.trees import temporary_files

COMMANDS = sorted(
    path.stem
    for path in Path(ytbuild.cli.__file__ or "").parent.glob("*.py")
    if '@click.command("' in path.read_text(encoding="utf-8")
)
CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")


@pytest.fixture
def pipeline(tmp_path: Path) -> Pipeline:
    """A pipeline whose commands are started as a shell starts them."""
    return Pipeline.create(tmp_path / "pipeline", own_process=True)


@pytest.mark.parametrize("command", COMMANDS)
def test_help_lists_the_command(pipeline: Pipeline, command: str) -> None:
    result = pipeline.run("--help")
    assert result.returncode == 0
    assert re.search(rf"^  {command}  +\S", result.stdout, re.MULTILINE), result.stdout


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_help_with_the_common_options(pipeline: Pipeline, command: str) -> None:
    result = pipeline.run(command, "--help")
    assert (result.returncode, result.stderr) == (0, "")
    for option in ("-C DIR", "--config PATH", "-o, --override KEY=VALUE", "-q, --quiet", "--no-progress"):
        assert option in result.stdout


def test_help_costs_no_pipeline(tmp_path: Path) -> None:
    for arguments in (["--help"], ["-h"], ["build", "--help"], ["--version"]):
        assert Pipeline(tmp_path, own_process=True).run(*arguments).returncode == 0


@pytest.mark.parametrize(
    "arguments", [["biuld"], ["build", "--jsn"], ["--nothing", "build"], ["build", "extra"], ["-C"], ["build", "-o"]]
)
def test_wrong_usage_exits_2(pipeline: Pipeline, arguments: list[str]) -> None:
    result = pipeline.run(*arguments)
    assert result.returncode == 2
    assert result.stdout == ""
    assert "Traceback" not in result.stderr
    assert "error: " in result.stderr and "hint: " in result.stderr
    assert not (pipeline.root / ".build").exists()


def test_an_unknown_command_names_the_closest(pipeline: Pipeline) -> None:
    assert "did you mean 'build'?" in pipeline.run("biuld").stderr


def test_no_command_shows_the_help(pipeline: Pipeline) -> None:
    result = pipeline.run()
    assert "Commands:" in result.stdout + result.stderr
    assert "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "config",
    [
        "stages: {enabled_stages: []}\n",
        "stages: {enabled_stages: [nowhere]}\n",
        "stages: {enabled_stages: [first]}\npipeline: {uplod_paths: []}\n",
        "stages: {enabled_stages: [first]}\npipeline: {upload_paths: [{source: missing}]}\n",
        "stages: [\n",
        "",
    ],
)
def test_a_wrong_configuration_exits_2_and_makes_no_build_folder(pipeline: Pipeline, config: str) -> None:
    pipeline.write("configs/config.yaml", config)
    pipeline.refused("build")


def test_no_pipeline_exits_2_and_makes_no_build_folder(tmp_path: Path) -> None:
    Pipeline(tmp_path, own_process=True).refused("build")
    assert list(tmp_path.iterdir()) == []


def closed_early(pipeline: Pipeline, *arguments: str, stderr: bool) -> tuple[int, str]:
    """Run a command whose reader has gone already; return its exit code and what it said elsewhere."""
    reader, writer = os.pipe()
    os.close(reader)
    process = subprocess.Popen(
        [sys.executable, "-m", "ytbuild", *arguments],
        cwd=pipeline.root,
        env=clean_environment(),
        stdout=writer,
        stderr=writer if stderr else subprocess.PIPE,
        text=True,
    )
    os.close(writer)
    said = process.communicate()[1] or ""
    return process.returncode, said


@pytest.mark.parametrize(
    "arguments", [["build", "--json"], ["build", "--json=events"], ["--help"], ["build", "--help"], ["--version"]]
)
def test_output_closed_early_is_no_traceback(pipeline: Pipeline, arguments: list[str]) -> None:
    code, said = closed_early(pipeline, *arguments, stderr=False)
    assert said == ""
    assert code in (0, 1)


def test_stderr_closed_early_still_builds(pipeline: Pipeline) -> None:
    code, _ = closed_early(pipeline, "build", stderr=True)
    assert code in (0, 1)
    assert pipeline.archive().is_file()
    assert temporary_files(pipeline) == []


def test_output_closed_early_in_a_shell_pipe(pipeline: Pipeline) -> None:
    command = f"{sys.executable} -m ytbuild build --json | head -0"
    result = subprocess.run(
        ["bash", "-c", command], cwd=pipeline.root, env=clean_environment(), capture_output=True, text=True
    )
    assert (result.stdout, result.stderr) == ("", "")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupt_exits_130_without_a_traceback(pipeline: Pipeline, number: signal.Signals) -> None:
    pipeline.configure("upload_paths: [{source: data}]")
    for index in range(4):
        pipeline.write(f"data/{index}", random.Random(index).randbytes(10 << 20))
    process = subprocess.Popen(
        [sys.executable, "-m", "ytbuild", "build"],
        cwd=pipeline.root,
        env=clean_environment(),
        stderr=subprocess.PIPE,
        text=True,
    )
    while process.poll() is None and not temporary_files(pipeline):
        time.sleep(0.001)
    process.send_signal(number)
    _, said = process.communicate()
    assert process.returncode == 130
    assert said.strip() == "interrupted"
    assert temporary_files(pipeline) == []


@pytest.fixture
def warning(pipeline: Pipeline) -> Pipeline:
    """A pipeline whose build warns of something."""
    pipeline.write("stages/first/src/id_rsa", "x")
    return pipeline


def test_a_terminal_gets_a_bar_and_colours(warning: Pipeline) -> None:
    said = on_a_terminal(warning, "build")
    assert "packing [########################]" in said
    assert "\x1b[33m" in said


def test_the_bar_is_gone_when_lines_follow(warning: Pipeline) -> None:
    *_, rest = on_a_terminal(warning, "build").split("packing [")
    assert re.match(r"[^\r\n]*\r\x1b\[2K", rest)


@pytest.mark.parametrize("option", ["--no-progress", "-q", "--json"])
def test_no_bar_is_drawn_when_it_is_not_wanted(warning: Pipeline, option: str) -> None:
    said = on_a_terminal(warning, "build", option)
    assert ("packing" in said) == (option == "--json")


def test_no_color_is_honoured(warning: Pipeline) -> None:
    assert not re.search(r"\x1b\[[0-9;]*m", on_a_terminal(warning, "build", NO_COLOR="1"))


def test_no_bar_and_no_colours_without_a_terminal(warning: Pipeline) -> None:
    assert not CONTROL.search(warning.run("build", check=True).stderr)


def large(pipeline: Pipeline, name: str) -> None:
    with open(pipeline.write(name), "wb") as file:
        file.truncate((10 << 20) + 1)


ODD = "bell\x07 \x1b[31m \x9b"


def warned(pipeline: Pipeline, upload: str) -> str:
    pipeline.configure(upload)
    said = pipeline.run("build", check=True).stderr
    assert "warning: " in said
    return said


def test_the_name_of_a_large_file_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    large(pipeline, f"lib/{ODD}/{ODD}.bin")
    said = warned(pipeline, "upload_paths: [{source: lib}]")
    assert not CONTROL.search(said)
    assert "bell\\a \\033[31m \\302\\233" in said


def test_the_name_of_a_secret_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    pipeline.write(f"lib/{ODD}/id_rsa{ODD}", "x")
    pipeline.write("lib/ships.py")
    said = warned(pipeline, "upload_paths: [{source: lib}]")
    assert not CONTROL.search(said)


def test_the_name_of_a_target_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    large(pipeline, "lib/large")
    said = warned(pipeline, r'upload_paths: [{source: lib, target: "bell\a"}]')
    assert not CONTROL.search(said)
    assert '"path:bell\\a"' in said


def test_the_name_of_an_extension_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    pipeline.write("package/__init__.py")
    pipeline.write(f"package/x.{ODD}.so", "x")
    said = warned(pipeline, "upload_modules: [package]")
    assert not CONTROL.search(said)


@pytest.mark.parametrize("rule", ["data", "d*\x07", "/\x9bdata\ndata"])
def test_the_rule_that_leaves_a_source_out_cannot_write_to_the_terminal(pipeline: Pipeline, rule: str) -> None:
    name = "data\x07" if rule == "d*\x07" else "data"
    pipeline.write(f"lib/{ODD}/{name}/a.py")
    pipeline.write(f"lib/{ODD}/.ytignore", f"{rule}\n")
    source = f"lib/{ODD}/{name}".replace("\x07", r"\a").replace("\x1b", r"\e").replace("\x9b", r"\x9b")
    pipeline.configure(f'upload_paths: [{{source: "{source}", target: plain}}]')
    said = pipeline.refused("build")
    assert "is left out by" in said
    assert not CONTROL.search(said)
