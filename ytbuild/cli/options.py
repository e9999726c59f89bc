"""The options that every command takes, before or after its name."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

import click

from ytbuild.cli.text_reporter import PlainReporter, TerminalReporter, Words

if TYPE_CHECKING:
    from ytbuild.api import Workspace
    from ytbuild.cli.json_reporter import Fields, JsonReporter
    from ytbuild.graph.plan import Planner
    from ytbuild.run.stage_registry import PipelineScript

Command = TypeVar("Command", bound=Callable[..., Any])


@dataclass
class Options:
    """What was given of the common options; `script` is the `pipeline.py` that runs, if one does."""

    script: PipelineScript | None = None
    directory: str = "."
    config: str | None = None
    overrides: tuple[str, ...] = ()
    quiet: bool = False
    verbose: bool = False
    progress: bool = True

    @cached_property
    def reporter(self) -> PlainReporter:
        """Whom the command tells what it does."""
        draws = self.progress and not self.quiet and sys.stderr.isatty()
        return (TerminalReporter if draws else PlainReporter)(self.quiet, self.verbose)

    def report_events(self, command: str, fields: Fields) -> JsonReporter:
        """Let every event be a line of JSON on stdout; return the reporter that writes them."""
        from ytbuild.cli.json_reporter import JsonReporter

        reporter = JsonReporter(command, fields, self.verbose, self.progress)
        self.reporter = reporter
        return reporter

    def planner(self) -> Planner:
        """Open the pipeline."""
        from ytbuild.graph.plan import Planner

        return Planner(self.directory, self.config, self.overrides)

    def workspace(self, words: Words) -> Workspace:
        """Return the pipeline, with a reporter that puts events in these words."""
        from ytbuild.api import Workspace

        self.reporter.words = words
        return Workspace(self.directory, self.config, self.overrides, self.reporter)


def common_options(command: Command) -> Command:
    """Add the options that every command takes."""
    for option in (
        click.option("--no-progress", is_flag=True, help="Show no progress bar."),
        click.option("-v", "--verbose", is_flag=True, help="Say more."),
        click.option("-q", "--quiet", is_flag=True, help="Say nothing but warnings and errors."),
        click.option(
            "-o",
            "--override",
            multiple=True,
            metavar="KEY=VALUE",
            help="Override a key of the configuration.",
        ),
        click.option("--config", "config_path", metavar="PATH", help="The pipeline's configuration file."),
        click.option("-C", "pipeline_dir", metavar="DIR", help="The pipeline's folder (default: this one)."),
    ):
        command = _with_callback(option, command)
    return command


json_option = click.option(
    "--json",
    "as_json",
    is_flag=False,
    flag_value="result",
    type=click.Choice(["result", "events"]),
    help="Print the result as JSON; with =events what happens, an event a line.",
)


def _with_callback(option: Callable[[Command], Command], command: Command) -> Command:
    decorated = option(command)
    parameters = decorated.params if isinstance(decorated, click.Command) else decorated.__click_params__  # type: ignore[attr-defined]
    parameters[-1].callback = _store
    parameters[-1].expose_value = False
    return decorated


def _store(context: click.Context, parameter: click.Parameter, value: Any) -> None:
    options = context.ensure_object(Options)
    if parameter.name == "pipeline_dir" and value is not None:
        options.directory = value
    elif parameter.name == "config_path" and value is not None:
        options.config = value
    elif parameter.name == "override":
        options.overrides += value
    elif parameter.name == "quiet":
        options.quiet |= value
    elif parameter.name == "verbose":
        options.verbose |= value
    elif parameter.name == "no_progress":
        options.progress &= not value
