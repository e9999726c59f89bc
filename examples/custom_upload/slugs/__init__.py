"""Titles as parts of links."""

import re


def slug(title: str, stop_words: set[str]) -> str:
    words = re.findall(r"[a-z0-9]+", title.lower())
    return "-".join(word for word in words if word not in stop_words)
