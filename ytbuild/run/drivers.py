"""What stage code calls to run operations: `run_map`, `run_vanilla`, `run_map_reduce`, `run_reduce`, `run_sort`.

`operation_config` is an operation block of the stage's configuration, `self.config.client.operations.<name>`, or a
mapping of the same keys. Each raises `OperationFailed` when the operation fails and returns a true value otherwise,
so that both `if not run_map(…): raise` and ignoring the result are right. Whatever is wrong with the block raises a
`UsageError` before anything starts.
"""

from __future__ import annotations

from typing import Any, Literal, overload

from ytbuild.clients.base import OperationHandle, OperationResult
from ytbuild.errors import TypedJobError
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
    `wait()`, `state` and `abort()`. Dev does not check `output_schema`.
    """
    _say_unchecked(context, output_schema)
    commands = {"map": _command(context, "map", mapper=mapper, job=job)}
    return _launched(context, "map", operation_config, commands, sync)


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
    commands = {"vanilla": _command(context, "vanilla", job=job)}
    return _launched(context, "vanilla", operation_config, commands, sync)


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
    a command beside a TypedJob raises `ValueError`.
    """
    _say_unchecked(context, output_schema)
    _check_one_kind(
        mapper=_one("map_reduce", mapper=mapper, map_job=map_job),
        reducer=_one("map_reduce", reducer=reducer, reduce_job=reduce_job),
    )
    commands = {
        "map_reduce_mapper": _command(context, "map_reduce", mapper=mapper, map_job=map_job),
        "map_reduce_reducer": _command(context, "map_reduce", reducer=reducer, reduce_job=reduce_job),
    }
    return context.launcher.run(context, "map_reduce", operation_config, commands)


def run_reduce(
    context: StageContext, operation_config: Any, reducer: Any = None, output_schema: Any = None, job: Any = None
) -> OperationResult:
    """Run a reduce; `job` (or `reducer`) is a command instead of the stage's reducer, as in `run_map_reduce`."""
    _say_unchecked(context, output_schema)
    commands = {"reduce": _command(context, "reduce", reducer=reducer, job=job)}
    return context.launcher.run(context, "reduce", operation_config, commands)


def run_sort(context: StageContext, operation_config: Any) -> OperationResult:
    """Sort a table in place."""
    return context.launcher.run(context, "sort", operation_config, {})


def _launched(
    context: StageContext, kind: str, operation_config: Any, commands: dict[str, str | None], sync: bool
) -> OperationResult | OperationHandle:
    launch = context.launcher.run if sync else context.launcher.start
    return launch(context, kind, operation_config, commands)


def _one(kind: str, **given: Any) -> Any:
    """Return what one of several names of a leg was given; raises `ValueError` when two differ."""
    found = {name: value for name, value in given.items() if value is not None}
    values = list(found.values())
    if any(value != values[0] for value in values):
        raise ValueError(f"run_{kind}: {' and '.join(found)} name one leg, and their values differ: give one of them")
    return values[0] if values else None


def _check_one_kind(**legs: Any) -> None:
    kinds = {name: isinstance(value, str) for name, value in legs.items() if value is not None}
    if len(set(kinds.values())) > 1:
        command, job = sorted(kinds, key=lambda name: not kinds[name])
        raise ValueError(
            f"run_map_reduce: the {command} is a command and the {job} a {type(legs[job]).__name__}: "
            "both legs are commands, or both are TypedJobs"
        )


def _command(context: StageContext, kind: str, **given: Any) -> str | None:
    """Return a leg's command, None for the stage's own script."""
    value = _one(kind, **given)
    if value is None or isinstance(value, str):
        return value
    names = {parent.__name__ for parent in (value if isinstance(value, type) else type(value)).__mro__}
    if "TypedJob" not in names:
        raise TypeError(f"run_{kind}: {', '.join(given)} is a command (text), not {type(value).__name__}")
    raise TypedJobError(
        f"stage {context.name}: run_{kind} was given {_class_name(value)}, a TypedJob, and dev runs commands only: "
        "a TypedJob is pickled for the cluster's client",
        "put the code into a script under src/ that reads and writes JSON lines, or run in prod",
    )


def _class_name(value: Any) -> str:
    return value.__name__ if isinstance(value, type) else type(value).__name__


def _say_unchecked(context: StageContext, output_schema: Any) -> None:
    if output_schema is not None:
        context.logger.debug("dev does not check output_schema")
