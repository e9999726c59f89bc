"""Queries against literal rows, as YQL's documentation has them: in dev, and on a real cluster when one is named.

The stand-in takes no part: it runs no SQL. The facts are those of the YQL pages of https://ytsaurus.tech/docs and
https://ydb.tech/docs (SELECT, JOIN, GROUP BY, expressions, CAST, basic functions, aggregate functions).
"""

from __future__ import annotations

import secrets
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import pytest

from tests.backends.prod.clients import dev_client, prod_client
from tests.cluster.running import RealCluster
from tests.parity.both import Row, check_same
from ytbuild.backends.base import Client

REAL = RealCluster.from_environment()

TABLES: dict[str, list[Row]] = {
    "numbers": [{"n": 7, "d": 2, "x": 0.5}, {"n": -7, "d": 2, "x": -2.5}, {"n": 7, "d": 0, "x": 0.0}],
    "people": [
        {"name": "Ada", "city": "London", "age": 36},
        {"name": "Grace", "city": None, "age": 85},
        {"name": "Emmy", "city": "Erlangen", "age": None},
        {"name": "Mary", "city": "London", "age": 45},
        {"name": "Zoé", "city": None, "age": 36},
    ],
    "cities": [
        {"city": "London", "country": "UK"},
        {"city": "Paris", "country": "France"},
        {"city": None, "country": "nowhere"},
    ],
    "texts": [{"t": "b"}, {"t": "B"}, {"t": "é"}, {"t": ""}, {"t": None}, {"t": "a%c"}],
    "few": [{"a": 1, "b": "one"}, {"a": 2, "b": "two"}],
    "more": [{"a": 2, "c": True}, {"a": 3, "c": False}],
}


@dataclass(frozen=True)
class Place:
    """A backend whose folder has the tables."""

    client: Client
    folder: str

    def run(self, query: str) -> list[Row]:
        """Run a query, in which `//x/name` is the table `name`."""
        return self.client.run_yql("PRAGMA yt.InferSchema = '1000';\n" + query.replace("//x/", f"{self.folder}/"))


@pytest.fixture(scope="module", params=["dev", "cluster"] if REAL else ["dev"])
def place(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Place]:
    """The tables, in dev, and on the real cluster if there is one."""
    root = tmp_path_factory.mktemp("yql")
    real = REAL if request.param == "cluster" else None
    with dev_client(root) if real is None else prod_client(real, root, retry_seconds=30) as client:
        folder = f"{real.root if real else '//x'}/ytbuild-test-{secrets.token_hex(6)}"
        for name, rows in TABLES.items():
            client.write_table(f"{folder}/{name}", rows)
        yield Place(client, folder)
        client.remove(folder, recursive=True, force=True)


def each(column: str, *values: Any) -> list[Row]:
    """Rows of one column."""
    return [{column: value} for value in values]


PEOPLE_JOIN = "SELECT p.name AS name, c.country AS country FROM `//x/people` AS p {} JOIN `//x/cities` AS c"
MATCHED = [{"name": "Ada", "country": "UK"}, {"name": "Mary", "country": "UK"}]
ONLY_PEOPLE = [{"name": name, "country": None} for name in ("Grace", "Emmy", "Zoé")]
ONLY_CITIES = [{"name": None, "country": country} for country in ("France", "nowhere")]

