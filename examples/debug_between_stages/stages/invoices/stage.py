"""Joins both tables and checks the sum that the stage before announced."""

from ytbuild import BaseStage, DebugContext


class Invoices(BaseStage):
    def run(self, debug: DebugContext) -> None:
        client = self.deps.yt_client
        orders = client.read_table(debug["orders"])
        rows = []
        for customer in client.iter_table(debug["customers"]):
            own = [order["cents"] for order in orders if order["customer"] == customer["customer"]]
            rows.append({"name": customer["name"], "orders": len(own), "cents": sum(own)})
        invoiced = sum(row["cents"] for row in rows)
        if invoiced != debug["cents"]:
            raise ValueError(f"{debug['cents']} cents ordered, {invoiced} invoiced: an order has no customer")
        client.write_table(self.config.client.output_table, rows)
        self.logger.info("%d invoices over %d cents: as ordered", len(rows), invoiced)
