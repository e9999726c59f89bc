"""`ytbuild run`."""

from __future__ import annotations

import gc
import logging
import signal
from types import FrameType

import click

from ytbuild.build import BuildResult
from ytbuild.cli.build import summary
from ytbuild.cli.main import Options, common_options
from ytbuild.cli.reporter import Reporter
from ytbuild.clients.base import OperationResult, OperationSpec
from ytbuild.errors import YtbuildError
from ytbuild.graph.plan import check_stage_selection
from ytbuild.text import plural, quote, seconds


@click.command("run")
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@common_options
@click.pass_obj
def command(options: Options, stages: tuple[str, ...]) -> None:
    """Build, then run the enabled stages, or only those named.

    Jobs run on this machine, from the archive that was built, each in a fresh sandbox. Tables are files of JSON
    lines under .dev.
    """
    from ytbuild.run.pipeline import RunEvents, run

    gc.enable()
    signal.signal(signal.SIGTERM, _interrupt)
    workspace = options.workspace()
    reporter = options.reporter
    _log_to(reporter)
    check_stage_selection(workspace.config, stages)

    def built(result: BuildResult) -> None:
        reporter.clear()
        for warning in result.warnings:
            reporter.warning(warning)
        reporter.line(summary(result))

    def done(spec: OperationSpec, result: OperationResult) -> None:
        reporter.line(describe(spec, result))

    result = run(
        workspace,
        stages,
        RunEvents(
            progress=lambda done, total: reporter.bar("packing", done, total),
            built=built,
            stage_started=lambda name: reporter.line(f"stage {name}"),
            operation_running=lambda spec: reporter.working(f"  {spec.name}: {_jobs(spec)}"),
            operation_done=done,
            warned=reporter.warning,
        ),
    )
    reporter.line(
        f"{plural(result.stages, 'stage')}, {plural(result.operations, 'operation')} "
        f"in {seconds(result.seconds)}; tables in {quote(result.tables)}"
    )


def _jobs(spec: OperationSpec) -> str:
    counts = [plural(leg.job_count, "job") + f" of {leg.leg}" for leg in spec.legs]
    return "running " + (", then ".join(counts) or spec.kind)


def describe(spec: OperationSpec, result: OperationResult) -> str:
    """Return the line that says what an operation did."""
    took = seconds(result.seconds)
    if spec.kind == "vanilla":
        return f"  {spec.name}: {plural(spec.legs[0].job_count, 'job')}, {took}"
    output = spec.output_table or spec.input_table
    return (
        f"  {spec.name}: {spec.input_table} -> {output}: "
        f"{plural(result.rows_in, 'row')} in, {result.rows_out:,} out, {took}"
    )


def _interrupt(_: int, __: FrameType | None) -> None:
    raise KeyboardInterrupt


class _ReporterHandler(logging.Handler):
    """Shows the log of stages the way everything else is shown."""

    def __init__(self, reporter: Reporter) -> None:
        super().__init__()
        self._reporter = reporter

    def emit(self, record: logging.LogRecord) -> None:
        """Show one record: warnings always, the rest unless -q was given."""
        text = f"  [{record.name.rsplit('.', 1)[-1]}] {record.getMessage()}"
        if record.levelno >= logging.ERROR:
            self._reporter.error(YtbuildError(text.strip()))
        elif record.levelno >= logging.WARNING:
            self._reporter.warning(text.strip())
        else:
            self._reporter.line(text)


def _log_to(reporter: Reporter) -> None:
    logger = logging.getLogger("ytbuild")
    logger.setLevel(logging.DEBUG if reporter.verbose else logging.INFO)
    logger.addHandler(_ReporterHandler(reporter))
    logger.propagate = False
