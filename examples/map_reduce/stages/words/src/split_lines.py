"""The mapper: a row for each word of a line."""

import json
import sys

for line in sys.stdin:
    row = json.loads(line)
    for word in row["text"].lower().split():
        print(json.dumps({"word": word, "line": row["line"]}))
