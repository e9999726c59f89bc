"""Parses queries: SELECT with its clauses, joins, UNION. Sources: the grammar of YQL v1; YQL docs, "SELECT"."""

from __future__ import annotations

from dataclasses import replace

from ytbuild.base.errors import QueryError
from ytbuild.yql.syntax.cursor import Cursor
from ytbuild.yql.syntax.expression_parser import ExpressionParser
from ytbuild.yql.syntax.paths import table_path
from ytbuild.yql.syntax.place import Place
from ytbuild.yql.syntax.tree import (
    Expression,
    FromItem,
    Item,
    Join,
    NamedSource,
    Order,
    Query,
    QuerySource,
    Select,
    Star,
    TableSource,
    Union,
)

_REFUSED_CLAUSES = {
    "FLATTEN": "flatten in a map operation", "WINDOW": "use GROUP BY and a join", "WITHOUT": "list the columns",
    "SAMPLE": "filter with WHERE", "TABLESAMPLE": "filter with WHERE", "ASSUME": "write ORDER BY",
    "INTERSECT": "use a LEFT SEMI JOIN", "EXCEPT": "use a LEFT ONLY JOIN", "INTO": "write INSERT INTO … SELECT …",
    "VIEW": "", "WITH": "dev takes the columns' types from the rows", "NATURAL": "write JOIN … USING (…)",
}  # fmt: skip


