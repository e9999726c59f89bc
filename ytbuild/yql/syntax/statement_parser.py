"""Parses queries and statements. Sources: the grammar of YQL v1; YQL docs, "Syntax"."""

from __future__ import annotations

from ytbuild.base.errors import QueryError, closest
from ytbuild.yql.syntax.cursor import Cursor
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.query_parser import QueryParser
from ytbuild.yql.syntax.tree import (  # fmt: skip
    Assign,
    Commit,
    Expression,
    Insert,
    NamedSource,
    Pragma,
    QuerySource,
    SelectStatement,
    Statement,
    TableSource,
    Use,
    Values,
)

_STATEMENTS = ("SELECT", "INSERT INTO", "PRAGMA", "USE", "COMMIT")
_REFUSED_STATEMENTS = {
    "REPLACE": "write INSERT INTO … WITH TRUNCATE", "UPSERT": "write INSERT INTO … WITH TRUNCATE",
    "UPDATE": "write INSERT INTO … WITH TRUNCATE SELECT …", "DELETE": "write INSERT INTO … WITH TRUNCATE SELECT …",
    "CREATE": "INSERT INTO creates the table", "DROP": "remove the table with the client", "ALTER": "",
    "PROCESS": "use a map operation", "REDUCE": "use a reduce operation", "DECLARE": "write $name = value;",
    "DEFINE": "write the query out", "DO": "write the query out", "EVALUATE": "write the query out",
    "IMPORT": "write the query out", "EXPORT": "", "ROLLBACK": "", "DISCARD": "leave the statement out", "FROM":
    "write SELECT … FROM …", "EXPLAIN": "", "ANALYZE": "", "VALUES": "VALUES stands after INSERT INTO only",
}  # fmt: skip


def parse(query: str) -> tuple[Statement, ...]:
    """Return the statements of a query; raises `QueryError`, naming the place, for what dev does not know."""
    try:
        return _StatementParser(query).statements()
    except RecursionError:
        raise QueryError("YQL: the query is nested too deeply", "give parts of it a name: $part = …;") from None


class _StatementParser:
    """Parses statements; queries are the work of `QueryParser`."""

    def __init__(self, query: str) -> None:
        self._cursor = Cursor(query)
        self._queries = QueryParser(self._cursor)
        self._expressions = self._queries.expressions

    def statements(self) -> tuple[Statement, ...]:
        cursor = self._cursor
        statements: list[Statement] = []
        while cursor.token.kind != "end":
            if cursor.take_sign(";"):
                continue
            statements.append(self._statement())
            if cursor.token.kind != "end" and not cursor.is_sign(";"):
                raise self._queries.unexpected("; or the end of the query")
        if not statements:
            raise QueryError("YQL: the query is empty", "write a SELECT or an INSERT INTO")
        return tuple(statements)

    def _statement(self) -> Statement:
        cursor = self._cursor
        place = cursor.place
        if cursor.token.kind == "named":
            return self._assign(place)
        if cursor.is_word("SELECT") or cursor.is_sign("("):
            return SelectStatement(place, self._queries.query())
        if cursor.take_word("INSERT"):
            return self._insert(place)
        if cursor.take_word("PRAGMA"):
            return self._pragma(place)
        if cursor.take_word("COMMIT"):
            return Commit(place)
        if cursor.take_word("USE"):
            if cursor.token.kind == "named":
                cursor.need_named()
            else:
                cursor.need_name("the name of a cluster")
            return Use(place)
        word = cursor.token.text.upper()
        if cursor.token.kind == "word" and word in _REFUSED_STATEMENTS:
            raise place.error(f"{word} is not supported in dev", _REFUSED_STATEMENTS[word])
        raise cursor.unexpected(f"a statement ({', '.join(_STATEMENTS)}, $name = …)", closest(word, _STATEMENTS))

    def _assign(self, place: Place) -> Assign:
        cursor = self._cursor
        name = cursor.need_named()
        if cursor.is_sign(","):
            raise cursor.place.error("unpacking a tuple into several names is not supported in dev")
        cursor.need_sign("=")
        if name == "_":
            raise place.error("$_ is anonymous and can never be used", "give it a name")
        if cursor.is_word("SELECT"):
            return Assign(place, name, self._queries.query())
        if cursor.is_sign("(") and cursor.following().text.upper() == "SELECT":
            return Assign(place, name, self._queries.query())
        if cursor.is_sign("(") and cursor.following().kind == "named":
            # `$f = ($x) -> …` reads like an expression in parentheses up to the arrow.
            value = self._expressions.expression()
            if cursor.is_sign("->"):
                raise place.error("lambdas are not supported in dev", "write the expression out")
            return Assign(place, name, value)
        if cursor.is_word("PROCESS", "REDUCE"):
            raise cursor.place.error(f"{cursor.token.text.upper()} is not supported in dev")
        return Assign(place, name, self._expressions.expression())

    def _pragma(self, place: Place) -> Pragma:
        cursor = self._cursor
        name = cursor.need_name("the name of a pragma")
        if cursor.take_sign("."):
            name += "." + cursor.need_name("the name of a pragma")
        if cursor.take_sign("("):
            self._expressions.expressions(")")
        elif cursor.take_sign("=") and not cursor.take_word("DEFAULT"):
            self._expressions.expression()
        return Pragma(place, name)

    def _insert(self, place: Place) -> Insert:
        cursor = self._cursor
        cursor.need_word("INTO")
        table = self._table_name()
        truncate = self._with() if cursor.take_word("WITH") else False
        columns: tuple[str, ...] = ()
        if cursor.is_sign("(") and cursor.following().text.upper() != "SELECT":
            columns = self._queries.names()
        if cursor.is_word("VALUES"):
            if not columns:
                raise cursor.place.error(
                    "VALUES without column names", "write INSERT INTO `//path` (a, b) VALUES (1, 2)"
                )
            return Insert(place, table, truncate, columns, self._rows(len(columns)))
        if columns:
            raise cursor.unexpected("VALUES", "with SELECT, name the columns there: SELECT x AS a")
        return Insert(place, table, truncate, columns, self._queries.query())

    def _table_name(self) -> TableSource | NamedSource:
        source = self._queries.table()
        if isinstance(source, QuerySource):
            raise source.place.error("expected a table's path", "write it in backticks: `//tmp/me/data`")
        return source

    def _with(self) -> bool:
        cursor = self._cursor
        inside = bool(cursor.take_sign("("))
        if not cursor.take_word("TRUNCATE"):
            raise cursor.unexpected("TRUNCATE after WITH", "other modifiers of INSERT are not supported in dev")
        if inside:
            cursor.need_sign(")")
        elif cursor.is_word("WITH"):
            raise cursor.place.error("a second WITH", "only TRUNCATE is supported in dev")
        return True

    def _rows(self, width: int) -> Values:
        cursor = self._cursor
        place = cursor.place
        cursor.need_word("VALUES")
        rows: list[tuple[Expression, ...]] = []
        while not rows or cursor.take_sign(","):
            start = cursor.place
            cursor.need_sign("(")
            rows.append(self._expressions.expressions(")"))
            if len(rows[-1]) != width:
                raise start.error(f"a row of {len(rows[-1])} values for {width} columns")
        return Values(place, tuple(rows))
