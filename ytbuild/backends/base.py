"""What the executor asks of a backend: tables, files, queries, and operations."""

from __future__ import annotations

import shlex
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, ClassVar, Literal, Protocol

from ytbuild.backends.yql_helpers import YqlHelpers
from ytbuild.base.reporter import Reporter
from ytbuild.config.stage import ARCHIVE_NAME
from ytbuild.rows.row import DEFAULT_MAX_ROW_WEIGHT, Row

if TYPE_CHECKING:
    from ytbuild.config.checks import Section
    from ytbuild.config.pipeline import PipelineConfig

State = Literal["running", "completed", "failed", "aborted"]
"""How an operation stands, in the cluster's words."""


def bootstrap(wrapper: str) -> str:
    """Return the command that unpacks the archive and starts a leg; `wrapper` is a wrapper's name in it."""
    return f"tar -xzf {ARCHIVE_NAME} && ./{shlex.quote(wrapper)}"


@dataclass(frozen=True)
class LegCommand:
    """One command of an operation: the leg's name, the text that bash gets, and the number of jobs, 0 where a
    cluster decides.

    `typed_job` is the TypedJob that runs instead of the command, on a cluster only.
    """

    leg: str
    command: str
    job_count: int
    typed_job: Any = None


@dataclass(frozen=True)
class Resources:
    """What an operation gets of a cluster; memory is in bytes, for each job.

    `user_slots` bounds the jobs that run at once; None is the cluster's default everywhere.
    """

    pool: str = "default"
    pool_tree: str | None = None
    docker_image: str | None = None
    memory_limit: int = 4 << 30
    cpu_limit: float = 2
    gpu_limit: int = 0
    user_slots: int | None = None


@dataclass(frozen=True)
class OperationSpec:
    """An operation, resolved: nothing of it is looked up again while it runs.

    `sort_by` and `reduce_by` are column names, empty where the kind has none; `descending` are those of `sort_by`
    that a cluster sorts downwards. `environment` holds what the operation sets itself, secrets included;
    `secret_names` are those whose values nobody may see, `public_names` those that a cluster may show. `files` are
    pairs of a Cypress path and a name in the sandbox. Time limits are in seconds, None for none: `job_time_limit` is
    that of a job, `time_limit` that of the operation. `max_row_weight` is in bytes.

    The rest is for a cluster: `docker_auth` for the registry of the image, `secure_vault` what the block puts there
    beside the environment, `passed_on` the keys that go into the spec as they are.
    """

    stage: str
    name: str
    kind: str
    legs: tuple[LegCommand, ...] = ()
    input_table: str | None = None
    output_table: str | None = None
    sort_by: tuple[str, ...] = ()
    reduce_by: tuple[str, ...] = ()
    append: bool = False
    environment: Mapping[str, str] = field(default_factory=dict)
    secret_names: tuple[str, ...] = ()
    files: tuple[tuple[str, str], ...] = ()
    max_failed_job_count: int = 1
    max_row_weight: int = DEFAULT_MAX_ROW_WEIGHT
    job_time_limit: float | None = None
    time_limit: float | None = None
    query: str | None = None
    descending: tuple[str, ...] = ()
    public_names: tuple[str, ...] = ()
    resources: Resources = Resources()
    docker_auth: Mapping[str, str] | None = None
    secure_vault: Mapping[str, Any] = field(default_factory=dict)
    description: Any = None
    output_schema: Any = None
    passed_on: Mapping[str, Any] = field(default_factory=dict)

    @property
    def label(self) -> str:
        """How messages name the operation."""
        return f"{self.stage}/{self.name} ({self.kind})"


@dataclass(frozen=True)
class OperationResult:
    """What an operation did: rows read and written, 0 where it has no table; `seconds` it took.

    It is always true, so that `if not run_map(…)` reads well: an operation that fails raises.
    """

    rows_in: int
    rows_out: int
    seconds: float


@dataclass(frozen=True)
class OperationProgress:
    """How far an operation is: the leg that runs, the share of its input that was read (0 to 1, None where it is not
    known), the rows of all its input and those written so far, its jobs and how many of them are done, run now and
    have failed; the last two are known on a cluster only."""

    leg: str
    share: float | None
    rows_in: int
    rows_out: int
    jobs_done: int
    jobs: int
    jobs_running: int = 0
    jobs_failed: int = 0


