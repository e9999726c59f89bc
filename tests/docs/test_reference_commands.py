"""The reference of commands against the code: every option, argument and JSON field, and nothing else."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import click
import pytest

from tests.cluster.running import Cluster
from tests.docs import console, pages
from tests.docs.interface import COMMAND_NAMES, command, error_classes, options
from tests.support import Pipeline
from ytbuild.base.reporter import Warned
from ytbuild.cli.main import cli, exit_code
from ytbuild.cli.run import WORDS

COMMANDS = pages.read(pages.REFERENCE / "commands.md")
COMMON = "## Options of every command"


def documented(text: str) -> set[str]:
    """Return the spellings of the options in the first column of a section's tables."""
    spellings: set[str] = set()
    for cells in pages.rows(text):
        spellings |= {code.split(" ")[0] for code in pages.code_spans(cells[0]) if code.startswith("-")}
    return spellings


def test_every_command_has_its_section() -> None:
    headings = set(re.findall(r"^## `ytbuild (\S+)`$", COMMANDS, re.MULTILINE))
    assert headings == set(COMMAND_NAMES)


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_a_commands_own_options_are_in_its_section(name: str) -> None:
    own = options(command(name)) - options(cli)
    # The app has --help, too; whatever else it shares with its commands stands in the common table.
    assert documented(pages.section(COMMANDS, f"## `ytbuild {name}`")) == own


def test_the_common_options_are_in_their_section() -> None:
    text = pages.section(COMMANDS, COMMON)
    assert documented(text) | {"--version"} == options(cli)
    assert "`ytbuild --version`" in text


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_every_command_takes_the_common_options(name: str) -> None:
    assert documented(pages.section(COMMANDS, COMMON)) <= options(command(name))


@pytest.mark.parametrize("name", COMMAND_NAMES)
def test_a_commands_arguments_are_in_its_synopsis(name: str) -> None:
    heading = f"## `ytbuild {name}`"
    start = COMMANDS.splitlines().index(heading)
    block = next(block for block in console.blocks(COMMANDS) if block.line > start)
    synopsis = block.lines[0]
    assert synopsis.startswith(f"ytbuild {name}")
    for parameter in command(name).params:
        if isinstance(parameter, click.Argument):
            assert parameter.make_metavar(click.Context(command(name))) in synopsis
        elif set(parameter.opts) - options(cli):
            assert parameter.opts[0] in synopsis


def test_the_exit_codes_are_those_of_the_errors() -> None:
    codes = {int(cells[0]) for cells in pages.rows(pages.section(COMMANDS, "## Exit codes"))}
    assert codes == {0, 130} | {error.exit_code for error in error_classes()}


def fields(value: Any, path: str = "") -> Iterator[str]:
    """Give the path of every value in a JSON answer, `[]` for an item of a list."""
    if isinstance(value, dict) and value:
        for name, item in value.items():
            yield from fields(item, f"{path}.{name}" if path else name)
    elif isinstance(value, list) and value:
        for item in value:
            yield from fields(item, f"{path}[]")
    else:
        yield path


@pytest.fixture
def changed(pipeline: Pipeline) -> Pipeline:
    """A pipeline that was built and has changed since in every way that `diff` tells apart."""
    pipeline.write("stages/first/src/gone.py", "x")
    pipeline.write("stages/first/src/secrets.env")
    pipeline.build()
    pipeline.write("stages/first/src/mapper.py", "pass\n")
    (pipeline.root / "stages/first/src/gone.py").unlink()
    (pipeline.root / "stages/first/src/link.py").symlink_to("mapper.py")
    pipeline.write(".dev/input.jsonl", '{"a": {"b": 1}}\n')
    return pipeline


@pytest.mark.parametrize("arguments", ["build", "diff", "ls", "ls --ignored", "table", "table PATH"])
def test_every_field_of_json_is_in_its_table(changed: Pipeline, arguments: str) -> None:
    words = arguments.replace("PATH", "//tmp/test/input").split()
    answer = json.loads(changed.run(*words, "--json", check=True).stdout)
    answered = {re.sub(r"\[\]$", "", path) for path in fields(answer)}
    # What is in a row is not ytbuild's to describe.
    answered = {re.sub(r"^head\[\]\..*", "head", path) for path in answered}
    # The two objects of a change are described below the table.
    answered = {re.sub(r"(changes\[\]\.(old|new))\..*", r"\1", path) for path in answered}
    table = pages.rows(pages.section(COMMANDS, f"### JSON of `ytbuild {arguments} --json`"))
    said = {cells[0].strip("`") for cells in table}
    # `targets` itself is said where it may be empty.
    assert said - {"targets"} == answered


@pytest.mark.parametrize("arguments", ["upload", "upload --dry-run"])
def test_every_field_of_an_uploads_json_is_in_its_table(pipeline: Pipeline, cluster: Cluster, arguments: str) -> None:
    pipeline.configure("build_folder: //tmp/test/build")
    answer = json.loads(pipeline.run(*arguments.split(), "--json", check=True, **cluster.environment).stdout)
    table = pages.rows(pages.section(COMMANDS, f"### JSON of `ytbuild {arguments} --json`"))
    assert {cells[0].strip("`") for cells in table} == set(fields(answer))


def test_every_field_of_a_changed_member_is_described(changed: Pipeline) -> None:
    answer = json.loads(changed.run("diff", "--json", check=True).stdout)
    members = [item for target in answer["targets"] for change in target["changes"] for item in change.values()]
    names = {name for member in members if isinstance(member, dict) for name in member}
    text = pages.section(COMMANDS, "### JSON of `ytbuild diff --json`").rpartition("|")[2]
    assert names == {"size", "mode", "hash", "link"}
    assert names <= set(pages.code_spans(text))


