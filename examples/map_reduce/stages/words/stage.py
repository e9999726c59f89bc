"""Writes a poem's lines, counts its words and says which word is the most frequent."""

from ytbuild import BaseStage, DebugContext, run_map_reduce

POEM = "The rain in Spain", "stays mainly in", "the plain in Spain"


class Words(BaseStage):
    def run(self, debug: DebugContext) -> None:
        block = self.config.client.operations.count_words
        lines = [{"line": number, "text": text} for number, text in enumerate(POEM, 1)]
        self.deps.yt_client.write_table(block.input_table, lines)
        run_map_reduce(self.context, block)
        words = self.deps.yt_client.read_table(block.output_table)
        self.logger.info("the most frequent word: %s", max(words, key=lambda row: row["count"])["word"])
