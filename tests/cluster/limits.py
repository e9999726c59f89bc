"""What tests can forbid: disk space, paths, tokens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from tests.cluster.errors import CROSS_CELL_FORBIDDEN, ClusterError, access_denied, account_limit, not_authenticated
from tests.cluster.nodes import Chunk, Node
from tests.cluster.paths import RichPath
from tests.cluster.requests import Request
from tests.cluster.tree import Tree

if TYPE_CHECKING:
    from tests.cluster.state import State

WRONG_TOKEN = "wrong-token"
_PATHS = ("path", "source_path", "destination_path", "link_path", "target_path")


class Limits:
    """The quota of the only account, the denied paths, the known tokens."""

    def __init__(self, tree: Tree) -> None:
        self.tree = tree
        self.clear()

    def clear(self) -> None:
        """Allow everything."""
        self.space: int | None = None
        self.denied: list[tuple[str, str]] = []
        self.tokens: set[str] | None = None
        self.portals: list[str] = []

    def check_space(self, more: int) -> None:
        """ClusterError 902 when `more` bytes do not fit any more."""
        if self.space is None:
            return
        usage = self.usage()
        if usage + more > self.space:
            raise account_limit("tmp", usage, self.space)

    def allow(self, more: int | None) -> None:
        """Let so many bytes be written from now on, whatever earlier tests have left; None for any number."""
        self.space = None if more is None else self.usage() + more

    def usage(self) -> int:
        """Return the bytes that all contents take."""
        chunks: set[Chunk] = set()
        for node in [each for each in self.tree.objects.values() if isinstance(each, Node)]:
            for version in node.versions.values():
                chunks.update((*version.fields.get("chunks", ()), *version.appended))
        return sum(chunk.size for chunk in chunks)

    def check_access(self, request: Request, is_volatile: bool) -> None:
        """ClusterError 901 when a path of the request is denied."""
        if not self.denied:
            return
        named = [request.parameters[name] for name in _PATHS if name in request.parameters]
        for path in map(str, [*named, *(request.get("source_paths") or [])]):
            for prefix, permission in self.denied:
                inside = path == prefix or path.startswith((prefix + "/", prefix + "&"))
                if inside and permission == "remove" and _needs_remove(request, self.tree, path):
                    raise access_denied(request.user, path, "remove")
                if inside and (permission == "all" or (permission == "write" and is_volatile)):
                    raise access_denied(request.user, path, "write" if is_volatile else "read")

    def check_cells(self, source: str, destination: str, request: Request) -> None:
        """ClusterError 1002 when a copy leads to another cell and does not say that it may."""
        cells = {
            next((portal for portal in self.portals if path.startswith(portal)), "") for path in (source, destination)
        }
        if len(cells) > 1 and not request.get("enable_cross_cell_copying", True):
            raise ClusterError(
                CROSS_CELL_FORBIDDEN,
                f'Cross-cell "{request.command}" command is explicitly disabled by request options',
            )

    def check_token(self, token: str | None) -> None:
        """ClusterError 900 for a token that is not known."""
        if token == WRONG_TOKEN or (self.tokens is not None and token not in self.tokens):
            raise not_authenticated()


def _needs_remove(request: Request, tree: Tree, path: str) -> bool:
    """Whether a request takes a node away, now, by replacing it, or some time later."""
    if request.command == "set":
        return path.endswith(("/@expiration_timeout", "/@expiration_time"))
    if request.command in ("link", "create", "copy", "move") and not (
        request.command == "move" and path == str(request.get("source_path"))
    ):
        replaced = request.get("force") and path != str(request.get("target_path", request.get("source_path")))
        return bool(replaced) and tree.locate(RichPath.of(path), request.transaction, False).target is not None
    return request.command in ("remove", "move")


def _quota(state: State, payload: Any) -> None:
    state.limits.allow(payload.get("bytes"))


def _acl(state: State, payload: Any) -> None:
    state.limits.denied = [(each, payload.get("permission", "write")) for each in payload.get("denied", [])]


def _tokens(state: State, payload: Any) -> None:
    state.limits.tokens = None if payload.get("valid") is None else set(payload["valid"])


def _portals(state: State, payload: Any) -> None:
    state.limits.portals = list(payload.get("paths", []))


CONTROL = {"quota": _quota, "acl": _acl, "tokens": _tokens, "portals": _portals}
