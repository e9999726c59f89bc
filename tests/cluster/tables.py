"""Commands on tables: write_table, read_table, alter_table."""

from __future__ import annotations

from collections.abc import AsyncIterator
from typing import Any

from tests.cluster import formats, table_content
from tests.cluster.errors import generic
from tests.cluster.paths import RichPath
from tests.cluster.requests import Command, Request
from tests.cluster.schema import Schema
from tests.cluster.state import State
from tests.cluster.values import with_attributes

DEFAULT_ROW_WEIGHT = 16 << 20
MAX_ROW_WEIGHT = 128 << 20
PORTION = 1000


async def write_table(state: State, request: Request) -> Any:
    """`write_table`, in an upload transaction of its own, that locks the table from the start."""
    path = RichPath.of(request.parameters["path"])
    limit = int((request.get("table_writer") or {}).get("max_row_weight", DEFAULT_ROW_WEIGHT))
    if limit > MAX_ROW_WEIGHT:
        raise generic(f'Error validating "max_row_weight": {limit} is greater than {MAX_ROW_WEIGHT}')
    node = table_content.destination(state, path, request.transaction)
    upload = state.transactions.start(request.transaction, 3600, {"title": f"Upload to {path.text}"}).id
    try:
        state.tree.lock(node, upload, "shared" if path.flag("append") else "exclusive")
        rows = formats.decode_rows(await request.read_body(), request.get("input_format"))
        table_content.write(state, path, rows, upload, limit)
        state.commit(upload)
    finally:
        if upload in state.transactions.open:
            state.abort(upload)
    return {}


async def read_table(state: State, request: Request) -> AsyncIterator[bytes]:
    """`read_table`, with the start row's index, which the client needs to go on after a broken read."""
    path = RichPath.of(request.parameters["path"])
    ranges = table_content.read_ranges(state, path, request.transaction)
    request.response_parameters["approximate_row_count"] = sum(len(rows) for _, rows in ranges)
    if any(rows for _, rows in ranges):
        request.response_parameters["start_row_index"] = next(start for start, rows in ranges if rows)
    return _stream(ranges, request.get("output_format"), request.get("control_attributes") or {})


async def _stream(ranges: list[tuple[int, Any]], form: Any, controls: dict[str, Any]) -> AsyncIterator[bytes]:
    for index, (start, rows) in enumerate(ranges):
        shown = {"table_index": 0, "range_index": index, "row_index": start}
        for name, value in shown.items():
            if rows and controls.get(f"enable_{name}"):
                yield formats.encode_rows([with_attributes(None, {name: value})], form)
        for at in range(0, len(rows), PORTION):
            yield formats.encode_rows(rows[at : at + PORTION], form)


def alter_table(state: State, request: Request) -> Any:
    """`alter_table`: another schema, which the rows must fit."""
    path = RichPath.of(request.parameters["path"])
    node = table_content.table_node(state, path, request.transaction)
    if "schema" in request.parameters:
        schema = Schema.parse(request.parameters["schema"])
        table_content.put_schema(state, node, request.transaction, schema)
    return {}


COMMANDS = [
    Command("write_table", "tabular", "null", True, True, write_table),
    Command("read_table", "null", "tabular", False, True, read_table),
    Command("alter_table", "null", "structured", True, False, alter_table),
]
