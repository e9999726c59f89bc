"""Where the data that comes with ytbuild lies: `rules/`, and the copy of `ytjobs` that goes into archives.

In a wheel both are inside the package, under `_shipped`: the top-level name `ytjobs` may belong to another
distribution there. In a source checkout they are the folders beside the package.
"""

from __future__ import annotations

import os

_PACKAGE = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))


def _folder(name: str) -> str:
    inside = os.path.join(_PACKAGE, "_shipped", name)
    return inside if os.path.isdir(inside) else os.path.join(os.path.dirname(_PACKAGE), name)


RULES = os.path.realpath(_folder("rules"))
YTJOBS = os.path.realpath(_folder("ytjobs"))


def rule(name: str) -> bytes:
    """Return the content of the file `name` under `rules/`."""
    with open(os.path.join(RULES, name), "rb") as file:
        return file.read()
