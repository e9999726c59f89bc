"""The verb `diff`: what a build would change in the archive."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from ytbuild.archive.manifest import Manifest, StoredMember
from ytbuild.graph.plan import Plan
from ytbuild.graph.target import Member


@dataclass(frozen=True)
class Change:
    """One member that differs: `kind` is A (added), M (modified) or D (deleted), as with `git diff`."""

    kind: str
    name: str
    old: StoredMember | None
    new: StoredMember | None

    @property
    def growth(self) -> int:
        """How many bytes the member grows by."""
        return (self.new.size if self.new else 0) - (self.old.size if self.old else 0)


@dataclass(frozen=True)
class TargetDiff:
    """A target whose key differs; a key is None where the target does not exist.

    There are no changes when only the rules that shape it are others.
    """

    name: str
    old_key: str | None
    new_key: str | None
    changes: tuple[Change, ...]


@dataclass(frozen=True)
class DiffResult:
    """What differs between two archives; `old_key` is None when there is no older one."""

    old_key: str | None
    new_key: str
    targets: tuple[TargetDiff, ...]

    @property
    def changes(self) -> list[Change]:
        """All changed members."""
        return [change for target in self.targets for change in target.changes]


def compare(plan: Plan, last: Manifest | None) -> DiffResult:
    """Compare what a build would make with the archive of the last build."""
    old_keys = {target.name: target.key for target in last.summary.targets} if last else {}
    new_targets = {target.name: target for target in plan.targets}
    targets: list[TargetDiff] = []
    for name in sorted(old_keys.keys() | new_targets.keys()):
        target = new_targets.get(name)
        new_key = target.key.hex() if target else None
        if old_keys.get(name) == new_key:
            continue
        old = {member.name: member for member in (last.members.get(name, ()) if last else ())}
        new = {member.arcname: _stored(member) for member in (target.load().members if target else ())}
        targets.append(TargetDiff(name, old_keys.get(name), new_key, _changes(old, new)))
    return DiffResult(last.summary.key if last else None, plan.key, tuple(targets))


def _changes(old: Mapping[str, StoredMember], new: Mapping[str, StoredMember]) -> tuple[Change, ...]:
    changes: list[Change] = []
    for name in sorted(old.keys() | new.keys()):
        before, after = old.get(name), new.get(name)
        if before == after:
            continue
        kind = "A" if before is None else "D" if after is None else "M"
        changes.append(Change(kind, name, before, after))
    return tuple(changes)


def _stored(member: Member) -> StoredMember:
    digest = "" if member.link else member.digest[:16].hex()
    return StoredMember(member.arcname, member.size, member.executable, digest, member.link)
