"""What dev says of itself: what it cannot run, and what an operation would be there."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ytbuild.backends.base import Backend, OperationSpec
from ytbuild.base.errors import QueryError, TypedJobError
from ytbuild.base.text import plural
from ytbuild.config.cypress_path import HINT, parse

if TYPE_CHECKING:
    from ytbuild.config.checks import Section
    from ytbuild.config.pipeline import PipelineConfig

_REDUCERS = ("map_reduce_reducer", "reduce")
_NOT_PLAIN = "dev has no attributes, columns and ranges"


class DevBackend(Backend):
    """This machine."""

    name = "dev"
    ignored_keys = ("checkpoint", "tokenizer_artifact", "input_query", "join_by", "pivot_keys")

    def check(self, spec: OperationSpec, block: Section) -> None:
        """Raise a `UsageError` for TypedJobs, paths that are not plain, descending keys, and odd queries."""
        self._check_jobs(spec)
        for key, path in (("input_table", spec.input_table), ("output_table", spec.output_table)):
            if path is not None and not parse(path).is_plain:
                raise block.error(key, f"is {path!r}: {_NOT_PLAIN}", HINT)
        for path, _ in spec.files:
            if not parse(path).is_plain:
                raise block.error("file_paths", f"has {path!r}: {_NOT_PLAIN}", HINT)
        if spec.descending:
            problem = f"sorts the column {spec.descending[0]!r} downwards"
            raise block.error("sort_by", problem, "dev sorts ascending: name it only")
        if spec.query is not None:
            self._check_query(spec.query, block)

    def job_count(self, leg: str, asked: int | None) -> int:
        """Return what is asked for; a reducer gets one job, so that no group is cut."""
        return 1 if leg in _REDUCERS else asked or 1

    def unchecked(self, spec: OperationSpec) -> list[str]:
        """Return that nobody checks a schema here."""
        return ["dev does not check output_schema"] if spec.output_schema is not None else []

    def archive(self, config: PipelineConfig, key: str) -> None:
        """Return None: the archive lies in `.build`."""

    def described(self, spec: OperationSpec, archive: str | None) -> list[str]:
        """Return everything but the values of variables."""
        lines = [f"  {spec.name} ({spec.kind})"]
        details = {
            "input": spec.input_table,
            "output": spec.output_table and spec.output_table + (" (append)" if spec.append else ""),
            "reduce by": ", ".join(spec.reduce_by),
            "sort by": ", ".join(spec.sort_by),
            "query": spec.query and " ".join(spec.query.split()),
        }
        lines += [f"    {name}: {value}" for name, value in details.items() if value]
        lines += [f"    {leg.leg}: {plural(leg.job_count, 'job')}: {leg.command}" for leg in spec.legs]
        lines += [f"    file: {path} as {local}" for path, local in spec.files]
        names = [f"{name} (secret)" if name in spec.secret_names else name for name in sorted(spec.environment)]
        return lines + ([f"    env: {', '.join(names)}"] if names else [])

    @staticmethod
    def _check_jobs(spec: OperationSpec) -> None:
        for leg in spec.legs:
            if leg.typed_job is not None:
                job = leg.typed_job if isinstance(leg.typed_job, type) else type(leg.typed_job)
                raise TypedJobError(
                    f"stage {spec.stage}: run_{spec.kind} was given {job.__name__}, a TypedJob, and dev runs "
                    "commands only: a TypedJob is pickled for the cluster's client",
                    "put the code into a script under src/ that reads and writes JSON lines, or run in prod",
                )

    @staticmethod
    def _check_query(query: str, block: Section) -> None:
        from ytbuild.yql.duckdb.engine import check_query

        try:
            check_query(query)
        except QueryError as error:
            raise block.error("query", f"cannot run in dev: {error.message}", error.hint) from None
