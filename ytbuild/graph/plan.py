"""Configuration, sources and rules become targets with keys: everything a build decides before it packs."""

from __future__ import annotations

import contextlib
import gc
import heapq
import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from operator import itemgetter

from xxhash import xxh3_128_digest

from ytbuild.base.errors import ConfigError, ScriptError, SourceError, StoreError, closest
from ytbuild.base.framing import framed
from ytbuild.base.text import quote
from ytbuild.config import pipeline as pipeline_config
from ytbuild.config import stage as stage_config
from ytbuild.config.documents import Documents
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.config.stage import StageConfig
from ytbuild.graph import advice, layout, rules, wrappers
from ytbuild.graph.layout import Placed
from ytbuild.graph.rules import Rules
from ytbuild.graph.target import Member, Target, TargetInputs, archive_key, target_key
from ytbuild.graph.wrappers import Wrapper
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.sources.fingerprints import is_executable
from ytbuild.sources.ignore_rules import BuiltinRules
from ytbuild.sources.source_tree import Source, SourceTree
from ytbuild.sources.tree_scanner import HashedFile, TreeScanner
from ytbuild.sources.url_credentials import check_no_credentials

_LARGEST = 5


@dataclass(frozen=True)
class Plan:
    """What a build would make: the targets in the archive's order, and the archive's key.

    `trees` are the scanned sources by target name, for listing what was left out.
    """

    config: PipelineConfig
    stages: tuple[StageConfig, ...]
    rules: Rules
    wrappers: tuple[Wrapper, ...]
    targets: tuple[Target, ...]
    key: str
    trees: dict[str, tuple[SourceTree, ...]]
    warnings: tuple[str, ...]


@contextlib.contextmanager
def collector_paused() -> Iterator[None]:
    """Keep the garbage collector away from work that makes a great many tuples and no cycles."""
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


PlanListener = Callable[[Iterator[Member]], None]
"""Called, while a plan is made, with the files of a source that was never scanned: each is hashed when it is taken,
in the archive's order. A build compresses them meanwhile."""


class Planner:
    """A pipeline's caches, opened for one command; `save` keeps what it learned."""

    def __init__(self, directory: str, config: str | None = None, overrides: tuple[str, ...] = ()) -> None:
        root, _ = pipeline_config.locate(directory, config)
        self.build_dir = os.path.join(root, ".build")
        self.documents = Documents(self.build_dir)
        self.index = FingerprintIndex(self.build_dir)
        self.overrides = overrides
        self.config = pipeline_config.load(directory, config, overrides, self.documents)
        self._scanner = TreeScanner(root, self.index, BuiltinRules())
        self._seen_targets: set[bytes] = set()

    def plan(self, listener: PlanListener | None = None) -> Plan:
        """Return the plan for the enabled stages; `listener` hears of what is hashed on the way.

        Raises a `UsageError` for whatever is wrong with the configuration or a source; nothing is written.
        """
        with collector_paused():
            return self._plan(listener)

    def save(self) -> None:
        """Write the caches under `.build`, which must exist; raises `StoreError` when they cannot be written."""
        self.documents.save()
        self.index.save(self._scanner.seen_directories, self._seen_targets)

    def save_if_built(self) -> None:
        """Write the caches for a command that only looks: not where nothing was built, and never as a failure."""
        if os.path.isdir(self.build_dir):
            with contextlib.suppress(StoreError):
                self.save()

    def _plan(self, listener: PlanListener | None) -> Plan:
        config = self.config
        known_rules = rules.load(self.documents)
        keys = known_rules.operation_keys()
        stages = tuple(
            stage_config.load(config.directory, name, self.documents, keys) for name in config.enabled_stages
        )
        if config.lacks_build_folder:
            _check_no_code(config, stages)
        all_wrappers = [wrapper for stage in stages for wrapper in wrappers.wrappers(stage, known_rules)]
        wrappers.check_distinct(all_wrappers)
        placed, warnings = layout.place(config, stages, [wrapper.arcname for wrapper in all_wrappers])
        trees: dict[str, tuple[SourceTree, ...]] = {}
        targets = [self._target(item, all_wrappers, trees, listener) for item in placed]
        targets.append(_wrappers_target(all_wrappers, known_rules))
        targets.sort(key=lambda target: target.name)
        key = archive_key((target.name, target.key) for target in targets).hex()
        return Plan(
            config=config,
            stages=stages,
            rules=known_rules,
            wrappers=tuple(all_wrappers),
            targets=tuple(targets),
            key=key,
            trees=trees,
            warnings=(
                *config.warnings,
                *warnings,
                *(text for target in targets for text in target.warnings),
                *advice.too_large(targets, placed),
            ),
        )

    def _target(
        self,
        placed: Placed,
        all_wrappers: list[Wrapper],
        trees: dict[str, tuple[SourceTree, ...]],
        listener: PlanListener | None,
    ) -> Target:
        # Chunks begin with a target, so only one of a single source is told of from its beginning.
        heard = listener if len(placed.sources) == 1 else None
        scanned = tuple(self._scan(source, heard) for source in placed.sources)
        trees[placed.name] = scanned
        load = partial(self._inputs, placed, scanned)
        scripts = [f"{w.stage}/{w.leg.name}/{w.script}" for w in all_wrappers if placed.name == f"stage:{w.stage}"]
        parts = [placed.name.encode()]
        for tree in scanned:
            parts += [tree.digest, tree.source.arcname.encode(), os.fsencode(tree.source.path)]
        parts += [script.encode() for script in scripts]
        scan_key = xxh3_128_digest(framed(parts))
        self._seen_targets.add(scan_key)
        known = self.index.targets.get(scan_key)
        if known is not None:
            key, files, total, largest, warnings = known
            return Target(placed.name, key, files, total, largest, warnings, load)
        target = self._examined(placed, scanned, all_wrappers, load)
        record = (target.key, target.files, target.size, target.largest, target.warnings)
        self.index.put_target(scan_key, record)
        return target

    def _scan(self, source: Source, listener: PlanListener | None) -> SourceTree:
        if listener is None:
            return self._scanner.scan(source)

        def told(hashed: Iterator[HashedFile]) -> None:
            listener(
                Member(
                    f"{source.arcname}/{relative}",
                    is_executable(file.fingerprint),
                    file.fingerprint[3],
                    file.digest,
                    "",
                    f"{source.path}/{relative}",
                )
                for relative, file in hashed
            )

        return self._scanner.scan(source, told)

    def _examined(
        self,
        placed: Placed,
        scanned: tuple[SourceTree, ...],
        all_wrappers: list[Wrapper],
        load: Callable[[], TargetInputs],
    ) -> Target:
        for tree in scanned:
            self._scanner.check_not_ignored(tree)
            if tree.source.arcname.endswith("/requirements.txt"):
                check_no_credentials(tree.source.path, tree.source.label)
        inputs = load()
        if not inputs.members:
            raise SourceError(
                f"{quote(placed.name)}: {quote(placed.sources[0].label)} has no file that ships" + _example(scanned),
                f"remove the entry ({placed.given}), or the rule that leaves its files out",
            )
        _check_scripts_ship(placed, inputs, scanned, all_wrappers)
        sizes = [(member.size, member.arcname) for member in inputs.members]
        biggest = heapq.nlargest(_LARGEST, sizes)
        warnings = [
            *advice.left_out_secrets(scanned),
            *advice.compiled(placed, inputs),
            *advice.large_files(placed, sizes),
        ]
        total = sum(member.size for member in inputs.members)
        largest = tuple(biggest)
        key = target_key(inputs)
        return Target(placed.name, key, len(inputs.members), total, largest, tuple(warnings), lambda: inputs)

    def _inputs(self, placed: Placed, scanned: tuple[SourceTree, ...]) -> TargetInputs:
        members: list[Member] = []
        for tree in scanned:
            root = tree.source.arcname
            members += [
                Member(f"{root}/{relative}" if relative else root, executable, length, digest, link, path)
                for relative, path, length, executable, digest, link in tree.files()
            ]
        members.sort(key=itemgetter(0))
        return TargetInputs(placed.name, b"", tuple(members))


