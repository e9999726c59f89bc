"""`ytbuild build`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ytbuild.base.text import plural, quote, seconds, size
from ytbuild.build import BuildDone, BuildResult
from ytbuild.cli.json_output import print_json
from ytbuild.cli.options import Options, common_options, json_option
from ytbuild.cli.text_reporter import PlainReporter

if TYPE_CHECKING:
    from ytbuild.cli.json_reporter import Fields

_NAME_WIDTH = 28


@click.command("build")
@json_option
@click.option("--extract", "wants_source", is_flag=True, help="Also extract the archive into .build/source.")
@common_options
@click.pass_obj
def command(options: Options, as_json: str | None, wants_source: bool) -> None:
    """Bring .build up to date with the pipeline's sources.

    Prints a line for each target that was built, and a summary; with nothing to do, only the summary. With -v also
    the targets that were cached, and what became of the chunks.
    """
    if as_json == "events":
        options.report_events("build", FIELDS)
    workspace = options.workspace({BuildDone: _nothing if as_json else _targets_and_summary})
    result = workspace.build(extract=wants_source)
    if as_json == "result":
        print_json(as_data(result))


def _nothing(event: BuildDone, reporter: PlainReporter) -> None:
    """The JSON says it."""


def _targets_and_summary(event: BuildDone, reporter: PlainReporter) -> None:
    result = event.result
    for target in result.targets:
        name = f"{quote(target.name):<{_NAME_WIDTH}}"
        text = f"{name} {target.key[:8]}  {plural(target.files, 'file')}, {size(target.size)}"
        if target.built:
            reporter.line(f"built {text}")
        else:
            reporter.detail(f"cached {text}")
    reporter.detail(f"{plural(result.compressed, 'chunk')} compressed, {result.reused:,} copied from older archives")
    reporter.line(summary(result))


def summary(result: BuildResult) -> str:
    """Return the one line that says what a build did."""
    built = len(result.built)
    cached = len(result.targets) - built
    return (
        f"{plural(len(result.targets), 'target')}: {built} built, {cached} cached; "
        f"archive {result.key[:8]}, {plural(result.files, 'file')}, {size(result.size)}, "
        f"in {seconds(result.seconds)}"
    )


def as_data(result: BuildResult) -> dict[str, object]:
    """Return a build's result as plain values for JSON."""
    return {
        "key": result.key,
        "archive": result.archive,
        "size": result.size,
        "files": result.files,
        "seconds": round(result.seconds, 4),
        "chunks": {"compressed": result.compressed, "reused": result.reused},
        "targets": [
            {
                "name": target.name,
                "key": target.key,
                "files": target.files,
                "size": target.size,
                "state": "built" if target.built else "cached",
            }
            for target in result.targets
        ],
        "warnings": list(result.warnings),
    }


FIELDS: Fields = {BuildDone: lambda event: as_data(event.result)}
"""The fields of events as JSON, where they are not the events' own."""
