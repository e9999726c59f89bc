"""The settings of one operation block, each checked and made a value of its spec."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from typing import Any

from ytbuild.backends.base import Resources
from ytbuild.base.errors import CypressPathError
from ytbuild.config import cypress_path, secrets
from ytbuild.config.stage import Operation, required
from ytbuild.graph.rules import OperationRule

_OWN_VARIABLES = ("PATH", "PYTHONPATH", "PYTHONHOME", "JOB_CONFIG_PATH", "YT_STAGE_NAME")
_OWN_PREFIXES = ("YTBUILD_", "YT_JOB_", "YT_OPERATION_", "YT_SECURE_VAULT")

DOCKER_AUTH = {"username": "DOCKER_AUTH_USERNAME", "password": "DOCKER_AUTH_PASSWORD"}

_GIB = 1 << 30
_OWN_LIMIT = "time_limit"


def seconds(operation: Operation, key: str) -> float | None:
    """Return a limit in seconds; the cluster's specs, and so the configuration, count milliseconds."""
    value = operation.settings.get(key)
    return None if value is None else int(value) / 1000


def table(operation: Operation, key: str) -> str:
    """Return the path of a table; one that is written, which that of a sort is, has no columns and no ranges."""
    path = required(operation, key)
    is_written = key == "output_table" or operation.kind == "sort"
    try:
        return str(cypress_path.parse_output(path) if is_written else cypress_path.parse(path))
    except CypressPathError as error:
        raise operation.section.error(key, f"is {path!r}, which {error.problem}", error.hint) from None


def columns(operation: Operation) -> tuple[tuple[str, ...], tuple[str, ...], tuple[str, ...]]:
    """Return `sort_by`, `reduce_by`, and those columns of `sort_by` that go downwards."""
    section = operation.section
    sort_by, descending = _sort_columns(operation)
    reduce_by = section.texts("reduce_by")
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
    return sort_by, reduce_by, descending


def _sort_columns(operation: Operation) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the columns to sort by, and those of them that go downwards."""
    value = operation.settings.get("sort_by")
    if not isinstance(value, list) or not any(isinstance(item, dict) for item in value):
        return operation.section.texts("sort_by"), ()
    names: list[str] = []
    descending: list[str] = []
    for item in value:
        column = {"name": item} if isinstance(item, str) else item
        order = column.get("sort_order", "ascending") if isinstance(column, dict) else None
        name = column.get("name") if isinstance(column, dict) else None
        if not isinstance(name, str) or not name or order not in ("ascending", "descending"):
            raise operation.section.error(
                "sort_by", f"has the entry {item!r}", "name a column: a, or {name: a, sort_order: descending}"
            )
        names.append(name)
        descending += [name] * (order == "descending")
    return tuple(names), tuple(descending)


def asked_jobs(operation: Operation, leg: str) -> int | None:
    """Return how many jobs the block asks for a leg, None when it does not say."""
    if operation.kind == "map_reduce":
        asked = operation.settings.get("map_job_count") if leg == "map_reduce_mapper" else None
    else:
        asked = _resource(operation, "job_count")
    return None if asked is None else int(asked)


def resources(operation: Operation) -> Resources:
    """Return what the operation gets of a cluster: from `resources`, or else from the block itself."""
    default = Resources()
    memory = _resource(operation, "memory_limit_gb")
    return Resources(
        pool=str(_resource(operation, "pool") or default.pool),
        pool_tree=_resource(operation, "pool_tree"),
        docker_image=_resource(operation, "docker_image"),
        memory_limit=default.memory_limit if memory is None else int(memory) * _GIB,
        cpu_limit=_resource(operation, "cpu_limit") or default.cpu_limit,
        gpu_limit=int(_resource(operation, "gpu_limit") or 0),
        user_slots=_resource(operation, "user_slots"),
    )


def _resource(operation: Operation, key: str) -> Any:
    given: Mapping[str, Any] = operation.settings.get("resources") or {}
    value = given.get(key)
    return operation.settings.get(key) if value is None else value


def docker_auth(operation: Operation, known_secrets: Mapping[str, str]) -> dict[str, str] | None:
    """Return what the registry of the operation's image wants to know; None without an image or an account."""
    if not _resource(operation, "docker_image"):
        return None
    account = {key: os.environ.get(name) or known_secrets.get(name) for key, name in DOCKER_AUTH.items()}
    return {key: str(value) for key, value in account.items()} if all(account.values()) else None


def environment(operation: Operation, known_secrets: Mapping[str, str]) -> tuple[dict[str, str], tuple[str, ...]]:
    """Return the variables that the operation sets, and the names of those whose values nobody may see."""
    own: Mapping[str, Any] = operation.settings.get("env") or {}
    names = operation.section.texts("secrets")
    vault = _vault_variables(operation)
    for key, taken in (("env", own), ("secrets", names), ("secure_vault", vault)):
        _check_names(operation, key, map(str, taken))
    values = secrets.choose(names, known_secrets, os.environ)
    values |= {str(name): _text(value) for name, value in own.items()} | vault
    return values, tuple(dict.fromkeys((*names, *vault)))


def _vault_variables(operation: Operation) -> dict[str, str]:
    """Return what the block itself puts into the secure vault and jobs see as variables: no lists, no mappings."""
    single = operation.settings.get("secure_vault_variable")
    entries = {**secure_vault(operation), **(single if isinstance(single, Mapping) else {})}
    return {str(name): _text(value) for name, value in entries.items() if isinstance(value, str | int | float)}


def public_names(operation: Operation, hidden: tuple[str, ...]) -> tuple[str, ...]:
    """Return the variables that a cluster may show; a secret is none of them."""
    names = operation.section.texts("environment_public_keys")
    for name in names:
        if name in hidden:
            raise operation.section.error(
                "environment_public_keys",
                f"names the secret {name}",
                "secrets travel in the secure vault only: take it out of one of the two",
            )
    return names


def secure_vault(operation: Operation) -> Mapping[str, Any]:
    """Return what the block itself puts into the secure vault."""
    return operation.section.section("secure_vault").values


def passed_on(operation: Operation, rule: OperationRule) -> dict[str, Any]:
    """Return the settings that go into the cluster's spec as they are."""
    return {
        key: value
        for key, value in operation.settings.items()
        if key in rule.passed_on and key != _OWN_LIMIT and value is not None
    }


def _check_names(operation: Operation, key: str, names: Iterable[str]) -> None:
    for name in names:
        if name in _OWN_VARIABLES or name.startswith(_OWN_PREFIXES):
            raise operation.section.error(
                key, f"sets {name}, which the job's start sets itself", "choose another name for the variable"
            )


def _text(value: Any) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    return "" if value is None else str(value)
