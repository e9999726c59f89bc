"""What each type of operation does with its inputs."""

from __future__ import annotations

import zlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from typing import Any

from tests.cluster.errors import generic
from tests.cluster.operations import inputs, sandbox
from tests.cluster.operations import spec as specs
from tests.cluster.operations.model import Operation, new_job
from tests.cluster.operations.runner import JobInput, JobRunner, Outputs, Task
from tests.cluster.operations.streams import Control, InputRow
from tests.cluster.operations.weights import row_weight
from tests.cluster.ordering import Keys, row_key, sort_columns, value_order
from tests.cluster.paths import RichPath
from tests.cluster.schema import Schema
from tests.cluster.state import State


@dataclass(frozen=True)
class Prepared:
    """An operation that may start: where its rows go, and how they come about."""

    outputs: list[RichPath]
    run: Callable[[JobRunner], Awaitable[Outputs]]


@dataclass
class Start:
    """What the types of operations need to prepare themselves. All reading happens here, at the start."""

    state: State
    operation: Operation
    paths: list[Any] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.spec = self.operation.spec
        if self.operation.type != "vanilla":
            self.paths = specs.paths(self.spec, "input_table_paths")

    @cached_property
    def tables(self) -> list[list[InputRow]]:
        """The rows of each input table."""
        return [inputs.read_table(self.state, self.operation, path, index) for index, path in enumerate(self.paths)]

    @cached_property
    def rows(self) -> list[InputRow]:
        """The rows of all input tables."""
        return [row for table in self.tables for row in table]

    def outputs(self) -> list[RichPath]:
        """The output tables."""
        return [RichPath.of(path) for path in specs.paths(self.spec, "output_table_paths")]

    def output(self) -> RichPath:
        """The only output table."""
        return RichPath.of(specs.required(self.spec, "output_table_path"))

    def task(
        self,
        kind: str,
        user_job: specs.UserJob,
        job_io: dict[str, Any],
        outputs: Sequence[RichPath | None],
        tables: int,
    ) -> Task:
        """Jobs that run a command; `tables` is how many tables it reads, None an output without a table."""
        table_index = user_job.table_index if user_job.table_index is not None else tables != 1
        return Task(
            name=user_job.name if kind == "vanilla" else kind,
            kind=kind,
            user_job=user_job,
            artifacts=sandbox.take_files(self.state, self.operation, user_job),
            outputs=len(outputs),
            control=Control.of(job_io.get("control_attributes") or {}, table_index),
            max_row_weight=specs.row_weight_limit({"job_io": job_io}, "job_io"),
            sorted_by=[self._sorted_by(path) for path in outputs],
            schemas=[self.output_schema(path) for path in outputs],
        )

    def output_schema(self, path: RichPath | None) -> Schema:
        """What the rows of an output must look like."""
        if path is not None and "schema" in path.attributes:
            return Schema.parse(path.attributes["schema"])
        tx = self.operation.output_transaction
        node = self.state.tree.locate(path, tx).target if path is not None else None
        return inputs.schema_of(self.state, path, tx) if path is not None and node is not None else Schema()

    def _sorted_by(self, path: RichPath | None) -> Keys:
        if path is not None and path.attributes.get("sorted_by"):
            return sort_columns(path.attributes["sorted_by"])
        schema = self.output_schema(path)
        return schema.sorted_by if schema.mode == "strong" else []

    def weight_per_job(self, *keys: str) -> int | None:
        """The first of these keys that the spec has."""
        return next((specs.integer(self.spec, key, 0) for key in keys if self.spec.get(key)), None)

    def note_job(self, kind: str) -> None:
        """A job without a command, for the counts of jobs."""
        now = self.state.clock.now()
        self.operation.planned_jobs += 1
        job = new_job(self.operation, kind, kind, 0, now)
        job.state, job.finish_time = "completed", now


def _joined(jobs: Sequence[Outputs], count: int) -> Outputs:
    """The outputs of all jobs, in the order of the jobs."""
    return [[row for job in jobs for row in job[index]] for index in range(count)]


