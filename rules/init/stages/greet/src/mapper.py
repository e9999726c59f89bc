"""A map job: reads rows from stdin, one JSON object a line, and writes rows to stdout."""

import json
import sys

from ytjobs.config import get_config_path
from ytjobs.logging import get_logger

logger = get_logger("greet")
logger.info("the stage's config.yaml is %s", get_config_path())

for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({"name": row["name"], "text": f"Hello, {row['name']}!"}))
