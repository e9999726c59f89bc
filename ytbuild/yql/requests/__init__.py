"""YQL queries from plain values: one request class for each thing that needs no hand-written query."""

from ytbuild.yql.requests.requests import (
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

__all__ = [
    "DistinctRequest",
    "FilterTableRequest",
    "GroupByAggregateRequest",
    "JoinTablesRequest",
    "LimitTableRequest",
    "Request",
    "SelectColumnsRequest",
    "SortTableRequest",
    "UnionTablesRequest",
]
