"""What `ytbuild run --dry-run` prints."""

from __future__ import annotations

import json

import click

from ytbuild.backends.base import OperationSpec
from ytbuild.base.text import plural
from ytbuild.cli.text_reporter import PlainReporter
from ytbuild.run.pipeline import PlannedRun


def show(planned: PlannedRun, reporter: PlainReporter) -> None:
    """Print the stages and their operations, with a summary on stderr."""
    mode = planned.plan.config.mode
    for warning in (*planned.warnings, *planned.plan.warnings):
        reporter.warning(warning)
    for stage in planned.stages:
        code = (": runs stage.py" + ("; declared for it:" if stage.operations else "")) if stage.has_code else ""
        click.echo(f"stage {stage.name}{code}")
        for spec in stage.operations:
            click.echo("\n".join(_planned_lines(spec) if mode == "dev" else _cluster_lines(spec, planned.archive)))
    reporter.line(f"{plural(len(planned.stages), 'stage')}, archive {planned.key[:16]}; nothing was run")


def _cluster_lines(spec: OperationSpec, archive: str | None) -> list[str]:
    """Return what a dry run says of an operation on a cluster: the spec that it would get, secrets masked."""
    from ytbuild.backends.prod.spec import rendered

    text = json.dumps(rendered(spec, archive or "", mask=True), indent=2, ensure_ascii=False, default=str)
    return [f"  {spec.name} ({spec.kind})", *(f"    {line}" for line in text.split("\n"))]


def _planned_lines(spec: OperationSpec) -> list[str]:
    """Return what a dry run says of an operation: everything but the values of variables."""
    lines = [f"  {spec.name} ({spec.kind})"]
    details = {
        "input": spec.input_table,
        "output": None if spec.output_table is None else spec.output_table + (" (append)" if spec.append else ""),
        "reduce by": ", ".join(spec.reduce_by),
        "sort by": ", ".join(spec.sort_by),
        "query": spec.query and " ".join(spec.query.split()),
    }
    lines += [f"    {name}: {value}" for name, value in details.items() if value]
    lines += [f"    {leg.leg}: {plural(leg.job_count, 'job')}: {leg.command}" for leg in spec.legs]
    lines += [f"    file: {path} as {local}" for path, local in spec.files]
    names = [f"{name} (secret)" if name in spec.secret_names else name for name in sorted(spec.environment)]
    return lines + ([f"    env: {', '.join(names)}"] if names else [])