class QueryParser:
    """Parses queries from a cursor; expressions are the work of `expressions`."""

    def __init__(self, cursor: Cursor) -> None:
        self._cursor = cursor
        self.expressions = ExpressionParser(cursor, self.query)

    def query(self) -> Query:
        """Parse a SELECT, or several of them with UNION between; what stands in parentheses may have ORDER BY."""
        cursor = self._cursor
        cursor.deeper()
        place = cursor.place
        parts: list[Query] = []
        kinds: set[str] = set()
        ordered: Place | None = None
        while True:
            bare = not cursor.is_sign("(")
            part = self._part()
            parts.append(part)
            if bare and isinstance(part, Select) and (part.order_by or part.limit):
                ordered = part.place
            if not cursor.take_word("UNION"):
                break
            kinds.add("UNION ALL" if cursor.take_word("ALL") else "UNION")
            if len(kinds) > 1:
                raise cursor.place.error("UNION and UNION ALL in one query", "put one of them into parentheses")
        cursor.shallower()
        if len(parts) == 1:
            return parts[0]
        if ordered:
            raise ordered.error(
                "ORDER BY or LIMIT in a UNION without parentheses",
                "write (SELECT … ORDER BY …) UNION ALL …, or order a subquery that holds the whole UNION",
            )
        return Union(place, tuple(parts), "UNION" in kinds)

    def _part(self) -> Query:
        cursor = self._cursor
        if cursor.take_sign("("):
            query = self.query()
            cursor.need_sign(")")
            return query
        return self._select()

    def _select(self) -> Select:
        cursor = self._cursor
        place = cursor.place
        cursor.need_word("SELECT")
        distinct = bool(cursor.take_word("DISTINCT"))
        items = self._items()
        source, joins = self._from() if cursor.take_word("FROM") else (None, ())
        where = self.expressions.expression() if cursor.take_word("WHERE") else None
        group_by = self._group_by() if cursor.take_word("GROUP") else ()
        having = self.expressions.expression() if cursor.take_word("HAVING") else None
        order_by = self._order_by() if cursor.take_word("ORDER") else ()
        limit, offset = self._limit()
        self._check_clause()
        return Select(place, distinct, items, source, joins, where, group_by, having, order_by, limit, offset)

    def _check_clause(self) -> None:
        word = self._cursor.token.text.upper()
        if self._cursor.token.kind == "word" and word in _REFUSED_CLAUSES:
            raise self.unexpected("the end of the SELECT")

    def unexpected(self, expected: str) -> QueryError:
        token = self._cursor.token
        word = token.text.upper()
        if token.kind == "word" and word in _REFUSED_CLAUSES:
            return token.place.error(f"{word} is not supported in dev", _REFUSED_CLAUSES[word])
        if token.kind == "word" and word in ("WHERE", "GROUP", "HAVING", "ORDER", "LIMIT", "JOIN"):
            return token.place.error(
                f"{word} stands in the wrong place",
                "the order is FROM, JOIN, WHERE, GROUP BY, HAVING, ORDER BY, LIMIT",
            )
        return self._cursor.unexpected(expected)

    def _items(self) -> tuple[Star | Item, ...]:
        cursor = self._cursor
        items: list[Star | Item] = [self._item()]
        while cursor.take_sign(","):
            if cursor.token.kind == "end" or cursor.is_word("FROM") or cursor.is_sign(")", ";"):
                break
            items.append(self._item())
        return tuple(items)

    def _item(self) -> Star | Item:
        cursor = self._cursor
        place = cursor.place
        if cursor.take_sign("*"):
            return Star(place, None)
        value = self.expressions.expression_or_star()
        return value if isinstance(value, Star) else Item(place, value, self._alias("a column"))

    def _alias(self, what: str) -> str | None:
        if self._cursor.take_word("AS"):
            return self._cursor.need_name(f"a name for {what}")
        if self._cursor.is_name() and self._cursor.token.text.upper() not in ("ASSUME", "VIEW"):
            return self._cursor.need_name(f"a name for {what}")
        return None

    def _group_by(self) -> tuple[Item, ...]:
        cursor = self._cursor
        cursor.need_word("BY")
        keys: list[Item] = []
        while not keys or cursor.take_sign(","):
            if keys and (cursor.token.kind == "end" or cursor.is_sign(")", ";") or cursor.is_word("HAVING", "ORDER")):
                break
            place = cursor.place
            value = self.expressions.expression()
            keys.append(Item(place, value, self._alias("a key")))
        return tuple(keys)

    def _order_by(self) -> tuple[Order, ...]:
        cursor = self._cursor
        cursor.need_word("BY")
        terms: list[Order] = []
        while not terms or cursor.take_sign(","):
            place = cursor.place
            value = self.expressions.expression()
            terms.append(Order(place, value, cursor.take_word("ASC", "DESC") == "DESC"))
        return tuple(terms)

    def _limit(self) -> tuple[Expression | None, Expression | None]:
        cursor = self._cursor
        if not cursor.take_word("LIMIT"):
            return None, None
        limit = self.expressions.expression()
        if cursor.is_sign(","):
            raise cursor.place.error("LIMIT with a comma is not supported in dev", "write LIMIT n OFFSET m")
        offset = self.expressions.expression() if cursor.take_word("OFFSET") else None
        return limit, offset

    def _from(self) -> tuple[FromItem, tuple[Join, ...]]:
        cursor = self._cursor
        source = self._from_item()
        joins: list[Join] = []
        while True:
            place = cursor.place
            if cursor.is_sign(","):
                raise place.error(
                    "a comma between tables is not supported in dev", "write CROSS JOIN, or JOIN … ON …"
                )
            kind = self._join_kind()
            if not kind:
                return source, tuple(joins)
            joins.append(self._join(place, kind))

    def names(self) -> tuple[str, ...]:
        cursor = self._cursor
        cursor.need_sign("(")
        names = [cursor.need_name("a column")]
        while cursor.take_sign(",") and not cursor.is_sign(")"):
            place = cursor.place
            names.append(cursor.need_name("a column"))
            if names[-1] in names[:-1]:
                raise place.error(f"the column {names[-1]} is named twice")
        cursor.need_sign(")")
        return tuple(names)

    def _join_kind(self) -> str:
        cursor = self._cursor
        side = cursor.take_word("LEFT", "RIGHT", "FULL", "INNER", "CROSS", "EXCLUSION")
        kind = side or "INNER"
        if side in ("LEFT", "RIGHT"):
            detail = cursor.take_word("SEMI", "ONLY", "OUTER")
            kind = f"{side} {detail}" if detail in ("SEMI", "ONLY") else side
        elif side == "FULL":
            cursor.take_word("OUTER")
        if side:
            cursor.need_word("JOIN")
            return kind
        return kind if cursor.take_word("JOIN") else ""

    def _join(self, place: Place, kind: str) -> Join:
        cursor = self._cursor
        source = self._from_item()
        if kind == "CROSS":
            if cursor.is_word("ON", "USING"):
                raise cursor.place.error("a CROSS JOIN has no condition", "leave it out, or write JOIN")
            return Join(place, kind, source, None, ())
        if cursor.take_word("USING"):
            names = self.names() if cursor.is_sign("(") else (cursor.need_name("a column"),)
            return Join(place, kind, source, None, names)
        if not cursor.take_word("ON"):
            raise cursor.unexpected("ON or USING", "every join but CROSS JOIN has a condition")
        return Join(place, kind, source, self.expressions.expression(), ())

    def _from_item(self) -> FromItem:
        cursor = self._cursor
        if cursor.is_word("ANY"):
            raise cursor.place.error("ANY before a table is not supported in dev", "use a subquery with GROUP BY")
        source = self.table()
        alias = self._alias("a table")
        self._check_clause()
        return replace(source, alias=alias)

    def table(self) -> FromItem:
        cursor = self._cursor
        place = cursor.place
        if cursor.token.kind == "named":
            return NamedSource(place, cursor.need_named(), None)
        if cursor.is_sign("("):
            cursor.advance()
            query = self.query()
            cursor.need_sign(")")
            return QuerySource(place, query, None)
        token = cursor.token
        path = cursor.need_name("a table")
        if cursor.is_sign("."):
            raise place.error(
                f"{token.text}.…: a cluster before a table is not supported in dev",
                "write the path alone: `//tmp/me/data`",
            )
        if token.kind == "word" and cursor.is_sign("("):
            raise place.error(f"{token.text}(…) in FROM is not supported in dev", "name the tables and use UNION ALL")
        if token.kind != "name":
            raise place.error(f"{path} is no table", "write a whole path in backticks: `//tmp/me/data`")
        return TableSource(place, table_path(path, place), None)
