"""What a cluster gets to start an operation, from our own values; the official builders then only fill it in.

`rendered` needs no cluster: the client's builders create output tables while they build, which no dry run may do.
YTsaurus docs, "Operation settings": https://ytsaurus.tech/docs/en/user-guide/data-processing/operations/overview
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ytbuild.backends.base import LegCommand, OperationSpec
from ytbuild.backends.prod import secure_vault
from ytbuild.base.mappings import merged
from ytbuild.cluster.yson import plain, rich, rich_path
from ytbuild.config.stage import ARCHIVE_NAME
from ytbuild.rows.row import DEFAULT_MAX_ROW_WEIGHT

_JOB_IO = {
    "map": ("job_io",),
    "reduce": ("job_io",),
    "map_reduce": ("map_job_io", "sort_job_io", "reduce_job_io"),
    "sort": ("partition_job_io", "sort_job_io", "merge_job_io"),
    "vanilla": (),
}
"""The sections that say how the jobs of a kind write tables."""

_FORMAT = rich("json", encode_utf8=False)

# Not keys of a spec: `spec` is a patch of all of it, and the other goes into the vault.
_NO_KEYS = ("spec", "secure_vault_variable")


def rendered(spec: OperationSpec, archive: str | None, *, mask: bool = False) -> dict[str, Any]:
    """Return the parameters of the request that starts an operation, in plain values (`cluster/yson.py`).

    `archive` is the Cypress path of the code, if there is any. With `mask` the values of the secure vault are hidden,
    so that the whole may be shown. A query has `engine`, `query` and `settings` instead.
    """
    if spec.kind == "yql":
        return {"engine": "yql", "query": query_text(spec), "settings": {"pool": spec.resources.pool}}
    entries = secure_vault.entries(spec)
    names = secure_vault.promoted(entries)
    body = _common(spec) | _OF_KIND[spec.kind](spec, [_job(spec, leg, archive, names) for leg in spec.legs])
    if spec.max_row_weight:
        weight = {"table_writer": {"max_row_weight": spec.max_row_weight}}
        body |= dict.fromkeys(_JOB_IO[spec.kind], weight)
    body = merged(body, {key: plain(value) for key, value in spec.passed_on.items() if key not in _NO_KEYS})
    body = merged(body, plain(spec.passed_on.get("spec") or {}))
    if entries:
        body["secure_vault"] = secure_vault.masked(entries) if mask else plain(entries)
    return {"operation_type": spec.kind, "spec": body}


def query_text(spec: OperationSpec) -> str:
    """Return the text of a query operation; a `max_row_weight` of the block's goes into it as a pragma."""
    assert spec.query is not None
    if spec.max_row_weight == DEFAULT_MAX_ROW_WEIGHT:
        return spec.query
    return with_row_weight(spec.query, str(spec.max_row_weight))


def with_row_weight(query: str, weight: str) -> str:
    """Return a query that may write rows of this weight; one that says itself how long they may be stays as it is."""
    if "yt.maxrowweight" in query.lower():
        return query
    return f'PRAGMA yt.MaxRowWeight = "{weight}";\n{query}'


def _common(spec: OperationSpec) -> dict[str, Any]:
    resources = spec.resources
    common: dict[str, Any] = {
        "title": spec.label,
        "pool": resources.pool,
        # The official client publishes the whole command line here; over its list it takes no shorter one.
        "started_by": {"command": "ytbuild"},
    }
    if resources.pool_tree:
        common["pool_trees"] = [resources.pool_tree]
    if resources.user_slots is not None:
        common["resource_limits"] = {"user_slots": resources.user_slots}
    if spec.kind != "sort":
        common["max_failed_job_count"] = spec.max_failed_job_count
    if spec.time_limit is not None:
        common["time_limit"] = round(spec.time_limit * 1000)
    if isinstance(spec.description, Mapping):
        common["description"] = plain(spec.description)
    elif spec.description is not None:
        common["title"] = str(spec.description)
    return common


