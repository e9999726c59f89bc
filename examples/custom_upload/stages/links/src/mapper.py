"""Gives each title a link. The archive's root is the job's current folder and on its import path."""

import json
import sys
from pathlib import Path

from slugs import slug

stop_words = set(Path("words/stop_words.txt").read_text().split())

for line in sys.stdin:
    title = json.loads(line)["title"]
    print(json.dumps({"title": title, "link": f"/articles/{slug(title, stop_words)}"}))
