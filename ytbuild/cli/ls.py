"""`ytbuild ls`."""

from __future__ import annotations

import os

import click

from ytbuild.archive.manifest import member_entry
from ytbuild.base.errors import UnknownTargetError, closest
from ytbuild.base.text import plural, quote, size
from ytbuild.cli.json_output import print_json
from ytbuild.cli.options import Options, common_options
from ytbuild.graph.plan import Plan
from ytbuild.graph.target import Member, Target
from ytbuild.sources.source_tree import IgnoredEntry, SourceTree

_OWN = "module:ytjobs"


@click.command("ls")
@click.argument("target", required=False)
@click.option("--ignored", is_flag=True, help="List what was left out; with -v, by which line of which file.")
@click.option("--json", "as_json", is_flag=True, help="Print the list as JSON.")
@common_options
@click.pass_obj
def command(options: Options, target: str | None, ignored: bool, as_json: bool) -> None:
    """List what goes into the archive, of one TARGET or of all.

    With --ignored it lists what does not, one path a line; -v puts the rule before each, as `git check-ignore -v`
    does.
    """
    planner = options.planner()
    plan = planner.plan()
    planner.save_if_built()
    chosen = _chosen(plan, target)
    if ignored:
        if target is None:
            # ytbuild's own copy of ytjobs is nobody's to keep clean.
            chosen = [one for one in chosen if one.name != _OWN]
        left_out = [
            (tree, item) for one in chosen for tree in plan.trees.get(one.name, ()) for item in tree.ignored()
        ]
        _list_ignored(left_out, as_json, options.reporter.verbose)
        options.reporter.line(f"{plural(len(left_out), 'path')} left out of {plural(len(chosen), 'target')}")
        return
    if as_json:
        print_json(as_data(plan, chosen))
    else:
        for one in chosen:
            _list_members(one)
    files, total = sum(one.files for one in chosen), sum(one.size for one in chosen)
    options.reporter.line(f"{plural(len(chosen), 'target')}, {plural(files, 'file')}, {size(total)}")


def _chosen(plan: Plan, name: str | None) -> list[Target]:
    chosen = [target for target in plan.targets if name in (None, target.name)]
    if not chosen:
        names = [target.name for target in plan.targets]
        raise UnknownTargetError(
            f"there is no target {name!r}", closest(str(name), names) or f"the targets are {', '.join(names)}"
        )
    return chosen


def _list_members(target: Target) -> None:
    click.echo(f"{quote(target.name)}  {target.key.hex()[:8]}")
    for member in target.load().members:
        click.echo(f"  {'x' if member.executable else '-'} {size(member.size):>10}  {_label(member)}")


def _label(member: Member) -> str:
    return f"{quote(member.arcname)} -> {quote(member.link)}" if member.link else quote(member.arcname)


def _path(tree: SourceTree, item: IgnoredEntry) -> str:
    return os.path.join(tree.source.label, item.relative) + ("/" if item.is_directory else "")


def _list_ignored(left_out: list[tuple[SourceTree, IgnoredEntry]], as_json: bool, verbose: bool) -> None:
    if as_json:
        paths = [
            {
                "path": _path(tree, item),
                "file": item.reason.file or None,
                "line": item.reason.line or None,
                "pattern": item.reason.text if item.reason.file else None,
                "secret": item.reason.secret,
            }
            for tree, item in left_out
        ]
        print_json({"ignored": paths})
        return
    for tree, item in left_out:
        click.echo((f"{_rule(item)}\t" if verbose else "") + quote(_path(tree, item)))


def _rule(item: IgnoredEntry) -> str:
    """Return what left an entry out, in the format of `git check-ignore -v`."""
    reason = item.reason
    return f"{quote(reason.file)}:{reason.line}:{quote(reason.text)}" if reason.file else "always"


def as_data(plan: Plan, targets: list[Target]) -> dict[str, object]:
    """Return targets and their members as plain values for JSON."""
    return {
        "key": plan.key,
        "targets": [
            {
                "name": target.name,
                "key": target.key.hex(),
                "files": target.files,
                "size": target.size,
                "members": [
                    member_entry(name, executable, count, digest[:16].hex(), link)
                    for name, executable, count, digest, link, _ in target.load().members
                ],
            }
            for target in targets
        ],
    }
