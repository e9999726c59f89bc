"""`stages/<name>/config.yaml` as a typed, validated value: a stage's operations and their scripts."""

from __future__ import annotations

import math
import os
from dataclasses import dataclass, field
from typing import Any

from ytbuild.base.errors import CypressPathError
from ytbuild.config.checks import NAME_RULE, Section, is_name, row_weight
from ytbuild.config.cypress_path import parse
from ytbuild.config.documents import Documents

_COMMON_KEYS = frozenset(
    {
        "kind",
        "resources",
        "max_failed_job_count",
        "job_time_limit",
        "env",
        "secrets",
        "file_paths",
        "checkpoint",
        "tokenizer_artifact",
        "operation_description",
        "environment_public_keys",
        "use_plain_environment_for_secrets",
        "max_row_weight",
        "secure_vault",
    }
)
_RESOURCE_KEYS = frozenset(
    {
        "pool",
        "pool_tree",
        "docker_image",
        "memory_limit_gb",
        "cpu_limit",
        "gpu_limit",
        "job_count",
        "user_slots",
    }
)
_RESOURCE_TEXTS = ("pool", "pool_tree", "docker_image")
_SECTIONS = ("client.operations", "job.map_reduce_command", "job.reduce_command")
_COUNTS = (
    "memory_limit_gb", "job_count", "map_job_count", "max_failed_job_count", "user_slots", "time_limit",
    "job_time_limit",
)  # fmt: skip
_SHORTEST_TIME_LIMIT = 1000
_FLAGS = ("append", "tar_command_bootstrap")
_FILES_HINT = "list Cypress paths, or pairs of one and the name in the sandbox: [//tmp/me/a.bin, [//tmp/me/b.bin, b]]"
_TEXT_KEYS = ("script", "mapper_script", "reducer_script", "query")

ARCHIVE_NAME = "source.tar.gz"


@dataclass(frozen=True)
class Operation:
    """One block under `client.operations`.

    `kind` is None for a block that only the stage's own code reads. `settings` is the block as written, and
    `section` says where it stands.
    """

    name: str
    kind: str | None
    settings: dict[str, Any]
    section: Section = field(repr=False)


@dataclass(frozen=True)
class StageConfig:
    """What ytbuild reads of a stage; `directory` is absolute."""

    name: str
    directory: str
    config_path: str
    label: str
    operations: tuple[Operation, ...]
    legacy_scripts: dict[str, str]

    @property
    def source_dir(self) -> str:
        """The folder of the stage's job code; it may not exist."""
        return os.path.join(self.directory, "src")


@dataclass(frozen=True)
class OperationKeys:
    """What rules say of operation blocks: the keys of each kind, those for the cluster's spec among them."""

    own: dict[str, frozenset[str]]

    def known(self, kind: str | None) -> frozenset[str]:
        """Return the keys that a block of this kind may have; of any kind when it is None."""
        kinds = self.own if kind is None else (kind,)
        own = frozenset().union(*(self.own[name] for name in kinds))
        return own | _COMMON_KEYS | _RESOURCE_KEYS


def load(root: str, name: str, documents: Documents, keys: OperationKeys) -> StageConfig:
    """Read and check the configuration of one stage; raises `ConfigError` for whatever is wrong."""
    directory = os.path.join(root, "stages", name)
    path = os.path.join(directory, "config.yaml")
    label = f"stages/{name}/config.yaml"
    top = Section(path, label, (), documents.mapping(path, label, _SECTIONS))
    job, client = top.section("job"), top.section("client")
    blocks = client.section("operations")
    return StageConfig(
        name=name,
        directory=directory,
        config_path=path,
        label=label,
        operations=tuple(_operation(blocks, key, keys) for key in blocks.values),
        legacy_scripts=_legacy_scripts(job),
    )


def _legacy_scripts(job: Section) -> dict[str, str]:
    """Return the scripts named in `job.map_reduce_command` and `job.reduce_command`, by leg."""
    scripts: dict[str, str | None] = {}
    if isinstance(job.values.get("map_reduce_command"), dict):
        command = job.section("map_reduce_command")
        scripts["map_reduce_mapper"] = command.text("mapper_script")
        scripts["map_reduce_reducer"] = command.text("reducer_script")
    if isinstance(job.values.get("reduce_command"), dict):
        scripts["reduce"] = job.section("reduce_command").text("reducer_script")
    return {leg: script for leg, script in scripts.items() if script is not None}


