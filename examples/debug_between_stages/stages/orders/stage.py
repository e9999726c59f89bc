"""Writes the orders and adds their sum to what the stages hand on."""

from ytbuild import BaseStage, DebugContext


class Orders(BaseStage):
    def run(self, debug: DebugContext) -> DebugContext:
        rows = [
            {"order": 101, "customer": 2, "cents": 1250},
            {"order": 102, "customer": 1, "cents": 399},
            {"order": 103, "customer": 2, "cents": 870},
        ]
        table = self.config.client.output_table
        self.deps.yt_client.write_table(table, rows)
        return {**debug, "orders": table, "cents": sum(row["cents"] for row in rows)}
