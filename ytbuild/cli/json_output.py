"""Answers as JSON on stdout."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import click

FORMAT_VERSION = "1.0"


def print_json(fields: Mapping[str, Any]) -> None:
    """Print an answer: one object, its format first."""
    click.echo(json.dumps({"format_version": FORMAT_VERSION, **fields}, indent=2))