class Backend(ABC):
    """What a backend says of itself, connected to nothing: its limits, and what an operation would be there.

    A run and a dry run ask the same. `ignored_keys` are those keys of operation blocks that change results elsewhere
    and do nothing here, `ignored_options` the options of a run that do nothing here.
    """

    name: ClassVar[str]
    ignored_keys: ClassVar[tuple[str, ...]]
    ignored_options: ClassVar[tuple[str, ...]] = ()

    @abstractmethod
    def check(self, spec: OperationSpec, block: Section) -> None:
        """Raise a `UsageError` for what cannot run here; `block` is the operation's: where its keys stand."""

    @abstractmethod
    def job_count(self, leg: str, asked: int | None) -> int:
        """Return how many jobs a leg gets, 0 where the backend decides that later; `asked` is what its block says."""

    @abstractmethod
    def unchecked(self, spec: OperationSpec) -> list[str]:
        """Return what of an operation nobody looks at here, in words."""

    @abstractmethod
    def archive(self, config: PipelineConfig, key: str) -> str | None:
        """Return the Cypress path of the archive of a key, None where it lies on no cluster."""

    @abstractmethod
    def described(self, spec: OperationSpec, archive: str | None) -> list[str]:
        """Return an operation as lines of text, without secrets; `archive` is the Cypress path of its code."""


class OperationHandle(Protocol):
    """An operation that was started."""

    @property
    def link(self) -> str:
        """The operation's id on the cluster and its page, for people; empty in dev."""
        ...

    @property
    def spec(self) -> OperationSpec:
        """What was started."""
        ...

    @property
    def state(self) -> State:
        """How the operation stands."""
        ...

    def wait(self) -> OperationResult:
        """Wait for the end; raises `OperationFailed` when it fails or was aborted."""
        ...

    def abort(self) -> None:
        """End the operation's jobs; no table changes. Does nothing when it has ended."""
        ...

    def progress(self) -> OperationProgress:
        """Return how far the operation is."""
        ...


class Client(YqlHelpers):
    """Tables, files, queries and operations on one backend."""

    @property
    @abstractmethod
    def location(self) -> str:
        """Where the tables are: a folder, or the address of a cluster's proxy."""

    @abstractmethod
    def write_table(
        self,
        table_path: str,
        rows: Iterable[Row],
        *,
        append: bool = False,
        replication_factor: int | None = None,
        make_parents: bool = True,
    ) -> None:
        """Write rows to a table, replacing it unless `append`; all of them or none.

        A new table has the replication factor, by default the cluster's, and with `make_parents` the folders above
        it are made.
        """

    @abstractmethod
    def read_table(self, table_path: str) -> list[Row]:
        """Return all rows of a table; raises `TableError` when there is none."""

    @abstractmethod
    def iter_table(self, table_path: str) -> Iterator[Row]:
        """Give the rows of a table one by one; raises `TableError` when there is none."""

    @abstractmethod
    def row_count(self, table_path: str) -> int:
        """Return the number of rows of a table; raises `TableError` when there is none."""

    @abstractmethod
    def exists(self, path: str) -> bool:
        """Tell whether there is a table, a file or a folder at this path."""

    @abstractmethod
    def create_path(self, path: str, node_type: str = "map_node") -> None:
        """Make a folder (`map_node`), an empty `table` or an empty `file`; one that is there stays as it is."""

    @abstractmethod
    def remove(self, path: str, *, recursive: bool = False, force: bool = False) -> None:
        """Remove a table or a file, and with `recursive` a folder; a missing one is an error unless `force`."""

    @abstractmethod
    def move(self, source: str, destination: str, *, force: bool = False) -> None:
        """Give a table or a file another path; one that is there is an error unless `force`."""

    @abstractmethod
    def upload_file(self, local_path: str, path: str, *, create_parent_dir: bool = False) -> None:
        """Copy a local file to a path, replacing what is there."""

    @abstractmethod
    def upload_directory(self, local_dir: str, path: str, pattern: str = "*") -> list[str]:
        """Copy the files of a local folder whose names match, `.ytignore` obeyed; return their paths."""

    @abstractmethod
    def run_yql(self, query: str, pool: str = "default", max_row_weight: str | None = None) -> list[Row]:
        """Run a query; return the rows of its last statement when that is a bare SELECT."""

    @abstractmethod
    def start_operation(self, spec: OperationSpec, reporter: Reporter) -> OperationHandle:
        """Start an operation and return at once; the reporter hears, from any thread, what is not as it should be.

        Raises a `YtbuildError` for what can be known at once, such as a missing input table.
        """
