"""Texts without what nobody may see."""

from __future__ import annotations

import json
from collections.abc import Iterable

_SHORTEST = 4
_QUOTED_TIMES = 3


class Mask:
    """Called with a text, returns it without the secrets, also as JSON and Python write them.

    What a cluster says is quoted more than once: an error quotes parameters that quote a value. Too short secrets
    stay: without them nothing could be read.
    """

    def __init__(self, secrets: Iterable[str]) -> None:
        self._secrets: set[str] = set()
        self._texts: list[str] = []
        self.add(secrets)

    def add(self, secrets: Iterable[str]) -> None:
        """Hide these, too, from now on."""
        self._secrets.update(secret for secret in secrets if len(secret) >= _SHORTEST)
        texts = written = set(self._secrets)
        for _ in range(_QUOTED_TIMES):
            written = {quoted for text in written for quoted in (json.dumps(text)[1:-1], repr(text)[1:-1])}
            texts = texts | written
        # The longest first: one may be a part of another.
        self._texts = sorted(texts, key=len, reverse=True)

    def __call__(self, text: str) -> str:
        for secret in self._texts:
            text = text.replace(secret, "***")
        return text
