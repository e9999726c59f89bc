"""`ytbuild diff`."""

from __future__ import annotations

from typing import Any

import click

from ytbuild.archive.manifest import StoredMember, member_entry
from ytbuild.base.errors import YtbuildError
from ytbuild.base.text import plural, quote, size
from ytbuild.cli.json_output import print_json
from ytbuild.cli.options import Options, common_options
from ytbuild.cli.text_reporter import Words, wants_colour
from ytbuild.diff import Change, DiffResult, TargetDiff

_COLOURS = {"A": "green", "M": "yellow", "D": "red"}
_KEY_LENGTH = 8


@click.command("diff")
@click.option("--json", "as_json", is_flag=True, help="Print the changes as JSON.")
@click.option("--remote", is_flag=True, help="Compare with the last upload instead of the last build.")
@click.option("--exit-code", "exit_code", is_flag=True, help="Exit with 1 when there are changes, 2 on any error.")
@common_options
@click.pass_context
def command(context: click.Context, as_json: bool, remote: bool, exit_code: bool) -> None:
    """Show what a build would change against the last one, or against what was uploaded last.

    A line for each member of the archive that was added (A), modified (M) or deleted (D), by target, with its size
    before and after.
    """
    options: Options = context.obj
    try:
        result = _compare(options, remote)
    except YtbuildError as error:
        if exit_code:
            # 1 means "different" here, so no failure may end in it.
            error.exit_code = 2
        raise
    if as_json:
        print_json(as_data(result))
    else:
        _print(result)
        options.reporter.line(summary(result, "upload" if remote else "build"))
    if exit_code and result.targets:
        context.exit(1)


def _compare(options: Options, remote: bool) -> DiffResult:
    words: Words = {}
    if remote:
        from ytbuild.cli.upload import WORDS as words
    return options.workspace(words).diff(remote=remote)


def _print(result: DiffResult) -> None:
    import sys

    coloured = wants_colour(sys.stdout)
    for target in result.targets:
        click.echo(f"{quote(target.name)}  {_short(target.old_key)} -> {_short(target.new_key)}")
        if not target.changes:
            click.echo("  the rules that shape it changed")
        for change in target.changes:
            letter = click.style(change.kind, fg=_COLOURS[change.kind]) if coloured else change.kind
            click.echo(f"  {letter} {quote(change.name)}  {_details(change)}")


def _details(change: Change) -> str:
    before, after = _state(change.old), _state(change.new)
    text = f"{before} -> {after}"
    if change.old and change.new and change.old.executable != change.new.executable:
        text += f", mode {_mode(change.old)} -> {_mode(change.new)}"
    return text


def _state(member: StoredMember | None) -> str:
    if member is None:
        return "-"
    return f"link to {quote(member.link)}" if member.link else size(member.size)


def _mode(member: StoredMember) -> str:
    return "0755" if member.executable else "0644"


def _short(key: str | None) -> str:
    return key[:_KEY_LENGTH] if key else "none"


def summary(result: DiffResult, last: str) -> str:
    """Return the one line that says how much differs from the last `build` or `upload`."""
    if result.old_key is None:
        article = "an" if last == "upload" else "a"
        return f"there is no last {last}: {article} {last} adds {plural(len(result.changes), 'file')}"
    if not result.targets:
        return f"no changes against the last {last}, {_short(result.old_key)}"
    kinds = [change.kind for change in result.changes]
    growth = sum(change.growth for change in result.changes)
    sign = "-" if growth < 0 else "+"
    return (
        f"{plural(len(result.targets), 'target')} changed: {kinds.count('A')} added, {kinds.count('M')} modified, "
        f"{kinds.count('D')} deleted, {sign}{size(abs(growth))}; "
        f"archive {_short(result.old_key)} -> {_short(result.new_key)}"
    )


def as_data(result: DiffResult) -> dict[str, object]:
    """Return the differences as plain values for JSON."""
    return {
        "old_key": result.old_key,
        "new_key": result.new_key,
        "targets": [_target_data(target) for target in result.targets],
    }


def _target_data(target: TargetDiff) -> dict[str, Any]:
    return {
        "name": target.name,
        "old_key": target.old_key,
        "new_key": target.new_key,
        "changes": [
            {
                "kind": change.kind,
                "name": change.name,
                "old": _member_data(change.old),
                "new": _member_data(change.new),
            }
            for change in target.changes
        ],
    }


def _member_data(member: StoredMember | None) -> dict[str, Any] | None:
    if member is None:
        return None
    entry = member_entry(member.name, member.executable, member.size, member.hash, member.link)
    # The change names the member already.
    del entry["name"]
    return entry
