"""Why a job could not import a module: which line of the configuration to look at."""

from __future__ import annotations

import os
import re

from ytbuild.base.text import quote
from ytbuild.graph.plan import Plan
from ytbuild.sources.source_tree import NEVER_SHIPPED

_MISSING = re.compile(r"ModuleNotFoundError: No module named '([\w.]+)'(.*)")
_SKIPPED = frozenset((*NEVER_SHIPPED, "__pycache__", "node_modules", ".venv", "venv"))
_MAX_FOLDERS = 2000


def advice(plan: Plan, said: str) -> str:
    """Return what to do about the last missing module in a job's stderr, with a line break; empty without one."""
    # Only what ended the job: an import that failed on the way may have been caught.
    match = _MISSING.search(said.rsplit("\n", 1)[-1])
    if match is None:
        return ""
    name, explained = match.groups()
    if explained.startswith(" ("):
        # The message itself says already why the module is hidden.
        return ""
    top = name.split(".")[0]
    return (_left_out(plan, name) or _not_shipped(plan, top) or _unknown(top)) + "\n"


def _left_out(plan: Plan, name: str) -> str:
    """Look among what the ignore rules left out."""
    wanted = "/" + name.replace(".", "/")
    for trees in plan.trees.values():
        for tree in trees:
            for item in tree.ignored():
                is_module = item.is_directory or item.relative.endswith(".py")
                if is_module and f"/{tree.source.arcname}/{item.relative.removesuffix('.py')}".endswith(wanted):
                    where = quote(f"{tree.source.label}/{item.relative}")
                    return f"{where} is left out of the archive by {item.reason.label}: correct that line"
    return ""


def _not_shipped(plan: Plan, top: str) -> str:
    """Look in the pipeline's own folders."""
    root = plan.config.directory
    for folder in _folders(root):
        for entry in (top, f"{top}.py"):
            path = os.path.join(root, folder, entry)
            if os.path.isfile(path) if entry.endswith(".py") else _is_package(path):
                relative = os.path.normpath(os.path.join(folder, entry))
                if folder == ".":
                    return f"{relative} is not in the archive: add {top} to pipeline.upload_modules"
                if folder.startswith("stages/"):
                    return f"{relative} is no top-level module of the job: move it to one of pipeline.upload_paths"
                return f"{relative} is not in the archive: add {{source: {relative}}} to pipeline.upload_paths"
    return ""


def _unknown(top: str) -> str:
    return (
        f"{top} is neither in the archive nor installed for the jobs: name it in the stage's requirements.txt, in "
        "pipeline.upload_modules or in pipeline.upload_paths"
    )


def _is_package(path: str) -> bool:
    if not os.path.isdir(path):
        return False
    return any(name.endswith(".py") for name in os.listdir(path))


def _folders(root: str) -> list[str]:
    """Return the pipeline's folders, itself first, the others relative to it; not more than a bounded number."""
    listed: list[str] = []
    for path, folders, _ in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in _SKIPPED)
        listed.append(os.path.relpath(path, root))
        if len(listed) >= _MAX_FOLDERS:
            break
    return listed
