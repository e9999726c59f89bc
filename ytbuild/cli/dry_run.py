"""What `ytbuild run --dry-run` prints."""

from __future__ import annotations

import click

from ytbuild.base.text import plural
from ytbuild.cli.text_reporter import PlainReporter
from ytbuild.run.pipeline import PlannedRun


def show(planned: PlannedRun, reporter: PlainReporter) -> None:
    """Print the stages and their operations, with a summary on stderr."""
    for warning in (*planned.warnings, *planned.plan.warnings):
        reporter.warning(warning)
    for stage in planned.stages:
        code = (": runs stage.py" + ("; declared for it:" if stage.operations else "")) if stage.has_code else ""
        click.echo(f"stage {stage.name}{code}")
        for spec in stage.operations:
            click.echo("\n".join(planned.backend.described(spec, planned.archive)))
    reporter.line(f"{plural(len(planned.stages), 'stage')}, archive {planned.key[:16]}; nothing was run")
