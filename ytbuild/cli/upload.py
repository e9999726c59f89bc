"""`ytbuild upload`."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import click

from ytbuild.base.text import plural, seconds, size
from ytbuild.build import build
from ytbuild.cli.build import summary as build_summary
from ytbuild.cli.main import Options, common_options
from ytbuild.cli.reporter import Reporter

if TYPE_CHECKING:
    from ytbuild.config.access import ClusterAccess
    from ytbuild.upload import UploadEvents, UploadPlan, UploadResult

PACKAGING = "[Upload] Packaging code..."
UPLOADED = "[Upload] Code uploaded successfully"


@click.command("upload")
@click.option("--dry-run", is_flag=True, help="Say what would go up, and send nothing.")
@click.option("--json", "as_json", is_flag=True, help="Print the result as JSON.")
@common_options
@click.pass_obj
def command(options: Options, dry_run: bool, as_json: bool) -> None:
    """Build, then send to the cluster's build_folder what it lacks of the archive.

    Nothing is sent twice: an archive that is there already costs one question, and of a large one only the segments
    that changed go up.
    """
    from ytbuild.cluster.connection import connect
    from ytbuild.config import secrets
    from ytbuild.upload import built_archive, cypress_store, plan_upload, upload

    planner = options.planner()
    reporter, config = options.reporter, planner.config
    with connect(config, secrets.load(config.directory), reporter.warning) as connection:
        cluster = connection.access
        store = cypress_store(config, connection)
        reporter.line(f"cluster {cluster.label}")
        reporter.line(PACKAGING)
        result = build(planner, progress=lambda done, total: reporter.bar("packing", done, total))
        reporter.clear()
        for warning in result.warnings:
            reporter.warning(warning)
        reporter.line(build_summary(result))
        archive, manifest = built_archive(planner, result.key)
        if dry_run:
            plan = plan_upload(store, archive, manifest)
            if as_json:
                click.echo(json.dumps(plan_data(result.key, store.archive_path(result.key), cluster, plan), indent=2))
            reporter.line(plan_summary(plan, store.folder))
            return
        uploaded = upload(
            store,
            archive,
            manifest,
            threads=config.prod.upload_threads,
            retry_seconds=config.prod.retry_seconds,
            events=shown(reporter),
        )
    reporter.clear()
    reporter.line(UPLOADED)
    if as_json:
        click.echo(json.dumps(as_data(uploaded, cluster), indent=2))
    reporter.line(summary(uploaded, store.folder))


def shown(reporter: Reporter) -> UploadEvents:
    """Return whom an upload tells of what it does."""
    from ytbuild.upload import UploadEvents

    return UploadEvents(
        sending=lambda path: reporter.line(f"[Upload] Uploading code to {path}"),
        progress=lambda done, total: reporter.bar("uploading", done, total),
        waiting=reporter.line,
    )


def summary(result: UploadResult, folder: str) -> str:
    """Return the one line that says what an upload did."""
    took = seconds(result.seconds)
    if not result.bytes_sent and not result.manifest_sent:
        return f"nothing to upload: {size(result.size)} already in {folder}, in {took}"
    if not result.bytes_sent:
        return f"uploaded the manifest, the archive ({size(result.size)}) was already in {folder}, in {took}"
    if result.whole:
        return f"uploaded the archive ({size(result.bytes_sent)}) to {folder}, in {took}"
    return (
        f"uploaded {result.segments_sent} of {plural(result.segments, 'segment')} ({size(result.bytes_sent)}), "
        f"{result.segments - result.segments_sent} already in {folder}, in {took}"
    )


def plan_summary(plan: UploadPlan, folder: str) -> str:
    """Return the one line that says what an upload would do."""
    if plan.archive_present and not plan.manifest_present:
        return f"would upload the manifest, the archive ({size(plan.size)}) is already in {folder}; nothing was sent"
    if plan.archive_present:
        return f"nothing to upload: {size(plan.size)} already in {folder}"
    if plan.whole:
        return f"would upload the archive ({size(plan.size)}) to {folder}; nothing was sent"
    return (
        f"would upload {plan.segments_to_send} of {plural(plan.segments, 'segment')} ({size(plan.bytes_to_send)}), "
        f"{plan.segments - plan.segments_to_send} already in {folder}; nothing was sent"
    )


def as_data(result: UploadResult, cluster: ClusterAccess) -> dict[str, object]:
    """Return an upload's result as plain values for JSON."""
    return {
        "format_version": "1.0",
        "key": result.key,
        "proxy": cluster.proxy,
        "archive": result.archive,
        "manifest": result.manifest,
        "link": result.link,
        "size": result.size,
        "bytes_sent": result.bytes_sent,
        "bytes_skipped": result.bytes_skipped,
        "manifest_bytes_sent": result.manifest_sent,
        "segments": {"total": result.segments, "sent": result.segments_sent},
        "seconds": round(result.seconds, 4),
    }


def plan_data(key: str, archive: str, cluster: ClusterAccess, plan: UploadPlan) -> dict[str, object]:
    """Return what an upload would do as plain values for JSON."""
    return {
        "format_version": "1.0",
        "key": key,
        "proxy": cluster.proxy,
        "archive": archive,
        "size": plan.size,
        "bytes_to_send": plan.bytes_to_send,
        "bytes_to_skip": plan.size - plan.bytes_to_send,
        "segments": {"total": plan.segments, "to_send": plan.segments_to_send},
    }
