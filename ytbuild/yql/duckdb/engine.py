"""Runs a query against the tables of dev: all of its results are published, or none."""

from __future__ import annotations

import os
import re
import shutil
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace

from ytbuild.base.cancellation import Cancellation
from ytbuild.base.errors import CypressPathError, QueryError
from ytbuild.config.cypress_path import node_path
from ytbuild.rows import decode
from ytbuild.rows.row import DEFAULT_MAX_ROW_WEIGHT, Row
from ytbuild.yql.binding import pragmas, query_binder
from ytbuild.yql.binding.context import Context, Definition
from ytbuild.yql.duckdb.row_json import line_sql
from ytbuild.yql.duckdb.session import Session
from ytbuild.yql.duckdb.table_files import QueryTables, Tables
from ytbuild.yql.syntax.paths import table_path
from ytbuild.yql.syntax.statement_parser import parse
from ytbuild.yql.syntax.tree import (
    Assign,
    Commit,
    Insert,
    Literal,
    NamedSource,
    Pragma,
    SelectStatement,
    Statement,
    TableSource,
    Values,
    children,
)  # fmt: skip

_PLACE = re.compile(r"YQL, (\d+):(\d+): ")


@dataclass(frozen=True)
class QueryResult:
    """What a query did.

    `rows` are those of the last statement when that is a SELECT without INSERT; `written` holds the tables in the
    order in which they were first written, with the number of rows that each has now.
    """

    rows: tuple[Row, ...]
    written: tuple[tuple[str, int], ...]


def check_query(query: str) -> None:
    """Parse a query; raises `QueryError`, naming the place, for what dev does not know."""
    _checked(query)


def _checked(query: str) -> tuple[Statement, ...]:
    with _line_shown(query):
        statements = parse(query)
        settings = pragmas.Settings()
        for statement in statements:
            if isinstance(statement, Pragma):
                settings = pragmas.applied(settings, statement.name, statement.place)
    return statements


def run_query(
    query: str,
    tables: Tables,
    folder: str,
    max_row_weight: int = DEFAULT_MAX_ROW_WEIGHT,
    cancellation: Cancellation | None = None,
) -> QueryResult:
    """Run a query and publish what it wrote, unless any statement fails.

    `folder` is for temporary files, on the file system of the tables, and is left empty. Raises `QueryError` for a
    query that dev cannot run or that failed, `TableError` for a table that is missing or broken, and `Cancelled`.
    """
    statements = _checked(query)
    os.makedirs(folder, exist_ok=True)
    try:
        with _line_shown(query), ExitStack() as stack:
            files = QueryTables(tables, sorted(set(_paths(statements))), stack)
            outputs = [os.path.join(folder, f"output-{at}.jsonl") for at in range(len(statements))]
            readable = [*files.readable, *outputs]
            session = stack.enter_context(Session(folder, readable, outputs, files.longest_line, 0, cancellation))
            return _Run(files, session, outputs, max_row_weight).result(statements)
    except RecursionError:
        raise QueryError("YQL: the query is nested too deeply", "give parts of it a name: $part = …;") from None
    finally:
        _empty(folder)


@contextmanager
def _line_shown(query: str) -> Iterator[None]:
    """Add the line that an error names: a query is seldom in view where its error is read."""
    try:
        yield
    except QueryError as error:
        place = _PLACE.match(error.message)
        if place:
            text = query.split("\n")[int(place[1]) - 1].rstrip()
            indent = "".join(char if char == "\t" else " " for char in text[: int(place[2]) - 1])
            error.message += f"\n  {text}\n  {indent}^"
        error.hint = error.hint or "what dev knows of YQL: docs/reference/yql.md"
        raise


def _empty(folder: str) -> None:
    for entry in list(os.scandir(folder)):
        if entry.is_dir(follow_symlinks=False):
            shutil.rmtree(entry.path, ignore_errors=True)
        else:
            os.unlink(entry.path)


def _paths(statements: tuple[Statement, ...]) -> Iterator[str]:
    """Give the paths of all tables that the statements may read."""
    texts = {
        statement.name: statement.value.value
        for statement in statements
        if isinstance(statement, Assign) and isinstance(statement.value, Literal)
    }
    for node in _nodes(statements):
        if isinstance(node, TableSource):
            yield node.path
        elif isinstance(node, NamedSource):
            # A name may also stand for a query.
            with suppress(CypressPathError):
                yield node_path(texts.get(node.name))


def _nodes(statements: tuple[Statement, ...]) -> Iterator[object]:
    waiting: list[object] = [statements]
    while waiting:
        node = waiting.pop()
        yield node
        waiting += children(node)


class _Run:
    """One query while it runs, statement by statement."""

    def __init__(self, files: QueryTables, session: Session, outputs: list[str], max_row_weight: int) -> None:
        self._files = files
        self._session = session
        self._outputs = outputs
        self._max_row_weight = max_row_weight
        self._context = Context(
            lambda path, place: files.table(path, place, session), now_micros=time.time_ns() // 1000
        )

    def result(self, statements: tuple[Statement, ...]) -> QueryResult:
        rows: tuple[Row, ...] = ()
        for statement, output in zip(statements, self._outputs, strict=True):
            rows = self._run(statement, output)
            if self._context.settings.auto_commit:
                self._files.commit()
        self._session.check_cancelled()
        return QueryResult(rows, self._files.publish())

    def _run(self, statement: Statement, output: str) -> tuple[Row, ...]:
        if isinstance(statement, Pragma):
            settings = pragmas.applied(self._context.settings, statement.name, statement.place)
            self._context = replace(self._context, settings=settings)
        elif isinstance(statement, Assign):
            known = self._context.names
            self._context = replace(
                self._context, names={**known, statement.name: Definition(statement.value, known)}
            )
        elif isinstance(statement, Commit):
            self._files.commit()
        elif isinstance(statement, Insert):
            self._insert(statement, output)
        elif isinstance(statement, SelectStatement):
            return self._select(statement, output)
        return ()

    def _insert(self, statement: Insert, output: str) -> None:
        path = self._target(statement.table)
        if isinstance(statement.source, Values):
            bound = query_binder.bind_values(statement.source, statement.columns, self._context)
        else:
            bound = query_binder.bind(statement.source, self._context)
        self._session.write_lines(bound.sql(line_sql(bound.columns)), output)
        self._files.wrote(path, output, statement.truncate, bound.sorted_by, self._max_row_weight)

    def _target(self, table: TableSource | NamedSource) -> str:
        if isinstance(table, TableSource):
            return table.path
        value = self._context.definition(table.name, table.place).value
        if not isinstance(value, Literal) or not isinstance(value.value, str):
            raise table.place.error(f"${table.name} is no table's path", 'write $name = "//tmp/me/data"; before')
        return table_path(value.value, table.place)

    def _select(self, statement: SelectStatement, output: str) -> tuple[Row, ...]:
        bound = query_binder.bind(statement.query, self._context)
        self._session.write_lines(bound.sql(line_sql(bound.columns)), output)
        with open(output, "rb") as lines:
            rows = tuple(decode.rows(lines, "the result"))
        os.unlink(output)
        return rows
