"""The YQL helpers of a client: a request in, its query run, the query's text out."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any

from ytbuild.base.errors import QueryError

if TYPE_CHECKING:
    from ytbuild.yql import (
        DistinctRequest,
        FilterTableRequest,
        GroupByAggregateRequest,
        JoinTablesRequest,
        LimitTableRequest,
        Request,
        SelectColumnsRequest,
        SortTableRequest,
        UnionTablesRequest,
    )


class YqlHelpers(ABC):
    """The eight helpers, for a client that can run YQL.

    Each returns its query's text. With `dry_run` it only returns it; otherwise the query has run when it returns.
    `max_row_weight` is `128M` by default and at most. All raise `QueryError`: for a request that makes no query,
    and when the query fails.
    """

    @abstractmethod
    def run_yql(self, query: str, pool: str = "default", max_row_weight: str | None = None) -> list[dict[str, Any]]:
        """Run a query and return the rows of its result; raises `QueryError` when it fails."""

    def join_tables_request(
        self, request: JoinTablesRequest, *, dry_run: bool = False, max_row_weight: str | None = None
    ) -> str:
        """Join two tables."""
        return self._run_request("JoinTablesRequest", request, dry_run, max_row_weight)

    def filter_table_request(
        self, request: FilterTableRequest, *, dry_run: bool = False, max_row_weight: str | None = None
    ) -> str:
        """Keep the rows for which a condition is true."""
        return self._run_request("FilterTableRequest", request, dry_run, max_row_weight)

    def select_columns_request(
        self, request: SelectColumnsRequest, *, dry_run: bool = False, max_row_weight: str | None = None
    ) -> str:
        """Keep some columns."""
        return self._run_request("SelectColumnsRequest", request, dry_run, max_row_weight)

    def group_by_aggregate_request(
        self, request: GroupByAggregateRequest, *, dry_run: bool = False, max_row_weight: str | None = None
    ) -> str:
        """Aggregate the rows of each group."""
        return self._run_request("GroupByAggregateRequest", request, dry_run, max_row_weight)

    def union_tables_request(
        self, request: UnionTablesRequest, *, dry_run: bool = False, max_row_weight: str | None = None
    ) -> str:
        """Put the rows of several tables into one."""
        return self._run_request("UnionTablesRequest", request, dry_run, max_row_weight)

    def distinct_request(
        self, request: DistinctRequest, *, dry_run: bool = False, max_row_weight: str | None = None
    ) -> str:
        """Keep one of all rows that are equal."""
        return self._run_request("DistinctRequest", request, dry_run, max_row_weight)

    def sort_table_request(
        self, request: SortTableRequest, *, dry_run: bool = False, max_row_weight: str | None = None
    ) -> str:
        """Sort a table."""
        return self._run_request("SortTableRequest", request, dry_run, max_row_weight)

    def limit_table_request(
        self, request: LimitTableRequest, *, dry_run: bool = False, max_row_weight: str | None = None
    ) -> str:
        """Keep some rows."""
        return self._run_request("LimitTableRequest", request, dry_run, max_row_weight)

    def _run_request(self, kind: str, request: Request, dry_run: bool, max_row_weight: str | None) -> str:
        # Imported by the first request: most runs make none, and pay for the client's import all the same.
        from ytbuild import yql
        from ytbuild.yql.requests.builder import query

        if not isinstance(request, getattr(yql, kind)):
            raise QueryError(f"the request is a {type(request).__name__}", f"give a {kind}")
        text = query(request, max_row_weight)
        if not dry_run:
            self.run_yql(text, max_row_weight=max_row_weight)
        return text
