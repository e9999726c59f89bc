"""Writes the customers and tells the next stages where they are."""

from ytbuild import BaseStage, DebugContext


class Customers(BaseStage):
    def run(self, debug: DebugContext) -> DebugContext:
        rows = [{"customer": 1, "name": "Ada"}, {"customer": 2, "name": "Grace"}]
        table = self.config.client.output_table
        self.deps.yt_client.write_table(table, rows)
        return {**debug, "customers": table}
