"""Writes a table of planets."""

from ytbuild import BaseStage, DebugContext

PLANETS = [("Mercury", 0), ("Earth", 1), ("Mars", 2)]


class Planets(BaseStage):
    def run(self, debug: DebugContext) -> None:
        rows = [{"name": name, "moons": moons} for name, moons in PLANETS]
        self.deps.yt_client.write_table(self.config.client.output_table, rows)
        self.logger.info("wrote %d planets", len(rows))
