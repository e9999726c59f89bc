"""Operation blocks become specs: every name, table and script is resolved, and checked, before anything runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from typing import Any

from ytbuild.clients.base import DEFAULT_MAX_ROW_WEIGHT, LegCommand, OperationSpec
from ytbuild.clients.dev.tables import path_problem
from ytbuild.clients.job import bootstrap
from ytbuild.config import secrets
from ytbuild.config.checks import row_weight
from ytbuild.config.stage import Operation, StageConfig, file_paths, required
from ytbuild.errors import QueryError, ScriptError, StageError, UsageError
from ytbuild.graph.plan import Plan
from ytbuild.graph.rules import Leg, OperationRule
from ytbuild.graph.wrappers import Wrapper
from ytbuild.text import quote

_OWN_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "JOB_CONFIG_PATH", "YT_STAGE_NAME")
_OWN_PREFIXES = ("YTBUILD_", "YT_JOB_", "YT_OPERATION_", "YT_SECURE_VAULT")

_IGNORED_IN_DEV = ("checkpoint", "tokenizer_artifact", "input_query", "join_by", "pivot_keys")

_TABLES = ("input_table", "output_table")


def declared(plan: Plan, stage: StageConfig, known_secrets: Mapping[str, str]) -> list[OperationSpec]:
    """Return the specs of the operations that a stage declares, in their order.

    Raises a `UsageError` for whatever would not run: a missing setting, a missing script, a secret without a value.
    """
    if not stage.operations:
        raise StageError(
            f"the stage {stage.name!r} has nothing to run",
            f"write stages/{stage.name}/stage.py, or declare operations under client.operations in {stage.shown}",
        )
    return [resolved(plan, stage, operation, known_secrets, {}) for operation in stage.operations]


def declared_beside_code(plan: Plan, stage: StageConfig, known_secrets: Mapping[str, str]) -> list[OperationSpec]:
    """Return the specs of the operations declared in a stage with a `stage.py`, as far as they are complete.

    The stage's code may add what is missing, or never run them, so nothing is an error here.
    """
    found: list[OperationSpec] = []
    for operation in stage.operations:
        if operation.kind is not None:
            with contextlib.suppress(UsageError):
                found.append(resolved(plan, stage, operation, known_secrets, {}))
    return found


def resolved(
    plan: Plan,
    stage: StageConfig,
    operation: Operation,
    known_secrets: Mapping[str, str],
    commands: Mapping[str, str | None],
) -> OperationSpec:
    """Return an operation's spec; `commands` are the legs' own ones, where stage code gave any.

    Raises a `UsageError` for whatever would not run.
    """
    if operation.kind is None:
        kinds = ", ".join(sorted(plan.rules.operations))
        raise operation.section.error("kind", "is missing", f"say what {operation.name} is: {kinds}")
    rule = plan.rules.operations[operation.kind]
    tables = {key: _table(operation, key) for key in _TABLES if key in rule.keys}
    sort_by, reduce_by = _columns(operation)
    return OperationSpec(
        stage=stage.name,
        name=operation.name,
        kind=rule.kind,
        legs=tuple(_leg(plan, stage, operation, rule, leg, commands.get(leg.name)) for leg in rule.legs),
        input_table=tables.get("input_table"),
        output_table=tables.get("output_table"),
        sort_by=sort_by,
        reduce_by=reduce_by,
        append=operation.settings.get("append") is True,
        environment=_environment(operation, known_secrets),
        secret_names=operation.section.texts("secrets"),
        files=file_paths(operation),
        max_failed_job_count=int(operation.settings.get("max_failed_job_count") or 1),
        max_row_weight=row_weight(operation.settings.get("max_row_weight")) or DEFAULT_MAX_ROW_WEIGHT,
        job_time_limit=_seconds(operation, "job_time_limit"),
        time_limit=_seconds(operation, "time_limit"),
        query=_query(operation) if "query" in rule.keys else None,
    )


def _query(operation: Operation) -> str:
    """Return an operation's query, which must be in the grammar that dev knows."""
    from ytbuild.clients.dev.yql.engine import check_query

    query = str(required(operation, "query"))
    try:
        check_query(query)
    except QueryError as error:
        raise operation.section.error("query", f"cannot run in dev: {error.message}", error.hint) from None
    return query


def _seconds(operation: Operation, key: str) -> float | None:
    """Return a limit in seconds; the cluster's specs, and so the configuration, count milliseconds."""
    value = operation.settings.get(key)
    return None if value is None else int(value) / 1000


