"""Gives each account's last balance and its lowest one: an account's rows come together, day by day."""

import itertools
import json
import sys

for account, rows in itertools.groupby(map(json.loads, sys.stdin), key=lambda row: row["account"]):
    balances = list(itertools.accumulate(row["euros"] for row in rows))
    print(json.dumps({"account": account, "balance": balances[-1], "lowest": min(balances)}))