# Events


def described_events() -> dict[str, set[str]]:
    """Return the fields that the page gives each event, beside `event` and `time`."""
    described: dict[str, set[str]] = {}
    for name, _, fields_cell in pages.rows(pages.section(COMMANDS, "## Events")):
        own = set(re.findall(r"`(\w+)`", re.sub(r"\([^)]*\)", "", fields_cell)))
        own |= {"format_version"} & set(pages.code_spans(fields_cell))
        for other in re.findall(r"those of `(\w+)`", fields_cell):
            own = own - {other} | described[other]
        for command_line in re.findall(r"those of \[`(.+?)`\]", fields_cell):
            table = pages.rows(pages.section(COMMANDS, f"### JSON of `{command_line}`"))
            own = {cells[0].strip("`").partition(".")[0].removesuffix("[]") for cells in table} - {"format_version"}
        described[name.strip("`")] = own
    return described


EVENTS = described_events()


def test_every_event_is_in_the_table() -> None:
    kinds = {re.sub("(?<=[a-z])(?=[A-Z])", "_", kind.__name__).lower() for kind in (*WORDS, Warned)}
    assert set(EVENTS) == kinds | {"started", "progress", "failed", "interrupted"}


def check_events(printed: str) -> list[str]:
    """Compare the fields of events with the page; return the events' names."""
    names: list[str] = []
    for line in printed.splitlines():
        event = json.loads(line)
        names.append(event.pop("event"))
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z", event.pop("time"))
        assert set(event) == EVENTS[names[-1]], names[-1]
    return names


LOGS = "from ytbuild import *\nclass First(BaseStage):\n    def run(self, debug):\n        self.logger.info('here')\n"


def test_the_events_of_a_run_are_those_of_the_table(pipeline: Pipeline) -> None:
    pipeline.write(
        "stages/first/stage.py", LOGS + "        run_map(self.context, self.config.client.operations.map)\n"
    )
    pipeline.write("stages/first/src/secrets.env")
    pipeline.write(".dev/input.jsonl", "{}\n")
    names = check_events(pipeline.run("run", "--json", check=True).stdout)
    assert list(dict.fromkeys(names)) == [
        "started", "progress", "warned", "build_done", "stage_started", "stage_logged",
        "operation_started", "operation_done", "run_done",
    ]  # fmt: skip
    key = pipeline.build()["key"]
    assert "archive_chosen" in check_events(pipeline.run("run", "--json", "--archive", key, check=True).stdout)


def test_the_events_of_a_running_operation_are_those_of_the_table(
    pipeline: Pipeline, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("ytbuild.cli.json_reporter._WORKING_INTERVAL", 0.1)
    pipeline.write("stages/first/src/mapper.py", "import time\ntime.sleep(0.5)\n")
    pipeline.write(".dev/input.jsonl", "{}\n")
    assert exit_code(["-C", str(pipeline.root), "run", "--json"]) == 0
    assert "operation_running" in check_events(capfd.readouterr().out)
    assert exit_code(["-C", str(pipeline.root), "run", "--json", "--no-progress"]) == 0
    assert not {"operation_running", "progress"} & set(check_events(capfd.readouterr().out))


def test_the_events_of_a_build_are_those_of_the_table(pipeline: Pipeline) -> None:
    result = pipeline.run("build", "--json=events", check=True)
    assert check_events(result.stdout) == ["started", "progress", "build_done"]
    assert result.stderr == ""


def test_the_events_of_an_upload_are_those_of_the_table(pipeline: Pipeline, cluster: Cluster) -> None:
    cluster.client().remove("//tmp/test", recursive=True, force=True)
    pipeline.configure("build_folder: //tmp/test/build")
    plan = pipeline.run("upload", "--json=events", "--dry-run", check=True, **cluster.environment)
    assert check_events(plan.stdout)[-2:] == ["build_done", "upload_planned"]
    done = check_events(pipeline.run("upload", "--json=events", check=True, **cluster.environment).stdout)
    assert list(dict.fromkeys(done)) == [
        "started", "cluster_chosen", "packaging_started", "build_done", "upload_started", "progress", "upload_done",
    ]  # fmt: skip


def test_a_failure_is_the_last_event_and_on_stderr(pipeline: Pipeline) -> None:
    result = pipeline.run("run", "--json")
    assert result.returncode == 1 and "error: " in result.stderr and "hint: " in result.stderr
    assert check_events(result.stdout)[-1] == "failed"
    assert json.loads(result.stdout.splitlines()[-1])["exit_code"] == 1


def test_an_interrupt_is_the_last_event(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/stage.py", LOGS + "        raise KeyboardInterrupt\n")
    result = pipeline.run("run", "--json")
    assert result.returncode == 130
    assert check_events(result.stdout)[-1] == "interrupted"


def test_whatever_else_prints_does_not_print_among_events(pipeline: Pipeline) -> None:
    code = (
        "        print('by the stage')\n        import subprocess\n        subprocess.run(['echo', 'by its child'])\n"
    )
    pipeline.write("stages/first/stage.py", LOGS + code)
    result = pipeline.run("run", "--json", check=True)
    check_events(result.stdout)
    assert "by the stage\n" in result.stderr and "by its child\n" in result.stderr


def test_a_dry_run_has_no_events(pipeline: Pipeline) -> None:
    assert "--json and --dry-run exclude each other" in pipeline.refused("run", "--json", "--dry-run")