def _check_no_code(config: PipelineConfig, stages: tuple[StageConfig, ...]) -> None:
    for stage in stages:
        if os.path.isdir(stage.source_dir):
            raise ConfigError(
                f"{quote(config.label)}: pipeline.build_folder is missing, and stage {stage.name} has code to ship",
                "give the Cypress folder for its archives, such as //home/me/build, or run in dev",
            )


def _wrappers_target(all_wrappers: list[Wrapper], known_rules: Rules) -> Target:
    members = sorted((wrappers.member(wrapper, known_rules) for wrapper in all_wrappers), key=lambda m: m.arcname)
    inputs = TargetInputs("wrappers", known_rules.text, tuple(members))
    total = sum(member.size for member in members)
    return Target("wrappers", target_key(inputs), len(members), total, (), (), lambda: inputs)


def _check_scripts_ship(
    placed: Placed, inputs: TargetInputs, scanned: tuple[SourceTree, ...], all_wrappers: list[Wrapper]
) -> None:
    shipped_names = {member.arcname for member in inputs.members}
    for wrapper in all_wrappers:
        arcname = f"stages/{wrapper.stage}/src/{wrapper.script}"
        if placed.name == f"stage:{wrapper.stage}" and arcname not in shipped_names:
            raise ScriptError(
                f"{quote(arcname)}, which {quote(wrapper.arcname)} starts, is left out of the archive"
                + _reason(scanned, arcname),
                "remove the rule, or bring the file back with a line that begins with '!'",
            )


def _reason(scanned: tuple[SourceTree, ...], arcname: str) -> str:
    """Return ` by .ytignore:3: *.py` for what a rule leaves out, itself or with a directory above it."""
    for tree in scanned:
        for item in tree.ignored():
            if f"{arcname}/".startswith(f"{tree.source.arcname}/{item.relative}/"):
                return f" by {item.reason.label}"
    return ""


def _example(scanned: tuple[SourceTree, ...]) -> str:
    for tree in scanned:
        for item in tree.ignored():
            return f"; {quote(item.relative)}, for example, is left out by {item.reason.label}"
    return ""


def check_stage_selection(config: PipelineConfig, names: tuple[str, ...]) -> None:
    """Raise `ConfigError` for a name that is no enabled stage, with the closest one that is."""
    for name in names:
        if name not in config.enabled_stages:
            raise ConfigError(
                f"the stage {name!r} is not enabled in {config.label}",
                closest(name, config.enabled_stages) or f"enabled: {', '.join(config.enabled_stages)}",
            )
