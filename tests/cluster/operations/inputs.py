"""Input tables: their rows with where they came from, whether they are sorted, and how jobs share them."""

from __future__ import annotations

import heapq
import itertools
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from tests.cluster import table_content
from tests.cluster.errors import generic
from tests.cluster.operations.model import Operation
from tests.cluster.operations.runner import JobInput
from tests.cluster.operations.streams import InputRow
from tests.cluster.operations.weights import row_weight
from tests.cluster.ordering import Keys, row_key
from tests.cluster.paths import RichPath
from tests.cluster.schema import Schema
from tests.cluster.state import State

DEFAULT_JOB_WEIGHT = 256 * 1024 * 1024


def read_table(state: State, operation: Operation, path: Any, table: int) -> list[InputRow]:
    """The rows of one input table, as they are when the operation starts."""
    rich = RichPath.of(path)
    if rich.attributes.get("foreign"):
        raise generic(f"The stand-in does not model foreign tables: {rich.text}")
    tx = rich.attributes.get("transaction_id", operation.input_transaction)
    table_content.table_node(state, rich, tx)
    if tx == operation.input_transaction:
        state.lock(rich, "snapshot", tx)
    renamed = rich.attributes.get("rename_columns") or {}
    found: list[InputRow] = []
    for number, (first, rows) in enumerate(table_content.read_ranges(state, rich, tx)):
        if renamed:
            rows = [{renamed.get(name, name): value for name, value in row.items()} for row in rows]
        found.extend(InputRow(row, table, at, number) for at, row in enumerate(rows, first))
    return found


def schema_of(state: State, path: RichPath, tx: str) -> Schema:
    """The schema of a table."""
    return table_content.schema_of(state, table_content.table_node(state, path, tx), tx)


def check_sorted(state: State, operation: Operation, path: Any, by: Keys) -> None:
    """Refuse a table that is not sorted by at least these columns, as the cluster does before any job runs."""
    rich = RichPath.of(path)
    found = schema_of(state, rich, rich.attributes.get("transaction_id", operation.input_transaction)).sorted_by
    if not found:
        raise generic(f"Input table {rich.text} is not sorted")
    if found[: len(by)] != by:
        message = f"Input table {rich.text} is sorted by columns {_names(found)} that are not compatible with"
        raise generic(f"{message} the requested columns {_names(by)}")


def _names(columns: Keys) -> str:
    return "[" + ", ".join(f'"{name}"' for name, _ in columns) + "]"


def merge_sorted(tables: Sequence[Sequence[InputRow]], by: Keys) -> list[InputRow]:
    """Sorted tables as one; rows with equal keys in the order of their tables."""
    return list(heapq.merge(*tables, key=lambda each: row_key(each.row, by)))


def groups(rows: Iterable[InputRow], by: Keys) -> Iterator[list[InputRow]]:
    """Runs of rows with the same key; the first row of each is marked as a key switch."""
    group: list[InputRow] = []
    key: Any = None
    for each in rows:
        found = row_key(each.row, by)
        if group and found != key:
            yield group
            group = []
        group.append(each._replace(switch=not group))
        key = found
    if group:
        yield group


def split(pieces: Sequence[Sequence[InputRow]], count: int | None, weight: int | None) -> list[JobInput]:
    """Pieces that must stay whole (single rows, or groups of a key), shared among jobs in their order.

    An explicit count wins over a weight, and there are never more jobs than pieces; without pieces there is no
    job at all.
    """
    shares = _by_count(pieces, count) if count else _by_weight(pieces, weight or DEFAULT_JOB_WEIGHT)
    jobs: list[JobInput] = []
    start = 0
    for share in shares:
        rows = [each for piece in share for each in piece]
        jobs.append(JobInput(rows, start))
        start += len(rows)
    return jobs


def _by_count(pieces: Sequence[Sequence[InputRow]], count: int) -> list[Sequence[Sequence[InputRow]]]:
    count = min(count, len(pieces))
    borders = [len(pieces) * index // count for index in range(count + 1)] if count else []
    return [pieces[first:last] for first, last in itertools.pairwise(borders)]


def _by_weight(pieces: Sequence[Sequence[InputRow]], limit: int) -> list[Sequence[Sequence[InputRow]]]:
    shares: list[Sequence[Sequence[InputRow]]] = []
    share: list[Sequence[InputRow]] = []
    weight = 0
    for piece in pieces:
        share.append(piece)
        weight += sum(row_weight(each.row) for each in piece)
        if weight >= limit:
            shares.append(share)
            share, weight = [], 0
    return [*shares, share] if share else shares
