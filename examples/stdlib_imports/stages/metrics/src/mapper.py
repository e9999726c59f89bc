"""Computes metrics of a source file: a row with `error` for one that does not parse."""

import ast
import re
from pathlib import Path

from shared.rows import read_rows, write_row
from ytjobs.config import get_config_path
from ytjobs.logging import get_logger

logger = get_logger("metrics")
COUNT_DOCSTRINGS = re.search(r"count_docstrings:\s*true", Path(get_config_path()).read_text()) is not None
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def metrics(source):
    tree = ast.parse(source)
    nodes = list(ast.walk(tree))
    found = {
        "functions": sum(isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) for node in nodes),
        "classes": sum(isinstance(node, ast.ClassDef) for node in nodes),
    }
    if COUNT_DOCSTRINGS:
        found["docstrings"] = sum(
            isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None for node in nodes
        )
    return found


for row in read_rows():
    result = {"module": row["module"], "path": row["path"], "lines": row["source"].count("\n")}
    try:
        result |= metrics(row["source"])
    except (SyntaxError, ValueError) as error:
        result["error"] = str(error)
        logger.warning("%s: %s", row["path"], error)
    write_row(result)