def _operation(blocks: Section, name: str, keys: OperationKeys) -> Operation:
    block = blocks.section(name)
    kind = block.text("kind")
    if kind is None:
        kind = name if name in keys.own else None
    elif kind not in keys.own:
        raise block.error("kind", f"is {kind!r}", f"it is one of {', '.join(sorted(keys.own))}")
    return operation(block, name, kind, keys)


def operation(block: Section, name: str, kind: str | None, keys: OperationKeys) -> Operation:
    """Return one block as a checked operation; raises `ConfigError` for whatever is wrong in it."""
    if not is_name(name) or "." in name:
        # Logs are called <stage>.<operation>: a dot in the second part would make them ambiguous.
        raise block.error("", "is not a name for an operation", f"use {NAME_RULE}, but no '.'")
    block.check_known(keys.known(kind))
    resources = block.section("resources")
    resources.check_known(_RESOURCE_KEYS)
    if block.values.get("use_plain_environment_for_secrets"):
        raise block.error(
            "use_plain_environment_for_secrets",
            "is not supported: it would show secrets to everybody who sees the operation",
            "name them under `secrets:`; jobs find them under their plain names all the same",
        )
    for section in (block, resources):
        _check_numbers(section)
        for key in _RESOURCE_TEXTS:
            section.text(key)
    for key in _TEXT_KEYS:
        block.text(key)
    for key in _FLAGS:
        block.flag(key)
    _check_row_weight(block)
    _files(block)
    block.texts("secrets")
    block.texts("environment_public_keys")
    block.section("env")
    block.section("secure_vault")
    return Operation(name, kind, block.values, block)


def _files(block: Section) -> tuple[tuple[str, str], ...]:
    value = block.values.get("file_paths")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise block.error("file_paths", f"is {value!r}, not a list", _FILES_HINT)
    files: dict[str, str] = {}
    for entry in value:
        path, name = _file(block, entry)
        if name in files:
            raise block.error(
                "file_paths", f"has two files named {name!r}", "give one a name of its own: [path, name]"
            )
        files[name] = path
    return tuple((path, name) for name, path in files.items())


def _file(block: Section, entry: Any) -> tuple[str, str]:
    """Return an entry of `file_paths` as a Cypress path and a name in the sandbox."""
    is_pair = isinstance(entry, list) and len(entry) == 2
    try:
        path = parse(entry[0] if is_pair else entry)
    except CypressPathError as error:
        raise block.error("file_paths", f"has the entry {entry!r}: {error.message}", _FILES_HINT) from None
    name = entry[1] if is_pair else path.names[-1]
    if not isinstance(name, str) or name in ("", ".", "..", ARCHIVE_NAME) or "/" in name or "\0" in name:
        raise block.error("file_paths", f"has the entry {entry!r}", _FILES_HINT)
    return str(path), name


def file_paths(operation: Operation) -> tuple[tuple[str, str], ...]:
    """Return the files of an operation's jobs as pairs of a Cypress path and a name in the sandbox."""
    return _files(operation.section)


def _check_numbers(section: Section) -> None:
    for key in _COUNTS:
        value = section.values.get(key)
        if value is not None and (isinstance(value, bool) or not isinstance(value, int) or value < 1):
            raise section.error(key, f"is {value!r}", "it is a whole number above zero")
    if (section.values.get("job_time_limit") or _SHORTEST_TIME_LIMIT) < _SHORTEST_TIME_LIMIT:
        raise section.error("job_time_limit", f"is {section.values['job_time_limit']} ms", "it is a second at least")
    gpus = section.values.get("gpu_limit")
    if gpus is not None and (isinstance(gpus, bool) or not isinstance(gpus, int) or gpus < 0):
        raise section.error("gpu_limit", f"is {gpus!r}", "it is a whole number, zero or more")
    cpus = section.values.get("cpu_limit")
    if cpus is None:
        return
    if isinstance(cpus, bool) or not isinstance(cpus, int | float) or not math.isfinite(cpus) or cpus <= 0:
        raise section.error("cpu_limit", f"is {cpus!r}", "it is a finite number above zero")


def _check_row_weight(block: Section) -> None:
    value = block.values.get("max_row_weight")
    if value is not None and row_weight(value) is None:
        raise block.error("max_row_weight", f"is {value!r}", "it is a size of at most 128M, such as 64M")


def required(operation: Operation, key: str) -> Any:
    """Return a setting that the operation cannot run without; raises `ConfigError` when it is absent."""
    value = operation.settings.get(key)
    if value is None or value == "" or value == []:
        raise operation.section.error(key, "is missing", f"an operation of kind {operation.kind} needs it")
    return value
