"""Gives a row for each import: which top-level module, other than its own, a module imports."""

import ast
import warnings

from shared.rows import read_rows, write_row

warnings.simplefilter("ignore", SyntaxWarning)


def imported(source):
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            yield node.module.split(".")[0]


for row in read_rows():
    try:
        names = sorted(set(imported(row["source"])))
    except (SyntaxError, ValueError):
        continue
    own = row["module"].split(".")[0]
    for name in names:
        if name != own:
            write_row({"imported": name, "by": row["module"]})
