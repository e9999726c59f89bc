"""Rendered specs in the official client's builders, which make TypedJobs' commands and formats."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ytbuild.backends.base import OperationSpec
from ytbuild.backends.prod import secure_vault, typed_job
from ytbuild.backends.prod.spec import rendered
from ytbuild.cluster import yson

_SECTIONS = {"map": ("mapper",), "reduce": ("reducer",), "map_reduce": ("mapper", "reducer"), "sort": ()}


def build(spec: OperationSpec, archive: str | None, client: Any) -> Any:
    """Return the official builder of an operation, filled in: `builder.build(client)` gives the spec to send.

    `archive` is the Cypress path of the code, if there is any. `client` is asked for nothing here, only when the
    builder builds. Raises `TypedJobError` when a leg is a TypedJob and the packages that it needs are not there.
    """
    body = yson.typed(rendered(spec, archive)["spec"])
    builder = _builder_class(spec.kind)()
    jobs = body.pop("tasks", {}) if spec.kind == "vanilla" else {}
    jobs |= {name: body.pop(name) for name in _SECTIONS.get(spec.kind, ())}
    for (name, job), leg in zip(jobs.items(), _legs(spec, jobs), strict=True):
        if leg is not None and leg.typed_job is not None:
            job["command"] = typed_job.shipped(spec, leg, client.config["pickling"]["framework"])
        if leg is not None and secure_vault.ALLOW_REQUESTS not in spec.environment:
            # The client sets it, as its own configuration says.
            del job["environment"][secure_vault.ALLOW_REQUESTS]
        _add_job(builder, spec.kind, name, job)
    return _filled(builder, body)


def _add_job(builder: Any, kind: str, name: str, job: Mapping[str, Any]) -> None:
    if kind == "vanilla":
        _filled(builder.begin_task(name), job).end_task()
    else:
        begun = getattr(builder, f"begin_{name}")()
        getattr(_filled(begun, job), f"end_{name}")()


def _legs(spec: OperationSpec, jobs: Mapping[str, Any]) -> list[Any]:
    """Return the leg of each job section; None for a task that only the user's patch knows."""
    if spec.kind != "vanilla":
        return list(spec.legs)
    return [spec.legs[0] if name == spec.stage else None for name in jobs]


def _filled(builder: Any, values: Mapping[str, Any]) -> Any:
    """Give a builder its values: by its methods, and what it has none for as a patch."""
    rest: dict[str, Any] = {}
    for key, value in values.items():
        method: Any = getattr(builder, key, None)
        if getattr(method, "is_spec_method", False):
            method(value)
        else:
            rest[key] = value
    return builder.spec(rest) if rest else builder


def _builder_class(kind: str) -> type[Any]:
    from yt.wrapper import spec_builders

    names = {
        "map": "MapSpecBuilder",
        "reduce": "ReduceSpecBuilder",
        "map_reduce": "MapReduceSpecBuilder",
        "sort": "SortSpecBuilder",
        "vanilla": "VanillaSpecBuilder",
    }
    official = getattr(spec_builders, names[kind])
    return type(names[kind], (_WithoutCreation, official), {})


class _WithoutCreation:
    """Keeps an official builder from creating output tables, which the cluster does when the operation starts.

    If a later client no longer calls this, the tables are created early, as the client has it.
    """

    def _prepare_tables(self, spec: dict[str, Any], **options: Any) -> None:
        from yt.wrapper import TablePath

        paths = spec.pop("output_table_paths", None)
        super()._prepare_tables(spec, **options)  # type: ignore[misc]
        if paths is not None:
            spec["output_table_paths"] = paths
            tables = [TablePath(path, client=options.get("client")) for path in paths]
            self._set_tables(spec, None, tables)  # type: ignore[attr-defined]
