"""`ytbuild run`."""

from __future__ import annotations

import contextlib
import gc
from collections.abc import Iterator

import click

from ytbuild.base.errors import UsageError
from ytbuild.base.text import plural, quote, seconds
from ytbuild.cli import upload
from ytbuild.cli.options import Options, common_options
from ytbuild.cli.stage_log import StageLogged, show_log, stage_log
from ytbuild.cli.text_reporter import PlainReporter, Words
from ytbuild.run.job_code import ArchiveChosen
from ytbuild.run.launcher import OperationDone, OperationRunning, OperationStarted
from ytbuild.run.pipeline import RunDone, StageStarted
from ytbuild.run.planned_run import PlannedRun, RunOptions


@click.command("run")
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option("--from", "first", metavar="STAGE", help="Run this stage and those after it.")
@click.option("--mode", type=click.Choice(["dev", "prod"]), help="Where jobs run (default: pipeline.mode).")
@click.option("--archive", metavar="KEY", help="Run the code of an earlier build or upload.")
@click.option("--strict", is_flag=True, help="Fail where the cluster would refuse and dev only warns.")
@click.option("--keep-sandboxes", is_flag=True, help="Keep the sandboxes of jobs that succeeded, too.")
@click.option("--json", "as_json", is_flag=True, help="Print what happens as JSON, an event a line.")
@click.option("--dry-run", is_flag=True, help="Print what would run, and do nothing.")
@common_options
@click.pass_obj
def command(
    options: Options,
    stages: tuple[str, ...],
    first: str | None,
    mode: str | None,
    archive: str | None,
    strict: bool,
    keep_sandboxes: bool,
    as_json: bool,
    dry_run: bool,
) -> None:
    """Build, then run the enabled stages, or only those named.

    In dev, jobs run on this machine, from the archive that was built, each in a fresh sandbox, and tables are files
    of JSON lines under .dev. In prod, the archive is uploaded first, unless the cluster has it, and jobs and tables
    are on the cluster that YT_PROXY names.
    """
    if mode:
        options.overrides += (f"pipeline.mode={mode}",)
    if as_json and dry_run:
        raise UsageError("--json and --dry-run exclude each other", "a dry run has no events")
    alone = options.report_events("run", upload.FIELDS).alone_on_stdout() if as_json else contextlib.nullcontext()
    workspace = options.workspace(WORDS)
    chosen = RunOptions(stages, first, archive, strict, keep_sandboxes, options.script)
    with _collecting(), stage_log(options.reporter), alone:
        if dry_run:
            _show(workspace.plan_run(chosen), options.reporter)
        else:
            workspace.run(chosen)


def _show(planned: PlannedRun, reporter: PlainReporter) -> None:
    """Print the stages and their operations, with a summary on stderr."""
    for warning in (*planned.warnings, *planned.plan.warnings):
        reporter.warning(warning)
    for stage in planned.stages:
        code = (": runs stage.py" + ("; declared for it:" if stage.operations else "")) if stage.has_code else ""
        click.echo(f"stage {stage.name}{code}")
        for spec in stage.operations:
            click.echo("\n".join(planned.backend.described(spec, planned.archive)))
    reporter.line(f"{plural(len(planned.stages), 'stage')}, archive {planned.key[:16]}; nothing was run")


def _started(event: OperationStarted, reporter: PlainReporter) -> None:
    if event.link:
        reporter.line(f"  {event.operation}: {event.link}")


def _running(event: OperationRunning, reporter: PlainReporter) -> None:
    now = event.progress
    parts = [f"running {plural(now.jobs, 'job')} of {now.leg}" if now.jobs else f"running {event.kind}"]
    if event.link:
        parts.append(f"{now.jobs_running} running")
    if now.jobs > 1 or event.link:
        parts.append(f"{now.jobs_done} done")
    if now.jobs_failed:
        parts.append(f"{now.jobs_failed} failed")
    if now.share is not None:
        parts.append(f"read {now.share:.0%} of {plural(now.rows_in, 'row')}")
        parts.append(f"wrote {now.rows_out:,}")
    reporter.status(f"  {event.operation}: {', '.join(parts)} … {event.seconds:.0f}s")


def _done(event: OperationDone, reporter: PlainReporter) -> None:
    took = seconds(event.seconds)
    if event.kind == "vanilla":
        what = plural(event.jobs, "job")
    elif event.kind == "yql":
        what = f"query, {plural(event.rows_out, 'row')} out"
    else:
        tables = f"{event.input_table} -> {event.output_table}"
        what = f"{tables}: {plural(event.rows_in, 'row')} in, {event.rows_out:,} out"
    reporter.line(f"  {event.operation}: {what}, {took}")


def _run_done(event: RunDone, reporter: PlainReporter) -> None:
    result = event.result
    reporter.line(
        f"{plural(result.stages, 'stage')}, {plural(result.operations, 'operation')} "
        f"in {seconds(result.seconds)}; tables in {quote(result.tables)}"
    )


WORDS: Words = {
    **upload.WORDS,
    ArchiveChosen: lambda event, reporter: reporter.line(f"archive {event.key}, of an earlier build"),
    StageLogged: show_log,
    StageStarted: lambda event, reporter: reporter.line(f"stage {event.stage}"),
    OperationStarted: _started,
    OperationRunning: _running,
    OperationDone: _done,
    RunDone: _run_done,
}


@contextlib.contextmanager
def _collecting() -> Iterator[None]:
    """Let the collector run, which the command line turns off for commands that end soon."""
    collecting = gc.isenabled()
    gc.enable()
    try:
        yield
    finally:
        if not collecting:
            gc.disable()
