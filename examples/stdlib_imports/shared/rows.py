"""Rows in, rows out: one JSON object a line."""

import json
import sys


def read_rows():
    """Give the rows of stdin."""
    for line in sys.stdin:
        yield json.loads(line)


def write_row(row):
    """Write one row to stdout."""
    sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
