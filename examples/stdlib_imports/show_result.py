"""Prints the ten most imported modules of the standard library, from the tables of the last run."""

import json
from pathlib import Path

DEV = Path(__file__).resolve().parent / ".dev"


def read(table):
    with open(DEV / f"{table}.jsonl", encoding="utf-8") as file:
        return [json.loads(line) for line in file]


imports, metrics = read("imports"), read("metrics")
unparsed = sum("error" in row for row in metrics)
print(f"{len(metrics)} modules, {sum(row['lines'] for row in metrics):,} lines; {unparsed} do not parse")
print("The ten most imported modules:")
for row in sorted(imports, key=lambda row: (-row["count"], row["imported"]))[:10]:
    print(f"  {row['count']:>4}  {row['imported']}")
print(f"The tables lie in {DEV}: sources.jsonl, metrics.jsonl, imports.jsonl")