def _job(spec: OperationSpec, leg: LegCommand, archive: str | None, names: tuple[str, ...]) -> dict[str, Any]:
    """Return what a leg's jobs run, with which files, variables and limits."""
    resources = spec.resources
    files = [(archive, ARCHIVE_NAME), *spec.files] if archive else spec.files
    job: dict[str, Any] = {
        "command": secure_vault.command(leg.command, names) if leg.typed_job is None else _shown_job(leg.typed_job),
        "file_paths": [rich_path(path, file_name=name) for path, name in files],
        "environment": secure_vault.public_environment(spec),
        "memory_limit": resources.memory_limit,
        "cpu_limit": resources.cpu_limit,
        "gpu_limit": resources.gpu_limit,
    }
    if spec.kind == "vanilla":
        # It has no table to write to, and what it prints would be lost.
        job["redirect_stdout_to_stderr"] = True
    elif leg.typed_job is None:
        job |= {"input_format": _FORMAT, "output_format": _FORMAT}
    if resources.docker_image:
        job["docker_image"] = resources.docker_image
    if spec.job_time_limit is not None:
        job["job_time_limit"] = round(spec.job_time_limit * 1000)
    return job


def _shown_job(job: Any) -> str:
    """Return what stands for a TypedJob's command: the client makes it when it pickles the job."""
    kind = job if isinstance(job, type) or hasattr(job, "__qualname__") else type(job)
    return f"<TypedJob {kind.__module__}.{kind.__qualname__}>"


def _of_map(spec: OperationSpec, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    return _tables(spec) | _counted("job_count", spec.legs[0]) | {"mapper": jobs[0]}


def _of_reduce(spec: OperationSpec, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    return _tables(spec) | _keys(spec) | _counted("job_count", spec.legs[0]) | {"reducer": jobs[0]}


def _of_map_reduce(spec: OperationSpec, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    counted = _counted("map_job_count", spec.legs[0])
    # Unlike reduce's, which has sort columns, its reduce_by is a list of names: TMapReduceOperationSpec in YTsaurus.
    keys = _keys(spec) | {"reduce_by": list(spec.reduce_by)}
    return _tables(spec) | keys | counted | {"mapper": jobs[0], "reducer": jobs[1]}


def _of_sort(spec: OperationSpec, _: list[dict[str, Any]]) -> dict[str, Any]:
    return {
        "input_table_paths": [spec.input_table],
        "output_table_path": spec.input_table,
        "sort_by": _columns(spec, spec.sort_by),
    }


def _of_vanilla(spec: OperationSpec, jobs: list[dict[str, Any]]) -> dict[str, Any]:
    return {"tasks": {spec.stage: jobs[0] | {"job_count": max(spec.legs[0].job_count, 1)}}}


_OF_KIND: dict[str, Callable[[OperationSpec, list[dict[str, Any]]], dict[str, Any]]] = {
    "map": _of_map,
    "reduce": _of_reduce,
    "map_reduce": _of_map_reduce,
    "sort": _of_sort,
    "vanilla": _of_vanilla,
}


def _tables(spec: OperationSpec) -> dict[str, Any]:
    """Return the tables of an operation.

    The cluster itself creates an output table that does not exist, inside the operation's transaction: one that does
    not succeed leaves no empty table behind.
    """
    assert spec.input_table is not None and spec.output_table is not None
    attributes: dict[str, Any] = {"create": True}
    if spec.append:
        attributes["append"] = True
    if spec.output_schema is not None:
        attributes["schema"] = plain(spec.output_schema)
    return {
        "input_table_paths": [rich_path(spec.input_table)],
        "output_table_paths": [rich_path(spec.output_table, **attributes)],
    }


def _keys(spec: OperationSpec) -> dict[str, Any]:
    return {
        "reduce_by": _columns(spec, spec.reduce_by),
        "sort_by": _columns(spec, spec.sort_by or spec.reduce_by),
    }


def _columns(spec: OperationSpec, names: tuple[str, ...]) -> list[Any]:
    return [{"name": name, "sort_order": "descending"} if name in spec.descending else name for name in names]


def _counted(key: str, leg: LegCommand) -> dict[str, int]:
    """Return the number of a leg's jobs; zero leaves it to the cluster."""
    return {key: leg.job_count} if leg.job_count > 0 else {}
