"""Converts readings to Fahrenheit and marks frost. A job reads rows from stdin and writes rows to stdout."""

import json
import re
import sys
from pathlib import Path

from ytjobs.config import get_config_path
from ytjobs.logging import get_logger

logger = get_logger("convert")
frost_below = float(re.search(r"frost_below: (.+)", Path(get_config_path()).read_text())[1])

for line in sys.stdin:
    row = json.loads(line)
    row["fahrenheit"] = row["celsius"] * 9 / 5 + 32
    row["frost"] = row["celsius"] < frost_below
    if row["frost"]:
        logger.info("frost at %d:00", row["hour"])
    print(json.dumps(row))
