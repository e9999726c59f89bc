"""The reducer: a row for each word, with the lines that it stands in. The rows of one word come together."""

import itertools
import json
import sys

for word, rows in itertools.groupby(map(json.loads, sys.stdin), key=lambda row: row["word"]):
    lines = [row["line"] for row in rows]
    print(json.dumps({"word": word, "count": len(lines), "lines": lines}))
