"""`ytbuild run`."""

from __future__ import annotations

import contextlib
import gc
import json
import logging
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from ytbuild.backends.base import OperationHandle, OperationResult, OperationSpec
from ytbuild.base.errors import YtbuildError
from ytbuild.base.text import plural, quote, seconds
from ytbuild.build import BuildResult
from ytbuild.cli.build import summary
from ytbuild.cli.main import Options, common_options
from ytbuild.cli.reporter import Reporter
from ytbuild.graph.plan import check_stage_selection

if TYPE_CHECKING:
    from ytbuild.config.access import ClusterAccess
    from ytbuild.run.pipeline import PlannedRun, RunEvents
    from ytbuild.upload import UploadResult


@click.command("run")
@click.argument("stages", nargs=-1, metavar="[STAGE]...")
@click.option("--from", "first", metavar="STAGE", help="Run this stage and those after it.")
@click.option("--mode", type=click.Choice(["dev", "prod"]), help="Where jobs run (default: pipeline.mode).")
@click.option("--archive", metavar="KEY", help="Run the code of an earlier build or upload.")
@click.option("--strict", is_flag=True, help="Fail where the cluster would refuse and dev only warns.")
@click.option("--keep-sandboxes", is_flag=True, help="Keep the sandboxes of jobs that succeeded, too.")
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
    dry_run: bool,
) -> None:
    """Build, then run the enabled stages, or only those named.

    In dev, jobs run on this machine, from the archive that was built, each in a fresh sandbox, and tables are files
    of JSON lines under .dev. In prod, the archive is uploaded first, unless the cluster has it, and jobs and tables
    are on the cluster that YT_PROXY names.
    """
    from ytbuild.run.pipeline import RunOptions, planned, registered, run

    if mode is not None:
        options.overrides += (f"pipeline.mode={mode}",)
    planner = options.planner()
    reporter = options.reporter
    screen = _Screen(reporter)
    with _collecting(), _stage_log(reporter):
        check_stage_selection(planner.config, stages)
        registry = None
        if options.pipeline is not None:
            registry = registered(options.pipeline)
        chosen = RunOptions(stages, first, archive, strict, keep_sandboxes, registry)
        if dry_run:
            _show(planned(planner, chosen), reporter, planner.config.mode)
            return
        result = run(planner, chosen, screen.events())
    tables = screen.proxy if result.tables is None else quote(result.tables)
    reporter.line(
        f"{plural(result.stages, 'stage')}, {plural(result.operations, 'operation')} "
        f"in {seconds(result.seconds)}; tables in {tables}"
    )


class _Screen:
    """Shows a run."""

    def __init__(self, reporter: Reporter) -> None:
        self._reporter = reporter
        self.proxy = ""

    def events(self) -> RunEvents:
        """Return whom the run tells of what it does."""
        from ytbuild.cli.upload import PACKAGING, shown
        from ytbuild.run.backends import BackendEvents
        from ytbuild.run.pipeline import RunEvents

        reporter = self._reporter
        backend = BackendEvents(
            progress=lambda done, total: reporter.bar("packing", done, total),
            built=self._built,
            cluster=self._cluster,
            earlier=lambda key: reporter.line(f"archive {key}, of an earlier build"),
            packaging=lambda: reporter.line(PACKAGING),
            uploads=shown(reporter),
            uploaded=self._uploaded,
            warned=reporter.warning,
        )
        return RunEvents(
            backend=backend,
            stage_started=lambda name: reporter.line(f"stage {name}"),
            operation_started=self._started,
            operation_running=self._running,
            operation_done=lambda spec, result: reporter.line(describe(spec, result)),
            warned=reporter.warning,
        )

    def _built(self, result: BuildResult) -> None:
        self._reporter.clear()
        for warning in result.warnings:
            self._reporter.warning(warning)
        self._reporter.line(summary(result))

    def _cluster(self, cluster: ClusterAccess) -> None:
        self.proxy = cluster.proxy
        self._reporter.line(f"cluster {cluster.label}")

    def _uploaded(self, result: UploadResult) -> None:
        from ytbuild.cli.upload import UPLOADED, summary

        self._reporter.clear()
        self._reporter.line(UPLOADED)
        self._reporter.line(summary(result, result.link.rpartition("/")[0]))

    def _started(self, handle: OperationHandle) -> None:
        if handle.link:
            self._reporter.line(f"  {handle.spec.name}: {handle.link}")

    def _running(self, handle: OperationHandle) -> contextlib.AbstractContextManager[None]:
        return self._reporter.working(lambda: _progress(handle))


def _progress(handle: OperationHandle) -> str:
    now = handle.progress()
    parts = [f"running {plural(now.jobs, 'job')} of {now.leg}" if now.jobs else f"running {handle.spec.kind}"]
    if handle.link:
        parts.append(f"{now.jobs_running} running")
    if now.jobs > 1 or handle.link:
        parts.append(f"{now.jobs_done} done")
    if now.jobs_failed:
        parts.append(f"{now.jobs_failed} failed")
    if now.share is not None:
        parts.append(f"read {now.share:.0%} of {plural(now.rows_in, 'row')}")
        parts.append(f"wrote {now.rows_out:,}")
    return f"  {handle.spec.name}: " + ", ".join(parts)


def describe(spec: OperationSpec, result: OperationResult) -> str:
    """Return the line that says what an operation did."""
    took = seconds(result.seconds)
    if spec.kind == "vanilla":
        return f"  {spec.name}: {plural(spec.legs[0].job_count, 'job')}, {took}"
    if spec.kind == "yql":
        return f"  {spec.name}: query, {plural(result.rows_out, 'row')} out, {took}"
    output = spec.output_table or spec.input_table
    return (
        f"  {spec.name}: {spec.input_table} -> {output}: "
        f"{plural(result.rows_in, 'row')} in, {result.rows_out:,} out, {took}"
    )


def _show(planned: PlannedRun, reporter: Reporter, mode: str) -> None:
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


@contextlib.contextmanager
def _stage_log(reporter: Reporter) -> Iterator[None]:
    """Show what stages log while the block runs."""
    logger = logging.getLogger("ytbuild")
    level, propagate, handler = logger.level, logger.propagate, _ReporterHandler(reporter)
    logger.setLevel(logging.DEBUG if reporter.verbose else logging.INFO)
    logger.addHandler(handler)
    logger.propagate = False
    try:
        yield
    finally:
        logger.removeHandler(handler)
        logger.setLevel(level)
        logger.propagate = propagate


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
