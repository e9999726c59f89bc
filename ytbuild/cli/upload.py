"""`ytbuild upload`."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from ytbuild.base.text import plural, seconds, size
from ytbuild.build import BuildDone
from ytbuild.cli import build
from ytbuild.cli.json_output import print_json
from ytbuild.cli.options import Options, common_options, json_option
from ytbuild.cli.text_reporter import PlainReporter, Words
from ytbuild.cluster.connection import ClusterChosen
from ytbuild.store.transfer import UploadWaiting
from ytbuild.upload import PackagingStarted, UploadDone, UploadPlan, UploadPlanned, UploadResult, UploadStarted

if TYPE_CHECKING:
    from ytbuild.cli.json_reporter import Fields


@click.command("upload")
@click.option("--dry-run", is_flag=True, help="Say what would go up, and send nothing.")
@json_option
@common_options
@click.pass_obj
def command(options: Options, dry_run: bool, as_json: str | None) -> None:
    """Build, then send to the cluster's build_folder what it lacks of the archive.

    Nothing is sent twice: an archive that is there already costs one question, and of a large one only the segments
    that changed go up.
    """
    if as_json == "events":
        options.report_events("upload", FIELDS)
    workspace = options.workspace(WORDS)
    fields = plan_data(workspace.plan_upload()) if dry_run else as_data(workspace.upload())
    if as_json == "result":
        print_json(fields)


def _done(event: UploadDone, reporter: PlainReporter) -> None:
    reporter.line("[Upload] Code uploaded successfully")
    reporter.line(summary(event.result))


WORDS: Words = {
    ClusterChosen: lambda event, reporter: reporter.line(f"cluster {event.proxy} (from {event.origin})"),
    PackagingStarted: lambda _, reporter: reporter.line("[Upload] Packaging code..."),
    BuildDone: lambda event, reporter: reporter.line(build.summary(event.result)),
    UploadPlanned: lambda event, reporter: reporter.line(plan_summary(event.plan)),
    UploadStarted: lambda event, reporter: reporter.line(f"[Upload] Uploading code to {event.archive}"),
    UploadWaiting: lambda event, reporter: reporter.line(f"waiting for {event.whom}"),
    UploadDone: _done,
}


def summary(result: UploadResult) -> str:
    """Return the one line that says what an upload did."""
    took, folder = seconds(result.seconds), result.folder
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


def plan_summary(plan: UploadPlan) -> str:
    """Return the one line that says what an upload would do."""
    folder = plan.folder
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


def as_data(result: UploadResult) -> dict[str, object]:
    """Return an upload's result as plain values for JSON."""
    return {
        "key": result.key,
        "proxy": result.proxy,
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


def plan_data(plan: UploadPlan) -> dict[str, object]:
    """Return what an upload would do as plain values for JSON."""
    return {
        "key": plan.key,
        "proxy": plan.proxy,
        "archive": plan.archive,
        "size": plan.size,
        "bytes_to_send": plan.bytes_to_send,
        "bytes_to_skip": plan.size - plan.bytes_to_send,
        "segments": {"total": plan.segments, "to_send": plan.segments_to_send},
    }


FIELDS: Fields = {
    **build.FIELDS,
    UploadPlanned: lambda event: plan_data(event.plan),
    UploadDone: lambda event: as_data(event.result),
}
"""The fields of events as JSON, where they are not the events' own."""
