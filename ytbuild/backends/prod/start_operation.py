"""The start of an operation: its tables looked at, its spec built, and the cluster asked until it has room."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from ytbuild.backends.base import OperationSpec
from ytbuild.backends.prod import typed_job
from ytbuild.backends.prod.official_spec import build
from ytbuild.base.backoff import Backoff
from ytbuild.base.errors import ClusterError, TableError
from ytbuild.base.reporter import Reporter, Warned
from ytbuild.base.signals import undisturbed
from ytbuild.cluster import nodes
from ytbuild.cluster.commands import Answer, Command
from ytbuild.cluster.connection import Connection
from ytbuild.cluster.error_codes import MASTER_DISCONNECTED, RESOLVE_ERROR, TOO_MANY_OPERATIONS
from ytbuild.cluster.yson import parsed_path

_NO_ROOM = frozenset({TOO_MANY_OPERATIONS, MASTER_DISCONNECTED})

_FIRST_PAUSE = 1.0
_LONGEST_PAUSE = 15.0

# Only who reads such a path knows what it leads to.
_ELSEWHERE = ("transaction_id", "cluster")


@dataclass(frozen=True)
class Before:
    """What was there before an operation: the rows of its input, whether there was an output, its rows and its path.

    The path of an output that is a link is that of the table which it leads to.
    """

    rows_in: int = 0
    has_output: bool = True
    rows_out: int = 0
    output: str = ""


@dataclass(frozen=True)
class Started:
    """The id of an operation, and what the client wants to be called with its final state."""

    id: str
    finalize: Callable[[str], None]


def prepare(connection: Connection, spec: OperationSpec) -> Before:
    """Look whether the input and the files are there, and make the folder of the output.

    Most often one request. Raises `TableError` when there is no input table, or a file is missing.
    """
    source, destination = _plain_path(spec.input_table), _plain_path(spec.output_table)
    commands = [_counts(path) for path in (source, destination) if path]
    commands += [Command("exists", {"path": nodes.parent_of(destination)})] if destination else []
    files = [path for path in (_plain_path(path) for path, _ in spec.files) if path]
    commands += [Command("exists", {"path": path}) for path in files]
    answers = connection.batch(commands) if commands else []
    _check_files(spec, files, answers[len(answers) - len(files) :])
    del answers[len(answers) - len(files) :]
    rows_in = _existing(answers.pop(0), spec, source) if source else 0
    if not destination:
        return Before(rows_in)
    output, parent = answers
    if not parent.value:
        nodes.make(connection, nodes.parent_of(destination), "map_node")
    path = str(output.value.get("path") or "") if isinstance(output.value, Mapping) else ""
    return Before(rows_in, output.error is None, _row_count(output), path)


def start(
    connection: Connection, spec: OperationSpec, archive: str | None, before: Before, reporter: Reporter
) -> Started:
    """Start an operation; the cluster creates its output table, if there is none, and only when it can start."""
    client = connection.client()
    spec = _with_resolved_output(spec, before.output)
    builder = build(spec, archive, client)
    with contextlib.ExitStack() as stack:
        if typed_job.has_typed(spec):
            stack.enter_context(typed_job.pickling(client, spec, connection.config.pickling))
            if not before.has_output:
                stack.enter_context(_with_output(connection, _plain_path(spec.output_table)))
        with connection.translated(spec.label):
            body = builder.build(client)
    parameters = {"operation_type": spec.kind, "spec": body}
    id = _id_when_started(connection, spec, parameters, reporter, builder.get_toucher(client=client))
    return Started(id, lambda state: builder.get_finalizer(body, client=connection.client())(state))


def _with_resolved_output(spec: OperationSpec, resolved: str) -> OperationSpec:
    """Return the operation with the table that its output leads to: what creates an output follows no link."""
    plain = _plain_path(spec.output_table)
    if spec.output_table is None or not resolved or not spec.output_table.endswith(plain):
        return spec
    return replace(spec, output_table=spec.output_table.removesuffix(plain) + resolved)


@contextlib.contextmanager
def _with_output(connection: Connection, table: str) -> Iterator[None]:
    """Let the official client see a table that does not exist: it asks for its schema to prepare a TypedJob, and
    takes no error for an answer.

    The table is there in a transaction only, and gone with it.
    """
    from yt.wrapper import Transaction

    (transaction,) = connection.transactions.start([f"ytbuild: schema of {table}"])
    try:
        nodes.make(connection, table, "table", transaction=transaction)
        with Transaction(transaction_id=transaction, client=connection.client()):
            yield
    finally:
        connection.transactions.abort([transaction])


def rows_out(connection: Connection, spec: OperationSpec, before: Before) -> int:
    """Return how many rows an operation that succeeded wrote; 0 when the table cannot be asked any more."""
    if spec.kind == "sort":
        return before.rows_in
    path = _plain_path(spec.output_table)
    if not path:
        return 0
    try:
        (answer,) = connection.batch([_counts(path)])
    except ClusterError:
        return 0
    return max(0, _row_count(answer) - (before.rows_out if spec.append else 0))


def _id_when_started(
    connection: Connection,
    spec: OperationSpec,
    parameters: Mapping[str, Any],
    reporter: Reporter,
    touch: Callable[[], None],
) -> str:
    """Start an operation as soon as the cluster has room for it, and return its id.

    Raises `ClusterError` when there is none for `queue_seconds`.
    """
    seconds = connection.config.queue_seconds
    no_room = f"{spec.label}: the pool {spec.resources.pool} has too many operations"

    def warn(pause: int) -> None:
        if pause == 1:
            reporter.event(Warned(f"{no_room}; trying again for up to {seconds:g} s"))

    backoff = Backoff(_FIRST_PAUSE, _LONGEST_PAUSE, seconds, cut=True, waiting=warn)
    while True:
        try:
            return _start(connection, parameters)
        except ClusterError as error:
            if not error.codes & _NO_ROOM:
                raise
            if not backoff.wait():
                text = f"{no_room}, and so it was for {seconds:g} s: {error.message.removeprefix(f'{spec.label}: ')}"
                raise ClusterError(text, error.hint, error.codes, error.said) from None
        with connection.translated(spec.label):
            # The client's cache may throw the files of a TypedJob out meanwhile.
            touch()


def _start(connection: Connection, parameters: Mapping[str, Any]) -> str:
    # Longer than for other commands: an operation whose start nobody heard of runs all the same.
    timeout = connection.client().config["start_operation_request_timeout"]
    with undisturbed():
        id = str(connection.command("start_operation", parameters, timeout=timeout)["operation_id"])
        connection.started[id] = Command("abort_operation", {"operation_id": id})
        return id


def _plain_path(path: str | None) -> str:
    if path is None:
        return ""
    plain, attributes = parsed_path(path)
    return "" if set(attributes) & set(_ELSEWHERE) else plain


def _counts(path: str) -> Command:
    return nodes.attributes_command(path, ["type", "row_count", "path"])


def _existing(answer: Answer, spec: OperationSpec, path: str) -> int:
    if answer.has(RESOLVE_ERROR):
        raise TableError(f"{spec.label}: there is no table {path}", "correct input_table, or write the table first")
    answer.get()
    return _row_count(answer)


def _check_files(spec: OperationSpec, files: list[str], answers: list[Answer]) -> None:
    for path, answer in zip(files, answers, strict=True):
        if answer.error is None and not answer.value:
            raise TableError(f"{spec.label}: there is no file {path}", "correct file_paths, or upload the file first")


def _row_count(answer: Answer) -> int:
    return int(answer.value.get("row_count") or 0) if isinstance(answer.value, Mapping) else 0
