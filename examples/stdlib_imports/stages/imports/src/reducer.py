"""Counts, for each module, which others import it. Rows come sorted by `imported`."""

import itertools

from shared.rows import read_rows, write_row

for name, rows in itertools.groupby(read_rows(), key=lambda row: row["imported"]):
    importers = sorted({row["by"] for row in rows})
    write_row({"imported": name, "count": len(importers), "by": importers})
