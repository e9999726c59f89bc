"""Operation blocks become specs: every name, table and script is resolved, and checked, before anything runs."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ytbuild.backends.base import Backend, LegCommand, OperationSpec, bootstrap
from ytbuild.base.errors import ScriptError, StageError, UsageError
from ytbuild.base.text import quote
from ytbuild.config.checks import row_weight
from ytbuild.config.stage import Operation, StageConfig, file_paths, required
from ytbuild.graph.plan import Plan
from ytbuild.graph.rules import Leg, OperationRule
from ytbuild.graph.wrappers import Wrapper
from ytbuild.rows.row import DEFAULT_MAX_ROW_WEIGHT
from ytbuild.run import operation_settings as settings

_TABLES = ("input_table", "output_table")


@dataclass(frozen=True)
class Given:
    """What stage code gives beside the block: the legs' own commands or TypedJobs, and a schema for the output."""

    legs: Mapping[str, Any] = field(default_factory=dict)
    output_schema: Any = None


@dataclass(frozen=True)
class SpecResolver:
    """Makes the specs of operation blocks: those of one plan, for one backend, with these secrets."""

    plan: Plan
    backend: Backend
    secrets: Mapping[str, str]

    def declared(self, stage: StageConfig) -> list[OperationSpec]:
        """Return the specs of the operations that a stage declares, in their order.

        Raises a `UsageError` for whatever would not run: a missing setting, a missing script, a secret without a
        value.
        """
        if not stage.operations:
            raise StageError(
                f"the stage {stage.name!r} has nothing to run",
                f"write stages/{stage.name}/stage.py, or declare operations under client.operations in {stage.label}",
            )
        return [self.resolved(stage, operation) for operation in stage.operations]

    def declared_beside_code(self, stage: StageConfig) -> list[OperationSpec]:
        """Return the specs of the operations declared in a stage with a `stage.py`, as far as they are complete.

        The stage's code may add what is missing, or never run them, so nothing is an error here.
        """
        specs: list[OperationSpec] = []
        for operation in stage.operations:
            if operation.kind is not None:
                with contextlib.suppress(UsageError):
                    specs.append(self.resolved(stage, operation))
        return specs

    def resolved(self, stage: StageConfig, operation: Operation, given: Given | None = None) -> OperationSpec:
        """Return an operation's spec; raises a `UsageError` for whatever would not run."""
        if operation.kind is None:
            kinds = ", ".join(sorted(self.plan.rules.operations))
            raise operation.section.error("kind", "is missing", f"say what {operation.name} is: {kinds}")
        spec = self._spec(stage, operation, self.plan.rules.operations[operation.kind], given or Given())
        self.backend.check(spec, operation.section)
        return spec

    def ignored(self, stage: StageConfig) -> list[str]:
        """Return the settings of a stage's operations that the backend takes no notice of."""
        return [
            f"{operation.name}.{key}"
            for operation in stage.operations
            if operation.kind
            for key in self.backend.ignored_keys
            if operation.settings.get(key)
        ]

    def _spec(self, stage: StageConfig, operation: Operation, rule: OperationRule, given: Given) -> OperationSpec:
        tables = {key: settings.table(operation, key) for key in _TABLES if key in rule.keys}
        sort_by, reduce_by, descending = settings.columns(operation)
        environment, hidden = settings.environment(operation, self.secrets)
        return OperationSpec(
            stage=stage.name,
            name=operation.name,
            kind=rule.kind,
            legs=tuple(self._leg(stage, operation, leg, given.legs.get(leg.name)) for leg in rule.legs),
            input_table=tables.get("input_table"),
            output_table=tables.get("output_table"),
            sort_by=sort_by,
            reduce_by=reduce_by,
            append=operation.settings.get("append") is True,
            environment=environment,
            secret_names=hidden,
            files=file_paths(operation),
            max_failed_job_count=int(operation.settings.get("max_failed_job_count") or 1),
            max_row_weight=row_weight(operation.settings.get("max_row_weight")) or DEFAULT_MAX_ROW_WEIGHT,
            job_time_limit=settings.seconds(operation, "job_time_limit"),
            time_limit=settings.seconds(operation, "time_limit"),
            query=str(required(operation, "query")) if "query" in rule.keys else None,
            descending=descending,
            public_names=settings.public_names(operation, hidden),
            resources=settings.resources(operation),
            docker_auth=settings.docker_auth(operation, self.secrets),
            secure_vault=settings.secure_vault(operation),
            description=operation.settings.get("operation_description"),
            output_schema=given.output_schema,
            passed_on=settings.passed_on(operation, rule),
        )

    def _leg(self, stage: StageConfig, operation: Operation, leg: Leg, given: Any) -> LegCommand:
        """Return a leg's command: the one that stage code gave, or the start of its wrapper."""
        jobs = self.backend.job_count(leg.name, settings.asked_jobs(operation, leg.name))
        if given is not None and not isinstance(given, str):
            return LegCommand(leg.name, "", jobs, typed_job=given)
        if given is None or operation.settings.get("tar_command_bootstrap") is True:
            given = bootstrap(_wrapper(self.plan, stage, operation, leg).arcname)
        return LegCommand(leg.name, given, jobs)


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
        f"{stage.label}: the operation {operation.name} has no script for its leg {leg.name}",
        f"create stages/{stage.name}/src/{leg.scripts[0]}, or name another one with {leg.setting}:",
    )