def _map(start: Start) -> Prepared:
    outputs = start.outputs()
    kind = "ordered_map" if start.spec.get("ordered") else "map"
    mapper = specs.user_job(start.spec, "mapper")
    task = start.task(kind, mapper, start.spec.get("job_io") or {}, outputs, len(start.paths))
    weight = start.weight_per_job("data_weight_per_job", "data_size_per_job")
    jobs = inputs.split([[row] for row in start.rows], specs.integer(start.spec, "job_count", 0), weight)

    async def run(runner: JobRunner) -> Outputs:
        return _joined(await runner.run(task, jobs), len(outputs))

    return Prepared(outputs, run)


def _keys(start: Start) -> tuple[Keys, Keys]:
    """reduce_by and sort_by."""
    reduce_by = specs.columns(start.spec, "reduce_by")
    sort_by = sort_columns(start.spec.get("sort_by") or start.spec["reduce_by"])
    if [name for name, _ in sort_by[: len(reduce_by)]] != [name for name, _ in reduce_by]:
        raise generic("reduce_by must be a prefix of sort_by")
    return sort_by[: len(reduce_by)], sort_by


def _reduce(start: Start) -> Prepared:
    reduce_by, sort_by = _keys(start)
    outputs = start.outputs()
    tables = start.tables
    for path in start.paths:
        inputs.check_sorted(start.state, start.operation, path, sort_by)
    reducer = specs.user_job(start.spec, "reducer")
    task = start.task("sorted_reduce", reducer, start.spec.get("job_io") or {}, outputs, len(start.paths))
    groups = list(inputs.groups(inputs.merge_sorted(tables, sort_by), reduce_by))
    if start.spec.get("enable_key_guarantee") is False:
        groups = [[row] for group in groups for row in group]
    weight = start.weight_per_job("data_weight_per_job", "data_size_per_job")
    jobs = inputs.split(groups, specs.integer(start.spec, "job_count", 0), weight)

    async def run(runner: JobRunner) -> Outputs:
        return _joined(await runner.run(task, jobs), len(outputs))

    return Prepared(outputs, run)


def _map_reduce(start: Start) -> Prepared:
    specs.check_names(start.spec, "reduce_by")
    reduce_by, sort_by = _keys(start)
    outputs = start.outputs()
    direct = specs.integer(start.spec, "mapper_output_table_count", 0)
    rows = start.rows
    mapper, streams, jobs = None, len(start.paths), []
    if start.spec.get("mapper") is not None:
        user_job = specs.user_job(start.spec, "mapper")
        streams = max(1, len(user_job.raw.get("output_streams") or []))
        mapper_outputs = [*[None] * streams, *outputs[:direct]]
        job_io = start.spec.get("map_job_io") or {}
        mapper = start.task("partition_map", user_job, job_io, mapper_outputs, len(start.paths))
        weight = start.weight_per_job("data_weight_per_map_job", "data_size_per_map_job")
        jobs = inputs.split([[row] for row in rows], specs.integer(start.spec, "map_job_count", 0), weight)
    reduce_io = start.spec.get("reduce_job_io") or {}
    reducer = start.task(
        "partition_reduce", specs.user_job(start.spec, "reducer"), reduce_io, outputs[direct:], streams
    )

    async def run(runner: JobRunner) -> Outputs:
        intermediate, written = rows, []
        if mapper is not None:
            mapped = _joined(await runner.run(mapper, jobs), streams + direct)
            intermediate = [InputRow(row, stream) for stream in range(streams) for row in mapped[stream]]
            written = mapped[streams:]
        partitions = _partitions(start, intermediate, reduce_by, sort_by)
        return [*written, *_joined(await runner.run(reducer, partitions), len(outputs) - direct)]

    return Prepared(outputs, run)


