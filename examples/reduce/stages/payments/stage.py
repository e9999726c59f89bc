"""Writes payments in the order in which they arrived."""

from ytbuild import BaseStage, DebugContext

PAYMENTS = [("rent", 3, 100), ("food", 2, 90), ("rent", 1, 650), ("food", 1, -40), ("rent", 2, -700)]


class Payments(BaseStage):
    def run(self, debug: DebugContext) -> None:
        rows = [{"account": account, "day": day, "euros": euros} for account, day, euros in PAYMENTS]
        self.deps.yt_client.write_table(self.config.client.output_table, rows)
