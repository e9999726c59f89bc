"""Writes a row for each day, as many as the pipeline's configuration says."""

from datetime import date, timedelta

from ytbuild import BaseStage, DebugContext


class Calendar(BaseStage):
    def run(self, debug: DebugContext) -> None:
        settings = self.deps.pipeline_config.calendar
        first = date.fromisoformat(settings.first_day)
        days = [first + timedelta(number) for number in range(settings.days)]
        rows = ({"date": day.isoformat(), "weekday": day.strftime("%A")} for day in days)
        self.deps.yt_client.write_table(self.config.client.output_table, rows)
        self.logger.info("days: %d", len(days))
