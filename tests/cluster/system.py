"""Small commands around the others: who am I, may I, how is a path read."""

from __future__ import annotations

from typing import Any

from yt import yson

from tests.cluster.errors import ClusterError
from tests.cluster.paths import RichPath
from tests.cluster.requests import Command, Request
from tests.cluster.state import State


def get_current_user(state: State, request: Request) -> Any:
    """`get_current_user`."""
    return {"user": request.user}


def check_permission(state: State, request: Request) -> Any:
    """`check_permission`: what the denied paths say."""
    asked = Request("check_permission", {"path": request.parameters["path"]}, request.user)
    try:
        state.limits.check_access(asked, request.get("permission") not in ("read", "mount"))
    except ClusterError:
        return {"action": "deny"}
    return {"action": "allow"}


def parse_ypath(state: State, request: Request) -> Any:
    """`parse_ypath`: the path with its attributes apart."""
    path = RichPath.of(request.parameters["path"])
    return {"path": yson.to_yson_type(path.text, path.attributes)}


COMMANDS = [
    Command("get_current_user", "null", "structured", False, False, get_current_user),
    Command("check_permission", "null", "structured", False, False, check_permission),
    Command("parse_ypath", "null", "structured", False, False, parse_ypath),
]
