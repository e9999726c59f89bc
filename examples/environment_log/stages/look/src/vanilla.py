"""Says what a job finds: its variables, its import path, its files. Of the secret it shows the length only."""

import os
import sys
from pathlib import Path

sandbox = Path.cwd()
print("variables:", *sorted(os.environ))
print("city:", os.environ["CITY"])
print("key:", len(os.environ["WEATHER_API_KEY"]), "characters")
print("other secrets:", "DATABASE_PASSWORD" in os.environ)
print("path:", *(os.path.relpath(folder, sandbox) for folder in sys.path[:2]))
print("files:", *sorted(str(path.relative_to(sandbox)) for path in sandbox.rglob("*") if path.is_file()), sep="\n  ")
