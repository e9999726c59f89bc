"""The wrapper scripts at the archive's root: one for each leg whose script exists."""

from __future__ import annotations

import os
from dataclasses import dataclass

from xxhash import xxh3_128_digest

from ytbuild.base.errors import ScriptError, TargetConflictError
from ytbuild.base.text import quote
from ytbuild.config.checks import Section
from ytbuild.config.documents import place
from ytbuild.config.stage import Operation, StageConfig
from ytbuild.graph.rules import Leg, Rules
from ytbuild.graph.target import Member

PREFIX = "operation_wrapper_"


@dataclass(frozen=True)
class Wrapper:
    """One wrapper: the leg it starts, the script below the stage's `src/`, and the operations that it serves.

    `arcname` is its name in the archive, `operations` the names of the blocks that use it.
    """

    arcname: str
    stage: str
    leg: Leg
    script: str
    operations: tuple[str, ...]


def wrappers(stage: StageConfig, rules: Rules) -> list[Wrapper]:
    """Return a stage's wrappers.

    A leg's plain name goes to the script of the first operation that has the leg, or to the first default script
    that exists. An operation with another script gets a wrapper of its own, its name at the end.

    Raises `ScriptError` for a configured script that does not exist or lies outside `src/`.
    """
    of_stage: list[Wrapper] = []
    for rule in rules.operations.values():
        operations = [operation for operation in stage.operations if operation.kind == rule.kind]
        for leg in rule.legs:
            of_stage += _leg_wrappers(stage, leg, operations)
    return of_stage


def check_distinct(all_wrappers: list[Wrapper]) -> None:
    """Raise `TargetConflictError` when two wrappers of a pipeline would have one name."""
    seen: dict[str, Wrapper] = {}
    for wrapper in all_wrappers:
        other = seen.setdefault(wrapper.arcname, wrapper)
        if other is not wrapper:
            raise TargetConflictError(
                f"{wrapper.arcname} would start both {other.leg.name} of stage {other.stage} "
                f"and {wrapper.leg.name} of stage {wrapper.stage}",
                "rename one of the two stages or operations",
            )


def member(wrapper: Wrapper, rules: Rules) -> Member:
    """Return the archive member of a wrapper: the template with its places filled in, quoted for the shell."""
    import shlex

    stage = f"stages/{wrapper.stage}"
    text = rules.templates[wrapper.leg.wrapper]
    for mark, value in (
        ("@CONFIG@", f"{stage}/config.yaml"),
        ("@REQUIREMENTS@", f"{stage}/requirements.txt"),
        ("@SCRIPT@", f"{stage}/src/{wrapper.script}"),
    ):
        text = text.replace(mark, shlex.quote(value))
    data = text.encode()
    return Member(wrapper.arcname, True, len(data), xxh3_128_digest(data), "", data)


def _leg_wrappers(stage: StageConfig, leg: Leg, operations: list[Operation]) -> list[Wrapper]:
    default = next((name for name in leg.scripts if os.path.isfile(os.path.join(stage.source_dir, name))), None)
    legacy = stage.legacy_scripts.get(leg.name)
    users: dict[str, list[str]] = {}
    for operation in operations:
        script = _configured(operation, leg) or legacy
        if script is not None:
            script = _checked(stage, operation.section, script)
        elif default is not None:
            script = default
        else:
            continue
        users.setdefault(script, []).append(operation.name)
    if not users:
        script = _checked(stage, None, legacy) if legacy is not None else default
        users = {script: []} if script is not None else {}
    of_leg: list[Wrapper] = []
    for script, names in users.items():
        suffix = f"-{names[0]}" if of_leg else ""
        arcname = f"{PREFIX}{stage.name}_{leg.name}{suffix}.sh"
        of_leg.append(Wrapper(arcname, stage.name, leg, script, tuple(names)))
    return of_leg


def _configured(operation: Operation, leg: Leg) -> str | None:
    value = operation.settings.get(leg.setting) or operation.settings.get("script")
    return str(value) if value else None


def _checked(stage: StageConfig, block: Section | None, script: str) -> str:
    """Return a configured script as a path below `src/`; `block` is the operation that names it."""
    source = os.path.realpath(stage.source_dir)
    if "\0" in script:
        raise _bad_script(stage, block, script, "holds a NUL character", "give a path below src/")
    normal = os.path.normpath(script)
    # The script's own name stays, even of a link: it is what the job starts, and Python's sys.path[0] follows it.
    folder, name = os.path.split(os.path.join(source, normal))
    path = os.path.join(os.path.realpath(folder), name)
    real = os.path.realpath(path)
    if os.path.isabs(script) or normal.split("/")[0] == ".." or not real.startswith(source + "/"):
        hint = "give a path relative to src/, and keep the script there"
        raise _bad_script(stage, block, script, f"lies outside stages/{stage.name}/src", hint)
    if not os.path.isfile(real):
        problem = f"does not exist in stages/{stage.name}/src"
        raise _bad_script(stage, block, script, problem, "create it, or correct the name")
    return os.path.relpath(path, source)


def _bad_script(stage: StageConfig, block: Section | None, script: str, problem: str, hint: str) -> ScriptError:
    where = quote(stage.label)
    if block is not None:
        where = f"{place(block.path, block.label, block.keys)}: {'.'.join(block.keys)}"
    return ScriptError(f"{where}: the script {quote(script)} {problem}", hint)