def _partitions(start: Start, rows: Sequence[InputRow], reduce_by: Keys, sort_by: Keys) -> list[JobInput]:
    """The input of each reduce job: sorted, with all rows of a key in the same one."""
    size = start.weight_per_job("partition_data_weight", "partition_data_size", "data_size_per_reduce_job")
    by_size = -(-sum(row_weight(each.row) for each in rows) // size) if size else 1
    count = max(1, specs.integer(start.spec, "partition_count", 0) or by_size)
    partitions: list[list[InputRow]] = [[] for _ in range(count)]
    for each in sorted(rows, key=lambda each: row_key(each.row, sort_by)):
        key = repr([value_order(each.row.get(name)) for name, _ in reduce_by]).encode()
        partitions[zlib.crc32(key) % count].append(each)
    return [
        JobInput([each for group in inputs.groups(partition, reduce_by) for each in group])
        for partition in partitions
        if partition
    ]


def _sort(start: Start) -> Prepared:
    by = specs.columns(start.spec, "sort_by")
    rows = start.rows

    async def run(runner: JobRunner) -> Outputs:
        if rows:
            start.note_job("simple_sort")
        return [sorted((each.row for each in rows), key=lambda row: row_key(row, by))]

    return Prepared([_inferred(start, start.output(), by)], run)


def _inferred(start: Start, output: RichPath, by: Keys) -> RichPath:
    """Where sort and merge write: their output takes its schema from the inputs unless it has a strong one."""
    written = [{"name": name, "sort_order": "descending"} if down else name for name, down in by]
    attributes = {**output.attributes, **({"sorted_by": written} if by else {})}
    schema = start.output_schema(output)
    if schema.mode == "weak":
        schemas = {_input_schema(start, RichPath.of(path)) for path in start.paths}
        schema = schemas.pop() if len(schemas) == 1 else Schema()
    if schema.mode == "strong" and not output.flag("append"):
        attributes["schema"] = replace(schema.sorted(by), unique_keys=False).attributes()["schema"]
    return RichPath(output.text, attributes)


def _input_schema(start: Start, path: RichPath) -> Schema:
    tx = path.attributes.get("transaction_id", start.operation.input_transaction)
    changed = {"columns", "rename_columns"} & path.attributes.keys()
    return Schema() if changed else inputs.schema_of(start.state, path, tx)


def _merge(start: Start) -> Prepared:
    mode = start.spec.get("mode", "unordered")
    if mode not in ("unordered", "ordered", "sorted"):
        raise specs.bad_spec(f'Error reading parameter "/mode": enum value "{mode}" is not known')
    rows, by = start.rows, []
    if mode == "sorted":
        by = _merge_by(start)
        for path in start.paths:
            inputs.check_sorted(start.state, start.operation, path, by)
        rows = inputs.merge_sorted(start.tables, by)

    async def run(runner: JobRunner) -> Outputs:
        if rows:
            start.note_job(f"{mode}_merge")
        return [[each.row for each in rows]]

    return Prepared([_inferred(start, start.output(), by)], run)


def _merge_by(start: Start) -> Keys:
    """merge_by, or all the sort columns that the inputs have in common."""
    if start.spec.get("merge_by"):
        return specs.columns(start.spec, "merge_by")
    found = [_input_schema(start, RichPath(RichPath.of(path).text)).sorted_by for path in start.paths]
    common = [first for first, *others in zip(*found, strict=False) if all(other == first for other in others)]
    if not common:
        raise generic("Input tables have no common sort columns, and merge_by is not given")
    return common


def _vanilla(start: Start) -> Prepared:
    described = specs.required(start.spec, "tasks")
    outputs: list[RichPath] = []
    planned: list[tuple[Task, list[JobInput]]] = []
    for name, raw in described.items():
        tables = [RichPath.of(path) for path in raw.get("output_table_paths") or []]
        user_job = specs.user_job(described, name, "/tasks")
        specs.required(raw, "job_count", f"/tasks/{name}")
        task = start.task("vanilla", user_job, raw.get("job_io") or {}, tables, 0)
        planned.append((task, [JobInput() for _ in range(specs.integer(raw, "job_count", 0))]))
        outputs += tables

    async def run(runner: JobRunner) -> Outputs:
        done = await runner.run_all(planned)
        return [rows for (task, _), jobs in zip(planned, done, strict=True) for rows in _joined(jobs, task.outputs)]

    return Prepared(outputs, run)


KINDS: dict[str, Callable[[Start], Prepared]] = {
    "map": _map,
    "reduce": _reduce,
    "map_reduce": _map_reduce,
    "sort": _sort,
    "merge": _merge,
    "vanilla": _vanilla,
}
