"""Writes net prices in cents."""

from ytbuild import BaseStage, DebugContext


class Prices(BaseStage):
    def run(self, debug: DebugContext) -> None:
        rows = [{"item": "tea", "net": 250}, {"item": "honey", "net": 690}, {"item": "bread", "net": 310}]
        self.deps.yt_client.write_table(self.config.client.output_table, rows)
