"""Converts prices into the currency of the operation."""

import json
import os
import sys

for line in sys.stdin:
    row = json.loads(line)
    price = round(row["gross"] * float(os.environ["PER_EURO"]))
    print(json.dumps({"item": row["item"], "currency": os.environ["CURRENCY"], "price": price}))
