"""Adds the tax to each price."""

import json
import sys

from vat import gross

for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({"item": row["item"], "gross": gross(row["net"])}))