QUERIES: dict[str, tuple[str, list[Row]]] = {
    "integers divide to an integer, towards zero, and by zero to NULL": (
        "SELECT n / d AS q FROM `//x/numbers` ORDER BY q",
        each("q", None, -3, 3),
    ),
    "the remainder has the sign of the dividend, and by zero is NULL": (
        "SELECT n % d AS r FROM `//x/numbers` ORDER BY r",
        each("r", None, -1, 1),
    ),
    "an integer divided by a fraction is a fraction": ("SELECT 7 / 2.0 AS q", each("q", 3.5)),
    "NULL comes first in ascending order": (
        "SELECT DISTINCT age FROM `//x/people` ORDER BY age",
        each("age", None, 36, 45, 85),
    ),
    "NULL comes last in descending order": (
        "SELECT DISTINCT age FROM `//x/people` ORDER BY age DESC",
        each("age", 85, 45, 36, None),
    ),
    "texts are ordered by their bytes": (
        "SELECT t FROM `//x/texts` WHERE t IS NOT NULL ORDER BY t",
        each("t", "", "B", "a%c", "b", "é"),
    ),
    "a CAST of what is no number is NULL": (
        "SELECT CAST('abc' AS Int64) AS a, CAST('1.5' AS Int64) AS b, CAST('' AS Double) AS c",
        [{"a": None, "b": None, "c": None}],
    ),
    "a CAST of a number in a text": (
        "SELECT CAST('-12' AS Int64) AS a, CAST('1.5' AS Double) AS b",
        [{"a": -12, "b": 1.5}],
    ),
    "a CAST cuts the fraction off": ("SELECT CAST(1.9 AS Int64) AS a, CAST(-1.9 AS Int64) AS b", [{"a": 1, "b": -1}]),
    "a CAST to a type that is too small is NULL": (
        "SELECT CAST(300 AS Uint8) AS a, CAST(-1 AS Uint64) AS b, CAST(200 AS Uint8) AS c",
        [{"a": None, "b": None, "c": 200}],
    ),
    "a CAST to a text": (
        "SELECT CAST(42 AS String) AS a, CAST(true AS String) AS b, CAST(0.5 AS String) AS c",
        [{"a": "42", "b": "true", "c": "0.5"}],
    ),
    "a comparison with NULL is not true": (
        "SELECT name FROM `//x/people` WHERE city != 'London' ORDER BY name",
        each("name", "Emmy"),
    ),
    "AND and OR know three values": (
        "SELECT false AND NULL AS a, true AND NULL AS b, true OR NULL AS c, false OR NULL AS d",
        [{"a": False, "b": None, "c": True, "d": None}],
    ),
    "NULL is one group of GROUP BY": (
        "SELECT city, COUNT(*) AS n FROM `//x/people` GROUP BY city ORDER BY city",
        [{"city": None, "n": 2}, {"city": "Erlangen", "n": 1}, {"city": "London", "n": 2}],
    ),
    "aggregates pass over NULL, and COUNT(*) does not": (
        "SELECT COUNT(*) AS people, COUNT(age) AS ages, SUM(age) AS total, AVG(age) AS mean FROM `//x/people`",
        [{"people": 5, "ages": 4, "total": 202, "mean": 50.5}],
    ),
    "aggregates of no rows": (
        "SELECT COUNT(*) AS n, SUM(age) AS total, MAX(age) AS oldest FROM `//x/people` WHERE age > 1000",
        [{"n": 0, "total": None, "oldest": None}],
    ),
    "COUNT of DISTINCT values": ("SELECT COUNT(DISTINCT age) AS n FROM `//x/people`", each("n", 3)),
    "COUNT_IF and SUM_IF": (
        "SELECT COUNT_IF(age > 40) AS n, SUM_IF(age, city = 'London') AS total FROM `//x/people`",
        [{"n": 2, "total": 81}],
    ),
    "MAX_BY and MIN_BY": (
        "SELECT MAX_BY(name, age) AS oldest, MIN_BY(c.country, c.city) AS nearest FROM `//x/people` AS p "
        "CROSS JOIN `//x/cities` AS c WHERE p.age > 50 AND c.city IS NOT NULL",
        [{"oldest": "Grace", "nearest": "UK"}],
    ),
    "HAVING is about groups": (
        "SELECT age FROM `//x/people` GROUP BY age HAVING COUNT(*) > 1",
        each("age", 36),
    ),
    "a group may be an expression": (
        "SELECT tens, COUNT(*) AS n FROM `//x/people` WHERE age IS NOT NULL GROUP BY age / 10 AS tens ORDER BY tens",
        [{"tens": 3, "n": 2}, {"tens": 4, "n": 1}, {"tens": 8, "n": 1}],
    ),
    "a list of a group's values": (
        "SELECT ListSort(AGGREGATE_LIST(name)) AS names FROM `//x/people` WHERE city = 'London'",
        each("names", ["Ada", "Mary"]),
    ),
    "JOIN: NULL keys match nothing": (PEOPLE_JOIN.format("INNER") + " ON p.city = c.city", MATCHED),
    "LEFT JOIN": (PEOPLE_JOIN.format("LEFT") + " USING (city)", MATCHED + ONLY_PEOPLE),
    "RIGHT JOIN": (PEOPLE_JOIN.format("RIGHT") + " USING (city)", MATCHED + ONLY_CITIES),
    "FULL JOIN": (PEOPLE_JOIN.format("FULL") + " USING (city)", MATCHED + ONLY_PEOPLE + ONLY_CITIES),
    "EXCLUSION JOIN": (PEOPLE_JOIN.format("EXCLUSION") + " USING (city)", ONLY_PEOPLE + ONLY_CITIES),
    "LEFT SEMI JOIN": (
        "SELECT c.country AS country FROM `//x/cities` AS c LEFT SEMI JOIN `//x/people` AS p USING (city)",
        each("country", "UK"),
    ),
    "LEFT ONLY JOIN": (
        "SELECT c.country AS country FROM `//x/cities` AS c LEFT ONLY JOIN `//x/people` AS p USING (city)",
        each("country", "France", "nowhere"),
    ),
    "CROSS JOIN": ("SELECT COUNT(*) AS n FROM `//x/people` AS p CROSS JOIN `//x/cities` AS c", each("n", 15)),
    "UNION ALL goes by the names of columns": (
        "SELECT a, b FROM `//x/few` UNION ALL SELECT c, a FROM `//x/more`",
        [
            {"a": 1, "b": "one", "c": None},
            {"a": 2, "b": "two", "c": None},
            {"a": 2, "b": None, "c": True},
            {"a": 3, "b": None, "c": False},
        ],
    ),
    "UNION leaves equal rows out": (
        "SELECT a FROM `//x/few` UNION SELECT a FROM `//x/more`",
        each("a", 1, 2, 3),
    ),
    "LIMIT and OFFSET": (
        "SELECT name FROM `//x/people` ORDER BY name LIMIT 2 OFFSET 1",
        each("name", "Emmy", "Grace"),
    ),
    "DISTINCT takes NULL for one value": (
        "SELECT DISTINCT city FROM `//x/people`",
        each("city", None, "London", "Erlangen"),
    ),
    "IN a list": ("SELECT name FROM `//x/people` WHERE age IN (36, 85)", each("name", "Ada", "Grace", "Zoé")),
    "IN a query": (
        "SELECT a FROM `//x/few` WHERE a IN (SELECT a FROM `//x/more`)",
        each("a", 2),
    ),
    "IS DISTINCT FROM takes NULL for a value": (
        "SELECT name FROM `//x/people` WHERE city IS DISTINCT FROM 'London'",
        each("name", "Grace", "Emmy", "Zoé"),
    ),
    "COALESCE, NVL and ??": (
        "SELECT COALESCE(city, 'none') AS a, NVL(age, 0) AS b, city ?? name AS c "
        "FROM `//x/people` WHERE name = 'Emmy'",
        [{"a": "Erlangen", "b": 0, "c": "Erlangen"}],
    ),
    "CASE and IF": (
        "SELECT name, CASE WHEN age > 40 THEN 'old' ELSE 'young' END AS a, IF(age IS NULL, 'unknown') AS b "
        "FROM `//x/people` WHERE city IS NOT NULL",
        [
            {"name": "Ada", "a": "young", "b": None},
            {"name": "Emmy", "a": "young", "b": "unknown"},
            {"name": "Mary", "a": "old", "b": None},
        ],
    ),
    "a text's length is in bytes, and in characters with Unicode": (
        "SELECT LENGTH(name) AS a, Unicode::GetLength(CAST(name AS Utf8)) AS b FROM `//x/people` "
        "WHERE name LIKE 'Z%'",
        [{"a": 4, "b": 3}],
    ),
    "positions in a text begin at 0": (
        "SELECT SUBSTRING('ytsaurus', 2, 4) AS a, SUBSTRING('ytsaurus', 6) AS b, FIND('ytsaurus', 's') AS c, "
        "RFIND('ytsaurus', 's') AS d, FIND('ytsaurus', 'x') AS e",
        [{"a": "saur", "b": "us", "c": 2, "d": 7, "e": None}],
    ),
    "functions of texts": (
        "SELECT 'a' || 'b' AS a, String::AsciiToUpper('yql') AS b, String::Strip('  x ') AS c, "
        "String::ReplaceAll('a-b-c', '-', '+') AS d, StartsWith('yql', 'y') AS e, EndsWith('yql', 'y') AS f",
        [{"a": "ab", "b": "YQL", "c": "x", "d": "a+b+c", "e": True, "f": False}],
    ),
    "a text joined with NULL is NULL": ("SELECT 'a' || t AS x FROM `//x/texts` WHERE t IS NULL", each("x", None)),
    "a text split and joined": (
        "SELECT String::JoinFromList(String::SplitToList('a,b,c', ','), '-') AS x",
        each("x", "a-b-c"),
    ),
    "LIKE with an escaped sign": (
        "SELECT t FROM `//x/texts` WHERE t LIKE '%!%%' ESCAPE '!'",
        each("t", "a%c"),
    ),
    "BETWEEN has both ends": (
        "SELECT name FROM `//x/people` WHERE age BETWEEN 36 AND 45",
        each("name", "Ada", "Mary", "Zoé"),
    ),
    "a named query": (
        "$old = (SELECT name, age FROM `//x/people` WHERE age > 40); SELECT MAX(age) AS age FROM $old",
        each("age", 85),
    ),
    "one value of a query": (
        "$most = (SELECT MAX(age) FROM `//x/people`); SELECT name FROM `//x/people` WHERE age = $most",
        each("name", "Grace"),
    ),
    "functions of numbers": (
        "SELECT ABS(-3) AS a, Math::Floor(-2.5) AS b, Math::Round(2.456, -2) AS c, MAX_OF(1, 3, 2) AS d, "
        "MIN_OF(2, 3) AS e",
        [{"a": 3, "b": -3.0, "c": 2.46, "d": 3, "e": 2}],
    ),
}


