"""Queries against real tables in a real DuckDB."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from ytbuild.backends.dev.tables import TableStore
from ytbuild.base.errors import QueryError
from ytbuild.yql.duckdb.engine import QueryResult, run_query


class Yql:
    """Tables under a folder, and queries on them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.tables = TableStore(str(folder))

    def table(self, path: str, *rows: dict[str, Any]) -> None:
        """Write a table."""
        self.tables.write(path, rows)

    def run(self, query: str, **options: Any) -> QueryResult:
        """Run a query; its temporary folder must be empty afterwards, whatever happens."""
        try:
            return run_query(query, self.tables, str(self.folder / "tmp"), **options)
        finally:
            assert os.listdir(self.folder / "tmp") == []

    def gives(self, query: str, *rows: dict[str, Any]) -> None:
        """Check the rows of a query's last SELECT: values, their JSON types and the order of columns."""
        assert [json.dumps(row) for row in self.run(query).rows] == [json.dumps(row) for row in rows]

    def value(self, expression: str) -> Any:
        """Return the value of an expression."""
        (row,) = self.run(f"SELECT {expression} AS x").rows
        return row["x"]

    def fails(self, query: str) -> QueryError:
        """Return the error that a query ends with."""
        os.makedirs(self.folder / "tmp", exist_ok=True)
        with pytest.raises(QueryError) as caught:
            self.run(query)
        return caught.value


@pytest.fixture
def yql(tmp_path: Path) -> Yql:
    return Yql(tmp_path)


def same(value: Any, expected: Any) -> bool:
    """Tell whether two values are equal in JSON, where 1, 1.0 and true differ."""
    return json.dumps(value) == json.dumps(expected)
