"""No query reads or writes a file that is not a table of its own."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tests.yql.conftest import Yql
from ytbuild.base.errors import QueryError, YtbuildError
from ytbuild.yql.duckdb.session import Session, rows_of


@pytest.fixture
def secret(yql: Yql) -> Path:
    path = yql.folder / "secret.json"
    path.write_text('{"password":"hunter2"}\n')
    return path


@pytest.mark.parametrize(
    "query",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM read_text('/etc/passwd')",
        "SELECT read_text('/etc/passwd')",
        "SELECT * FROM `/etc/passwd`",
        "SELECT * FROM '/etc/passwd'",
        "SELECT * FROM `//../../etc/passwd`",
        "SELECT * FROM `//../secret.json`",
        "$p = '/etc/passwd'; SELECT * FROM $p",
        "$p = '//../../../etc/passwd'; SELECT * FROM $p",
        "SELECT * FROM `//a/'; DROP TABLE x; --`",
        "SELECT * FROM `//a/') UNION SELECT * FROM read_text('/etc/passwd') --`",
        "COPY (SELECT 1) TO '/tmp/x'",
        "ATTACH '/tmp/x.db'",
        "INSTALL httpfs",
        "LOAD httpfs",
        "SET enable_external_access = true",
        "EXPORT DATABASE '/tmp/x'",
        "CALL pragma_version()",
        "PRAGMA database_list",
        "SELECT getenv('HOME')",
        "SELECT current_setting('allowed_paths')",
        "SELECT * FROM duckdb_settings()",
        "SELECT * FROM information_schema.tables",
    ],
)
def test_hostile_queries_fail(yql: Yql, query: str) -> None:
    os.makedirs(yql.folder / "tmp")
    with pytest.raises(YtbuildError):
        yql.run(query)


@pytest.mark.parametrize("name", ["x'; DROP", "x') --", 'x"', "x\\'", "x\x00y", "'||(SELECT 1)||'", "{}", "%s", "$1"])
def test_names_and_texts_are_only_names_and_texts(yql: Yql, name: str) -> None:
    yql.table("//t", {name: name})
    written = "@@" + name + "@@"
    quoted = "`" + name.replace("\\", "\\\\").replace("`", "\\`") + "`"
    yql.gives(
        f"SELECT {quoted}, {quoted} = {written} AS same FROM `//t` WHERE {quoted} LIKE {written}",
        {name: name, "same": True},
    )


def test_a_tables_path_is_only_a_path(yql: Yql) -> None:
    path = "//a/it's $(x) ; -- t"
    yql.table(path, {"a": 1})
    yql.gives(f"SELECT a FROM `{path}`", {"a": 1})


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_text('{secret}')",
        "SELECT * FROM read_ndjson_objects('{secret}')",
        "SELECT * FROM glob('/etc/*')",
        "COPY (SELECT 1) TO '{folder}/other.csv'",
        "ATTACH '{folder}/other.db'",
        "SET enable_external_access = true",
        "SET allowed_paths = ['{secret}']",
        "SET temp_directory = '/tmp'",
        "INSTALL httpfs",
        "EXPORT DATABASE '{folder}/other'",
        "IMPORT DATABASE '{folder}'",
    ],
)
def test_the_session_itself_is_closed(yql: Yql, secret: Path, sql: str) -> None:
    """Even SQL of DuckDB, should a query ever smuggle it in, reaches no other file."""
    yql.table("//t", {"a": 1})
    table = yql.tables.existing_file("//t")
    with Session(str(yql.folder / "tmp"), [table], [], 0) as session:
        assert session.run(f"SELECT count(*) FROM {rows_of([table], 0)}") == [(1,)]
        with pytest.raises(QueryError):
            session.run(sql.format(secret=secret, folder=yql.folder))
    assert sorted(os.listdir(yql.folder)) == ["catalogue.json", "secret.json", "t.jsonl"]


def test_what_does_not_fit_into_memory_goes_into_the_folder(tmp_path: Path) -> None:
    with Session(str(tmp_path), [], [], 0, memory=100 << 20) as session:
        session.run("CREATE TABLE t AS SELECT repeat(md5(CAST(range AS VARCHAR)), 64) AS s FROM range(100000)")
        assert [entry.name for entry in tmp_path.iterdir()] == ["spill"]


def test_a_query_writes_nowhere_but_to_its_tables(yql: Yql) -> None:
    yql.table("//t", {"a": 1})
    yql.run("INSERT INTO `//o` SELECT a FROM `//t`")
    assert sorted(os.listdir(yql.folder)) == ["catalogue.json", "o.jsonl", "t.jsonl", "tmp"]