@pytest.mark.parametrize("what", QUERIES)
def test_rows(place: Place, what: str) -> None:
    """Their order counts where the query has one."""
    query, rows = QUERIES[what]
    check_same(place.run(query), rows, ordered="ORDER BY" in query)


def test_insert_adds_rows_and_with_truncate_replaces_them(place: Place) -> None:
    place.run("INSERT INTO `//x/out` WITH TRUNCATE SELECT a FROM `//x/few`")
    place.run("INSERT INTO `//x/out` SELECT a FROM `//x/more`")
    check_same(place.client.read_table(f"{place.folder}/out"), each("a", 1, 2, 2, 3))
    place.run("INSERT INTO `//x/out` WITH TRUNCATE SELECT a FROM `//x/more` WHERE a > 2")
    check_same(place.client.read_table(f"{place.folder}/out"), each("a", 3))


def test_a_query_that_writes_in_an_order_leaves_rows_in_it(place: Place) -> None:
    place.run("INSERT INTO `//x/sorted` WITH TRUNCATE SELECT name FROM `//x/people` ORDER BY name DESC")
    check_same(
        place.client.read_table(f"{place.folder}/sorted"),
        each("name", "Zoé", "Mary", "Grace", "Emmy", "Ada"),
        ordered=True,
    )


def test_after_commit_a_statement_reads_what_was_written(place: Place) -> None:
    rows = place.run(
        "INSERT INTO `//x/first` WITH TRUNCATE SELECT a * 10 AS a FROM `//x/few`; COMMIT; "
        "SELECT SUM(a) AS s FROM `//x/first`"
    )
    assert rows == each("s", 30)
