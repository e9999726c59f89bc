"""Finds out which genres a library's readers like, one request after another."""

from ytbuild import BaseStage, DebugContext
from ytbuild.yql import (
    DistinctRequest,
    FilterTableRequest,
    GroupByAggregateRequest,
    JoinTablesRequest,
    LimitTableRequest,
    SelectColumnsRequest,
    SortTableRequest,
    UnionTablesRequest,
)

BOOKS = [(1, "Dune", "fiction"), (2, "Cosmos", "science"), (3, "Emma", "fiction"), (4, "Persepolis", "comics")]
JANUARY = [(1, "Ada", 21), (2, "Ada", 9), (4, "Grace", 14)]
FEBRUARY = [(1, "Ada", 10), (3, "Grace", 30), (3, "Emmy", 2), (2, "Grace", 8), (1, "Emmy", 12)]


def rows(columns: tuple[str, ...], values: list[tuple]) -> list[dict]:
    return [dict(zip(columns, value, strict=True)) for value in values]


class Genres(BaseStage):
    def run(self, debug: DebugContext) -> None:
        client = self.deps.yt_client
        client.write_table("//tmp/yql/books", rows(("book", "title", "genre"), BOOKS))
        client.write_table("//tmp/yql/january", rows(("book", "reader", "days"), JANUARY))
        client.write_table("//tmp/yql/february", rows(("book", "reader", "days"), FEBRUARY))

        months = ["//tmp/yql/january", "//tmp/yql/february"]
        client.union_tables_request(UnionTablesRequest(months, "//tmp/yql/loans"))
        client.filter_table_request(FilterTableRequest("//tmp/yql/loans", "//tmp/yql/read", condition="days >= 7"))
        client.select_columns_request(
            SelectColumnsRequest("//tmp/yql/read", "//tmp/yql/readings", columns=["book", "reader"])
        )
        client.distinct_request(DistinctRequest("//tmp/yql/readings", "//tmp/yql/readers"))
        client.join_tables_request(
            JoinTablesRequest(
                left_table="//tmp/yql/readers",
                right_table="//tmp/yql/books",
                output_table="//tmp/yql/titles",
                on="book",
                select_columns=["a.reader", "b.title", "b.genre"],
            )
        )
        client.group_by_aggregate_request(
            GroupByAggregateRequest(
                "//tmp/yql/titles",
                "//tmp/yql/genres",
                group_by="genre",
                aggregations={"titles": ("count_distinct", "title"), "readings": "count"},
            )
        )
        client.sort_table_request(
            SortTableRequest(
                "//tmp/yql/genres", "//tmp/yql/ranking", order_by=["readings", "genre"], ascending=[False, True]
            )
        )
        client.limit_table_request(LimitTableRequest("//tmp/yql/ranking", "//tmp/yql/top", limit=2))

        [row] = client.run_yql("SELECT COUNT(*) AS loans, MAX(days) AS longest FROM `//tmp/yql/loans`")
        self.logger.info("%d loans, the longest of %d days", row["loans"], row["longest"])
