"""Texts, paths and members of JSON as DuckDB reads them in a statement."""

from __future__ import annotations

import re

_GLOB = re.compile(r"[*?\[\]{}]")


def text_sql(value: str) -> str:
    """Return a text as SQL; nothing in it can end the literal."""
    # A NUL byte would end the statement.
    parts = ["'" + part.replace("'", "''") + "'" for part in value.split("\0")]
    return parts[0] if len(parts) == 1 else f"({'||chr(0)||'.join(parts)})"


def pointer(name: str) -> str:
    """Return the JSON pointer of a member (RFC 6901) as SQL: it names any member, whatever signs it holds."""
    return text_sql("/" + name.replace("~", "~0").replace("/", "~1"))


def is_plain(path: str) -> bool:
    """Tell whether DuckDB takes a path for what it is, not for a pattern that other files fit, too."""
    return not _GLOB.search(path)
