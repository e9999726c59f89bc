"""Writes the readings of a weather station."""

from ytbuild import BaseStage, DebugContext

CELSIUS = [-3.5, 0.0, 4.5, 12.0, 21.5]


class Readings(BaseStage):
    def run(self, debug: DebugContext) -> None:
        rows = ({"hour": hour, "celsius": celsius} for hour, celsius in enumerate(CELSIUS, 6))
        self.deps.yt_client.write_table(self.config.client.output_table, rows)