def ignored_in_dev(stage: StageConfig) -> list[str]:
    """Return the settings of a stage's operations that change results on a cluster and do nothing in dev."""
    return [
        f"{operation.name}.{key}"
        for operation in stage.operations
        if operation.kind
        for key in _IGNORED_IN_DEV
        if operation.settings.get(key)
    ]


def _table(operation: Operation, key: str) -> str:
    path = required(operation, key)
    problem = path_problem(path) if isinstance(path, str) else "is not a text"
    if problem:
        raise operation.section.error(key, f"is {path!r}, which {problem}", "write a Cypress path: //tmp/me/data")
    return str(path)


def _columns(operation: Operation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    section = operation.section
    for key in ("sort_by", "reduce_by"):
        value = operation.settings.get(key)
        ordered = [item.get("name") for item in value if isinstance(item, dict)] if isinstance(value, list) else []
        if ordered:
            raise section.error(
                key, f"gives an order to the column {ordered[0]!r}", "dev sorts ascending: name it only"
            )
    sort_by, reduce_by = section.texts("sort_by"), section.texts("reduce_by")
    if operation.kind == "sort":
        required(operation, "sort_by")
    if operation.kind in ("map_reduce", "reduce"):
        required(operation, "reduce_by")
        if sort_by and sort_by[: len(reduce_by)] != reduce_by:
            raise section.error(
                "sort_by",
                f"is {list(sort_by)}, which does not begin with reduce_by, {list(reduce_by)}",
                "the cluster refuses it: rows of one group would not lie together",
            )
    return sort_by, reduce_by


def _leg(
    plan: Plan, stage: StageConfig, operation: Operation, rule: OperationRule, leg: Leg, command: str | None
) -> LegCommand:
    """Return a leg's command: the one that stage code gave, or the start of its wrapper."""
    bootstrap_asked = operation.settings.get("tar_command_bootstrap") is True
    if command is None or bootstrap_asked:
        command = bootstrap(_wrapper(plan, stage, operation, leg).arcname)
    return LegCommand(leg.name, command, _job_count(operation, rule, leg))


def _wrapper(plan: Plan, stage: StageConfig, operation: Operation, leg: Leg) -> Wrapper:
    """Return the wrapper of an operation's leg: its own, that of the script it names, or the leg's plain one."""
    of_leg = [wrapper for wrapper in plan.wrappers if (wrapper.stage, wrapper.leg.name) == (stage.name, leg.name)]
    script = operation.settings.get(leg.setting) or operation.settings.get("script")
    for wrapper in of_leg:
        if operation.name in wrapper.operations if script is None else wrapper.script == os.path.normpath(script):
            return wrapper
    if script is None:
        plain = [wrapper for wrapper in of_leg if wrapper.script in leg.scripts]
        if plain:
            return plain[0]
    if script is not None:
        raise operation.section.error(
            leg.setting if operation.settings.get(leg.setting) else "script",
            f"is {quote(script)}, and the archive holds no wrapper that starts it as the leg {leg.name}",
            f"declare the block under client.operations with kind: {operation.kind}, so that a build sees its script",
        )
    raise ScriptError(
        f"{stage.shown}: the operation {operation.name} has no script for its leg {leg.name}",
        f"create stages/{stage.name}/src/{leg.scripts[0]}, or name another one with {leg.setting}:",
    )


def _job_count(operation: Operation, rule: OperationRule, leg: Leg) -> int:
    """Return how many jobs a leg gets; a reducer gets one, so that no group is cut."""
    if leg is not rule.legs[0] or rule.kind == "reduce":
        return 1
    if rule.kind == "map_reduce":
        return int(operation.settings.get("map_job_count") or 1)
    resources: Mapping[str, Any] = operation.settings.get("resources") or {}
    return int(resources.get("job_count") or operation.settings.get("job_count") or 1)


def _environment(operation: Operation, known_secrets: Mapping[str, str]) -> dict[str, str]:
    own: Mapping[str, Any] = operation.settings.get("env") or {}
    names = operation.section.texts("secrets")
    for key, taken in (("env", own), ("secrets", names)):
        for name in taken:
            if str(name) in _OWN_VARIABLES or str(name).startswith(_OWN_PREFIXES):
                raise operation.section.error(
                    key, f"sets {name}, which the job's start sets itself", "choose another name for the variable"
                )
    chosen = secrets.choose(names, known_secrets, os.environ)
    return chosen | {str(name): _text(value) for name, value in own.items()}


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
