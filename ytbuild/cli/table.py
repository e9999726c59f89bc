"""`ytbuild table`."""

from __future__ import annotations

import contextlib
import itertools
import json
import os
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from typing import IO, Any, NoReturn

import click

from ytbuild.backends.dev.tables import TableStore
from ytbuild.base.errors import ConfigError, CypressPathError, TableError, UsageError, closest
from ytbuild.base.reporter import Event
from ytbuild.base.text import plural, quote, size
from ytbuild.cli.json_output import print_json
from ytbuild.cli.options import Options, common_options
from ytbuild.config import pipeline as pipeline_config
from ytbuild.config.cypress_path import node_path
from ytbuild.config.documents import Documents
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.rows import decode
from ytbuild.rows.ranges import count_lines

_HEAD = 10
_NOT_UTF8 = re.compile("[\ud800-\udfff]")
# DEL, the C1 controls, and what reorders or breaks a line; JSON itself escapes the C0 controls.
_NOT_FOR_TERMINALS = re.compile("[\x7f-\x9f\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]")


@click.command("table")
@click.argument("path", required=False)
@click.option("-n", "--head", type=click.IntRange(min=0), metavar="N", help=f"Show N rows (default: {_HEAD}).")
@click.option("--count", is_flag=True, help="Print the number of rows, and nothing else.")
@click.option("--json", "as_json", is_flag=True, help="Print the answer as JSON.")
@common_options
@click.pass_obj
def command(options: Options, path: str | None, head: int | None, count: bool, as_json: bool) -> None:
    """Show the first rows of the dev table at PATH, as lines of JSON.

    Without PATH it lists all tables: rows, size, path and file.
    """
    path = _checked_path(path, head, count, as_json)
    tables = _Tables(_dev_config(options), options)
    if path is None:
        tables.show_all(as_json)
    elif count:
        tables.count(path)
    elif as_json:
        tables.describe(path, _HEAD if head is None else head)
    else:
        tables.show(path, _HEAD if head is None else head)


def _checked_path(path: str | None, head: int | None, count: bool, as_json: bool) -> str | None:
    if path is None and (count or head is not None):
        raise UsageError("--head and --count need a table's PATH", "`ytbuild table` lists the tables")
    if count and (as_json or head is not None):
        raise UsageError("--count goes with neither --head nor --json", "leave one of them out")
    try:
        return None if path is None else node_path(path)
    except CypressPathError as error:
        raise UsageError(error.message, error.hint) from None


def _dev_config(options: Options) -> PipelineConfig:
    root, _ = pipeline_config.locate(options.directory, options.config)
    documents = Documents(os.path.join(root, ".build"))
    config = pipeline_config.load(options.directory, options.config, options.overrides, documents)
    if config.mode != "dev":
        raise ConfigError(
            f"pipeline.mode is {config.mode}: this release shows dev tables only", "add -o pipeline.mode=dev"
        )
    return config


@dataclass(frozen=True)
class _Entry:
    """A table in the list; `table` is None for a file that no table's path has claimed yet."""

    table: str | None
    file: str
    rows: int
    size: int


@dataclass(frozen=True)
class _Counting(Event):
    """The rows of a table are counted, for so many `seconds` already."""

    seconds: float


class _Tables:
    """The dev tables of a pipeline, looked at: nothing is written, not even the catalogue."""

    def __init__(self, config: PipelineConfig, options: Options) -> None:
        self._directory = config.directory
        self._store = TableStore(config.dev_dir)
        self._reporter = options.reporter
        self._reporter.words = {_Counting: lambda event, to: to.status(f"counting rows … {event.seconds:.0f}s")}

    def show(self, table: str, head: int) -> None:
        """Print the first rows, and say how many there are."""
        path = self._store.file_of(table)
        unprintable = _NOT_FOR_TERMINALS if sys.stdout.isatty() else _NOT_UTF8
        out = sys.stdout.buffer
        printed = 0
        with self._opened(path, table) as file:
            for row in decode.rows(itertools.islice(file, head), quote(table)):
                out.write(_line(row, unprintable))
                printed += 1
            # The reader need not wait until all rows are counted.
            out.flush()
            rows, length = self._measure(file)
        place = f"{quote(self._display_path(path))}, {size(length)}"
        self._reporter.line(f"{printed:,} of {plural(rows, 'row')} of {quote(table)} ({place})")

    def count(self, table: str) -> None:
        """Print the number of rows."""
        with self._opened(self._store.file_of(table), table) as file:
            rows, _ = self._measure(file)
        click.echo(rows)

    def describe(self, table: str, head: int) -> None:
        """Print what there is to know of a table, and its first rows, as JSON."""
        path = self._store.file_of(table)
        with self._opened(path, table) as file:
            first = list(decode.rows(itertools.islice(file, head), quote(table)))
            rows, length = self._measure(file)
        columns = list(dict.fromkeys(name for row in first for name in row))
        print_json({"table": table, "file": path, "rows": rows, "size": length, "columns": columns, "head": first})

    def show_all(self, as_json: bool) -> None:
        """Print every table."""
        entries = [self._entry(table, path) for table, path in self._store.listing()]
        if as_json:
            print_json({"tables": [vars(entry) for entry in entries]})
        else:
            for entry in entries:
                numbers = f"{entry.rows:>13,}  {size(entry.size):>10}"
                click.echo(f"{numbers}  {quote(entry.table or '-')}  {quote(self._display_path(entry.file))}")
        total, length = sum(entry.rows for entry in entries), sum(entry.size for entry in entries)
        self._reporter.line(f"{plural(len(entries), 'table')}, {plural(total, 'row')}, {size(length)}")

    def _entry(self, table: str | None, path: str) -> _Entry:
        with self._opened(path, table or self._display_path(path)) as file:
            return _Entry(table, path, *self._measure(file))

    def _measure(self, file: IO[bytes]) -> tuple[int, int]:
        """Return the number of rows and bytes of the whole file."""
        with self._reporter.working(_Counting):
            return count_lines(file), os.fstat(file.fileno()).st_size

    @contextlib.contextmanager
    def _opened(self, path: str, table: str) -> Iterator[IO[bytes]]:
        # One open file all the way: whoever replaces the table meanwhile does not mix two versions.
        if not os.path.isfile(path):
            self._raise_missing(path, table)
        try:
            file = open(path, "rb")  # noqa: SIM115 - the block below may raise OSErrors of its own
        except OSError as error:
            raise TableError(f"cannot read {quote(path)}: {error.strerror}", "check its permissions") from None
        with file:
            yield file

    def _raise_missing(self, path: str, table: str) -> NoReturn:
        known = [quote(name) for name, _ in self._store.listing() if name is not None]
        raise TableError(
            f"there is no table {quote(table)} ({quote(self._display_path(path))} does not exist)",
            closest(quote(table), known) or "`ytbuild table` lists the tables; run the stage that writes it first",
        )

    def _display_path(self, path: str) -> str:
        return os.path.relpath(path, self._directory)


def _line(row: dict[str, Any], unprintable: re.Pattern[str]) -> bytes:
    text = json.dumps(row, ensure_ascii=False, separators=(",", ":"))
    return unprintable.sub(lambda match: f"\\u{ord(match[0]):04x}", text).encode() + b"\n"
