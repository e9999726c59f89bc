"""The content of tables: reading by ranges and columns, writing with order and schema checked."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from tests.cluster import building, ordering
from tests.cluster.errors import ALREADY_EXISTS, ClusterError, generic, unsorted
from tests.cluster.formats import to_json
from tests.cluster.nodes import Node, RowChunk
from tests.cluster.paths import RichPath
from tests.cluster.schema import Schema

if TYPE_CHECKING:
    from tests.cluster.state import State

Row = dict[str, Any]


def table_node(state: State, path: RichPath, tx: str | None) -> Node:
    """The table at a path; anything else there is an error."""
    node = state.tree.node(path, tx)
    if node.type != "table":
        raise generic(f'Invalid type of {path.text}: expected "table", actual "{node.type}"')
    return node


def all_rows(state: State, node: Node, tx: str | None) -> list[Row]:
    """Every row."""
    return [row for chunk in state.tree.chunks(node, tx) for row in chunk.rows]


def schema_of(state: State, node: Node, tx: str | None) -> Schema:
    """The schema that a transaction sees."""
    found: Schema = state.tree.field(node, tx, "schema")
    return found


def read(state: State, path: RichPath, tx: str | None) -> list[Row]:
    """The rows of a rich path."""
    return [row for _, rows in read_ranges(state, path, tx) for row in rows]


def read_ranges(state: State, path: RichPath, tx: str | None) -> list[tuple[int, list[Row]]]:
    """The rows of each range of a rich path, and the index in the table at which the range starts."""
    node = table_node(state, path, tx)
    rows, keys = all_rows(state, node, tx), schema_of(state, node, tx).sorted_by
    columns = path.attributes.get("columns")
    found = []
    for low, high in ordering.ranges(path.attributes, rows, keys):
        chosen = rows[low:high]
        if columns is not None:
            chosen = [{name: row[name] for name in row if name in columns} for row in chosen]
        found.append((low, chosen))
    return found


def write(state: State, path: RichPath, rows: list[Row], tx: str | None, limit: int | None = None) -> None:
    """Replace a table's rows, or add to them."""
    node = destination(state, path, tx)
    append = path.flag("append")
    state.tree.lock(node, tx, "shared" if append else "exclusive")
    schema = _schema_after(state, node, path, tx)
    _check(state, node, tx, rows, schema, append)
    sizes = [_weight(row) for row in rows]
    if limit is not None and max(sizes, default=0) > limit:
        raise generic(f"Row weight is too large: {max(sizes)} > {limit}")
    state.limits.check_space(sum(sizes))
    _put(state, node, tx, (RowChunk(rows, sum(sizes)),) if rows else (), schema, append)


def destination(state: State, path: RichPath, tx: str | None) -> Node:
    """The table to write to; `<create=%true>` makes it, and follows no link to do so."""
    place = state.tree.locate(path, tx)
    if path.flag("create"):
        there = state.tree.locate(path, tx, follow=False).target
        if isinstance(there, Node) and there.type == "link":
            raise ClusterError(ALREADY_EXISTS, f'Node {path.text} already exists and has type "link"')
    if place.target is None and path.flag("create"):
        parent, key = building.parent_for(state, place, tx, False)
        wanted = {"schema": path.attributes["schema"]} if "schema" in path.attributes else {}
        return building.new_node(state, parent, key, "table", wanted, tx)
    return table_node(state, path, tx)


def _schema_after(state: State, node: Node, path: RichPath, tx: str | None) -> Schema:
    """An overwritten weak table forgets its order unless the path says one; a strong schema stays as it is."""
    before = schema_of(state, node, tx)
    if "schema" in path.attributes and not path.flag("append"):
        before = Schema.parse(path.attributes["schema"])
    wanted = path.attributes.get("sorted_by")
    columns = ordering.sort_columns(wanted) if wanted is not None else None
    if before.mode == "strong":
        if columns is not None and columns != before.sorted_by:
            raise generic('YPath attribute "sorted_by" is not compatible with the "strong" schema of the table')
        return before
    if path.flag("append"):
        if columns is not None and columns != before.sorted_by and state.tree.chunks(node, tx):
            raise generic(f"Table {path.text} is not sorted by {wanted}, so that sorted rows cannot be appended")
        return before if columns is None else before.sorted(columns)
    return before.sorted(columns or [])


def _check(state: State, node: Node, tx: str | None, rows: list[Row], schema: Schema, append: bool) -> None:
    for row in rows:
        schema.check(row)
    keys = schema.sorted_by
    if not keys:
        return
    before = all_rows(state, node, tx)[-1:] if append else []
    wrong = ordering.first_unsorted([*before, *rows], keys)
    if wrong is not None:
        raise unsorted(f"Sort order violation: {wrong[0]} > {wrong[1]}", sorted_by=[name for name, _ in keys])
    if schema.unique_keys and ordering.has_duplicates([*before, *rows], keys):
        raise unsorted("Duplicate key")


def _put(
    state: State, node: Node, tx: str | None, chunks: tuple[RowChunk, ...], schema: Schema, append: bool
) -> None:
    version = state.tree.version(node, tx)
    if append:
        version.appended += chunks
    else:
        version.fields["chunks"], version.appended = chunks, ()
    version.fields["schema"] = schema
    version.touch(state.clock.now(), content=True)
    if tx is None:
        version.settle()


def join(state: State, node: Node, sources: list[Node], tx: str | None, path: RichPath) -> None:
    """Concatenate tables: the result of weak schemas is not sorted, a sorted strong one must stay in order."""
    append = path.flag("append")
    state.tree.lock(node, tx, "shared" if append else "exclusive")
    chunks = tuple(chunk for source in sources for chunk in state.tree.chunks(source, tx))
    schema = schema_of(state, node, tx)
    if schema.mode == "weak" and not append:
        schema = schema.sorted([])
    _check(state, node, tx, [row for chunk in chunks for row in chunk.rows], schema, append)
    _put(state, node, tx, chunks, schema, append)


def erase(state: State, node: Node, tx: str | None, schema: Schema) -> None:
    """Make a table empty, with this schema."""
    state.tree.lock(node, tx, "exclusive")
    _put(state, node, tx, (), schema, False)


def put_schema(state: State, node: Node, tx: str | None, schema: Schema) -> None:
    """Give a table another schema; its rows must fit."""
    state.tree.lock(node, tx, "exclusive")
    _check(state, node, tx, all_rows(state, node, tx), schema, False)
    version = state.tree.version(node, tx)
    version.fields["schema"] = schema
    version.touch(state.clock.now())


def _weight(row: Row) -> int:
    return sum(_value_weight(name) + _value_weight(value) for name, value in row.items())


def _value_weight(value: Any) -> int:
    if isinstance(value, str):
        return len(value) if value.isascii() else len(value.encode("utf-8", "surrogateescape"))
    if isinstance(value, bytes):
        return len(value)
    if isinstance(value, (dict, list)):
        return len(json.dumps(to_json(value, True)))
    return 1 if value is None or isinstance(value, bool) else 8
