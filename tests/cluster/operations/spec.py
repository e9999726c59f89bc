"""What a spec says about its user jobs, with the checks that the cluster makes before it starts anything."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from tests.cluster.errors import ClusterError, generic
from tests.cluster.formats import format_name
from tests.cluster.operations.keys import BY_TYPE, NOT_MODELLED
from tests.cluster.ordering import Keys, sort_columns

FORMATS = ("yson", "json", "skiff")
DEFAULT_STDERR_SIZE = 5 * 1024 * 1024
DEFAULT_ROW_WEIGHT = 16 * 1024 * 1024
MAX_ROW_WEIGHT = 128 * 1024 * 1024
DEFAULT_MAX_FAILED_JOBS = 10
DEFAULT_MAX_STDERRS = 10
MIN_JOB_TIME_LIMIT = 1000
JOB_IO_KEYS = ("job_io", "map_job_io", "sort_job_io", "reduce_job_io", "partition_job_io", "merge_job_io")


@dataclass(frozen=True)
class UserJob:
    """The part of a spec that describes one command."""

    name: str
    command: str
    files: list[Any]
    input_format: Any
    output_format: Any
    environment: dict[str, str]
    redirect_stdout: bool
    table_index: bool | None
    copy_files: bool
    tmpfs_path: str | None
    time_limit: float | None
    stderr_limit: int
    raw: dict[str, Any] = field(repr=False)


UNREADABLE = "Error parsing operation spec"


def bad_spec(message: str) -> ClusterError:
    """A spec that the cluster cannot read."""
    return ClusterError(1, UNREADABLE, None, [generic(message)])


def is_unreadable(error: ClusterError) -> bool:
    """Whether an error is about the spec as such, or about what the stand-in lacks, and not about what it names."""
    return error.message == UNREADABLE or "stand-in" in error.message


def check(kind: str, spec: Any) -> None:
    """Refuse what the cluster would refuse, and what the stand-in cannot do."""
    if kind not in BY_TYPE:
        raise generic(f'Operation type "{kind}" is not modelled by the stand-in')
    if not isinstance(spec, dict):
        raise bad_spec("Spec must be a map")
    for key in sorted(NOT_MODELLED & spec.keys()):
        if spec[key]:
            raise generic(f'The stand-in does not model "{key}" of a spec')
    vault = spec.get("secure_vault", {})
    if not isinstance(vault, dict):
        raise bad_spec("/secure_vault has invalid type: expected map")
    alias = spec.get("alias")
    if alias is not None and not alias.startswith("*"):
        raise bad_spec('Operation alias should start with "*"')
    for key in ("time_limit", "max_failed_job_count", "max_stderr_count", "job_count", "map_job_count"):
        integer(spec, key, 0)
    for key in JOB_IO_KEYS:
        row_weight_limit(spec, key)


def integer(spec: dict[str, Any], key: str, default: int) -> int:
    """A number of a spec that must not be negative."""
    value = spec.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int):
        raise bad_spec(f'Error reading parameter "/{key}": cannot parse "i64" from {value!r}')
    if value < 0:
        raise bad_spec(f"Validation failed at /{key}: expected >= 0, found {value}")
    return value


def row_weight_limit(spec: dict[str, Any], job_io: str) -> int:
    """The largest row that a job may write."""
    writer = (spec.get(job_io) or {}).get("table_writer") or {}
    limit = integer(writer, "max_row_weight", DEFAULT_ROW_WEIGHT)
    if limit > MAX_ROW_WEIGHT:
        where = f"/{job_io}/table_writer/max_row_weight"
        raise bad_spec(f"Validation failed at {where}: expected <= {MAX_ROW_WEIGHT}, found {limit}")
    return limit


def required(spec: dict[str, Any], key: str, where: str = "") -> Any:
    """A value that a spec must have."""
    if spec.get(key) is None:
        raise bad_spec(f"Missing required parameter {where}/{key}")
    return spec[key]


def paths(spec: dict[str, Any], key: str) -> list[Any]:
    """A list of paths."""
    value = required(spec, key)
    if not isinstance(value, list):
        raise bad_spec(f'Error reading parameter "/{key}": expected a list')
    return value


def columns(spec: dict[str, Any], key: str) -> Keys:
    """The columns of sort_by, reduce_by, merge_by."""
    return sort_columns(spec.get(key) or required(spec, key))


def check_names(spec: dict[str, Any], key: str) -> None:
    """Refuse columns with an order where only names are read."""
    names = spec.get(key) or []
    if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
        raise bad_spec(f'Error reading parameter "/{key}": expected a list of strings, actual {names!r}')


def user_job(spec: dict[str, Any], name: str, where: str = "") -> UserJob:
    """A user job: mapper, reducer or a task."""
    place = f"{where}/{name}"
    raw = required(spec, name, where)
    if not isinstance(raw, dict):
        raise bad_spec(f'Error reading parameter "{place}": expected a map')
    command = required(raw, "command", place)
    if not isinstance(command, str):
        raise bad_spec(f'Error reading parameter "{place}/command": expected a string')
    if raw.get("use_yamr_descriptors"):
        raise generic("The stand-in does not model use_yamr_descriptors")
    limit = integer(raw, "job_time_limit", 0)
    if 0 < limit < MIN_JOB_TIME_LIMIT:
        raise bad_spec(
            f"Validation failed at {place}/job_time_limit: expected >= {MIN_JOB_TIME_LIMIT}, found {limit}"
        )
    return UserJob(
        name=name,
        command=command,
        files=_file_paths(raw, place),
        input_format=_format(raw, "input_format", place),
        output_format=_format(raw, "output_format", place),
        environment=_environment(raw, place),
        redirect_stdout=bool(raw.get("redirect_stdout_to_stderr", False)),
        table_index=raw.get("enable_input_table_index"),
        copy_files=bool(raw.get("copy_files", False)),
        tmpfs_path=raw.get("tmpfs_path"),
        time_limit=limit / 1000 if limit else None,
        stderr_limit=integer(raw, "max_stderr_size", DEFAULT_STDERR_SIZE),
        raw=raw,
    )


def _file_paths(raw: dict[str, Any], place: str) -> list[Any]:
    files = raw.get("file_paths") or []
    if not isinstance(files, list):
        raise bad_spec(f'Error reading parameter "{place}/file_paths": expected a list')
    return files


def _format(raw: dict[str, Any], key: str, place: str) -> Any:
    chosen = raw.get(key) or raw.get("format") or "yson"
    if format_name(chosen) not in FORMATS:
        raise generic(f'Format "{format_name(chosen)}" of "{place}" is not modelled by the stand-in')
    return chosen


def _environment(raw: dict[str, Any], place: str) -> dict[str, str]:
    variables = raw.get("environment") or {}
    for name, value in variables.items():
        if not isinstance(value, str):
            raise bad_spec(f'Error reading parameter "{place}/environment/{name}": expected a string')
    return dict(variables)
