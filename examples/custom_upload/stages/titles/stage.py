"""Writes the titles of some articles."""

from ytbuild import BaseStage, DebugContext

TITLES = "A Walk to the Lighthouse", "The History of Tea, Part 2"


class Titles(BaseStage):
    def run(self, debug: DebugContext) -> None:
        self.deps.yt_client.write_table(self.config.client.output_table, ({"title": title} for title in TITLES))
