"""Writes the table that the next stage reads. It runs on your machine, not in a job."""

from ytbuild import BaseStage


class Rows(BaseStage):
    def run(self, debug):
        rows = [{"name": name} for name in self.config.job.names]
        self.deps.yt_client.write_table(self.config.client.output_table, rows)
        self.logger.info("wrote %d rows", len(rows))
        return debug
