"""What stage code calls to run operations: `run_map`, `run_vanilla`, `run_map_reduce`, `run_reduce`, `run_sort`.

`operation_config` is an operation block of the stage's configuration, `self.config.client.operations.<name>`, or a
mapping of the same keys. Each raises `OperationFailed` when the operation fails and returns a true value otherwise,
so that both `if not run_map(…): raise` and ignoring the result are right. Whatever is wrong with the block raises a
`UsageError` before anything starts.
"""

from __future__ import annotations

from typing import Any, Literal, overload

from ytbuild.backends.base import OperationHandle, OperationResult
from ytbuild.run.operation_specs import Given
from ytbuild.run.stage import StageContext


@overload
def run_map(
    context: StageContext,
    operation_config: Any,
    output_schema: Any = None,
    mapper: Any = None,
    job: Any = None,
    *,
    sync: Literal[True] = True,
) -> OperationResult: ...
@overload
def run_map(
    context: StageContext,
    operation_config: Any,
    output_schema: Any = None,
    mapper: Any = None,
    job: Any = None,
    *,
    sync: Literal[False],
) -> OperationHandle: ...
def run_map(
    context: StageContext,
    operation_config: Any,
    output_schema: Any = None,
    mapper: Any = None,
    job: Any = None,
    *,
    sync: bool = True,
) -> OperationResult | OperationHandle:
    """Run a map.

    `job`, or `mapper`, is a command that bash runs in the sandbox instead of the stage's mapper; it finds
    `source.tar.gz` there, packed. With `sync=False` the operation is only started, and a handle is returned with
    `wait()`, `state` and `abort()`. On a cluster `job` may be a TypedJob, and `output_schema`, a list of columns or
    a `TableSchema`, is that of the output table; dev runs commands only, and does not check the schema.
    """
    given = Given({"map": _job("map", mapper=mapper, job=job)}, output_schema)
    return _launched(context, "map", operation_config, given, sync)


@overload
def run_vanilla(
    context: StageContext, operation_config: Any, job: Any = None, *, sync: Literal[True] = True
) -> OperationResult: ...
@overload
def run_vanilla(
    context: StageContext, operation_config: Any, job: Any = None, *, sync: Literal[False]
) -> OperationHandle: ...
def run_vanilla(
    context: StageContext, operation_config: Any, job: Any = None, *, sync: bool = True
) -> OperationResult | OperationHandle:
    """Run a vanilla operation; `job` and `sync` as in `run_map`."""
    return _launched(context, "vanilla", operation_config, Given({"vanilla": _job("vanilla", job=job)}), sync)


def run_map_reduce(
    context: StageContext,
    operation_config: Any,
    mapper: Any = None,
    reducer: Any = None,
    output_schema: Any = None,
    map_job: Any = None,
    reduce_job: Any = None,
) -> OperationResult:
    """Run a map_reduce.

    `map_job` (or `mapper`) and `reduce_job` (or `reducer`) are commands instead of the stage's scripts; with
    `tar_command_bootstrap: true` they are only placeholders, and the scripts run. Both legs must be of one kind:
    a command, or a script, beside a TypedJob raises `ValueError`.
    """
    jobs = {
        "mapper": _job("map_reduce", mapper=mapper, map_job=map_job),
        "reducer": _job("map_reduce", reducer=reducer, reduce_job=reduce_job),
    }
    _check_one_kind(jobs)
    given = Given({f"map_reduce_{leg}": job for leg, job in jobs.items()}, output_schema)
    return context.launcher.run(context, "map_reduce", operation_config, given)


def run_reduce(
    context: StageContext, operation_config: Any, reducer: Any = None, output_schema: Any = None, job: Any = None
) -> OperationResult:
    """Run a reduce; `job` (or `reducer`) is a command instead of the stage's reducer, as in `run_map_reduce`."""
    given = Given({"reduce": _job("reduce", reducer=reducer, job=job)}, output_schema)
    return context.launcher.run(context, "reduce", operation_config, given)


def run_sort(context: StageContext, operation_config: Any) -> OperationResult:
    """Sort a table in place."""
    return context.launcher.run(context, "sort", operation_config, Given())


def _launched(
    context: StageContext, kind: str, operation_config: Any, given: Given, sync: bool
) -> OperationResult | OperationHandle:
    launch = context.launcher.run if sync else context.launcher.start
    return launch(context, kind, operation_config, given)


def _one(kind: str, **given: Any) -> Any:
    """Return what one of several names of a leg was given; raises `ValueError` when two differ."""
    jobs = {name: value for name, value in given.items() if value is not None}
    values = list(jobs.values())
    if any(value != values[0] for value in values):
        raise ValueError(f"run_{kind}: {' and '.join(jobs)} name one leg, and their values differ: give one of them")
    return values[0] if values else None


def _check_one_kind(legs: dict[str, Any]) -> None:
    typed = [name for name, job in legs.items() if job is not None and not isinstance(job, str)]
    others = [name for name in legs if name not in typed]
    if typed and others:
        other = "runs the stage's script" if legs[others[0]] is None else "is a command"
        raise ValueError(
            f"run_map_reduce: the {others[0]} {other} and the {typed[0]} is a {_class_name(legs[typed[0]])}: "
            "both legs are commands, or both are TypedJobs"
        )


def _job(kind: str, **given: Any) -> Any:
    """Return a leg's command or TypedJob, None for the stage's own script; raises `TypeError` for anything else."""
    value = _one(kind, **given)
    if value is None or isinstance(value, str):
        return value
    names = {parent.__name__ for parent in (value if isinstance(value, type) else type(value)).__mro__}
    if "TypedJob" not in names:
        raise TypeError(f"run_{kind}: {', '.join(given)} is a command (text), not {type(value).__name__}")
    return value


def _class_name(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__
