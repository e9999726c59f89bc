"""Nodes of a cluster's tree: what is there, making, removing and moving them; in the words that dev uses."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import partial
from typing import Any

from ytbuild.base.errors import ClusterError, ConfigError, TableError
from ytbuild.cluster.commands import Command
from ytbuild.cluster.connection import Connection
from ytbuild.cluster.error_codes import ALREADY_EXISTS, CROSS_CELL_FORBIDDEN, RESOLVE_ERROR

_NODE_TYPES = ("map_node", "table", "file")


def parent_of(path: str) -> str:
    """Return the path of the folder that a path lies in."""
    folder = path.rsplit("/", 1)[0]
    return folder if len(folder) > 1 else "/"


def missing(path: str) -> TableError:
    """Return the error of a path that leads nowhere."""
    return TableError(f"there is nothing at {path}", "correct the path")


def attributes_command(path: str, names: Iterable[str], transaction: str | None = None) -> Command:
    """Return the command that gets some attributes of a node, those that it has."""
    within = {"transaction_id": transaction} if transaction else {}
    return Command("get", {"path": f"{path}/@", "attributes": list(names), **within})


def attributes(connection: Connection, path: str, names: Iterable[str], transaction: str | None = None) -> Any:
    """Return some attributes of a node, those that it has; raises `ClusterError` when there is no node."""
    command = attributes_command(path, names, transaction)
    return connection.command(command.name, command.parameters)


def set_attribute(connection: Connection, path: str, name: str, value: Any, transaction: str) -> None:
    """Set an attribute of a node within a transaction."""
    parameters = {"path": f"{path}/@{name}", "transaction_id": transaction}
    (answer,) = connection.batch([Command("set", parameters, value)])
    answer.get()


def exists(connection: Connection, path: str) -> bool:
    """Tell whether there is a node at a path."""
    return bool(connection.command("exists", {"path": path}))


def make(
    connection: Connection,
    path: str,
    node_type: str,
    *,
    transaction: str | None = None,
    make_parents: bool = True,
    attributes: Mapping[str, Any] | None = None,
) -> None:
    """Make a node unless one of the same type is there; raises `TableError` for another one, or without a folder.

    The folders above it are made outside of the transaction: two that are open at once could not make the same
    folder, and an empty one that stays harms nobody.
    """
    parameters: dict[str, Any] = {"path": path, "type": node_type, "ignore_existing": True}
    parameters |= {"attributes": dict(attributes)} if attributes else {}
    parameters |= {"transaction_id": transaction} if transaction else {}
    try:
        connection.command("create", parameters)
    except ClusterError as error:
        if ALREADY_EXISTS in error.codes:
            _check_type(connection, path, node_type)
        elif RESOLVE_ERROR not in error.codes or parent_of(path) == "/":
            raise
        elif not make_parents:
            raise TableError(f"there is no folder {parent_of(path)} for {path}", "make it first") from None
        else:
            make(connection, parent_of(path), "map_node")
            connection.command("create", parameters)


def _check_type(connection: Connection, path: str, node_type: str) -> None:
    """Raise `TableError` for a node of another type; a link to one of the right type will do."""
    existing = attributes(connection, path, ["type"])["type"]
    if existing != node_type:
        raise TableError(f"{path} is a {existing}, not a {node_type}", "choose another path, or remove what is there")


def create_path(connection: Connection, path: str, node_type: str) -> None:
    """Make a folder, an empty table or an empty file, with the folders above it."""
    if node_type not in _NODE_TYPES:
        raise ConfigError(
            f"create_path {path}: there are no nodes of type {node_type!r}", "use map_node, table or file"
        )
    make(connection, path, node_type)


def remove(connection: Connection, path: str, *, recursive: bool, force: bool) -> None:
    """Remove a node; raises `TableError` when there is none, or when a folder is not empty."""
    try:
        connection.command("remove", {"path": path, "recursive": recursive, "force": force})
    except ClusterError as error:
        if RESOLVE_ERROR in error.codes:
            raise missing(path) from None
        if not recursive and not error.transient and _is_full_folder(connection, path):
            raise TableError(f"{path} is a folder that is not empty", "remove it with recursive=True") from None
        raise


def _is_full_folder(connection: Connection, path: str) -> bool:
    try:
        node = attributes(connection, path, ["type", "count"])
    except ClusterError:
        return False
    return bool(node.get("type") == "map_node" and node.get("count"))


def move(connection: Connection, source: str, destination: str, *, force: bool) -> None:
    """Give a node another path, with the folders above it; one that is there is an error unless `force`."""
    if source == destination:
        if not exists(connection, source):
            raise missing(source)
        return
    if f"{source}/".startswith(f"{destination}/") or destination.startswith(f"{source}/"):
        raise TableError(f"cannot move {source} to {destination}: one lies in the other", "choose another path")
    parameters = {"source_path": source, "destination_path": destination, "recursive": True, "force": force}
    try:
        _move(connection, parameters)
    except ClusterError as error:
        if RESOLVE_ERROR in error.codes and not exists(connection, source):
            raise missing(source) from None
        if ALREADY_EXISTS in error.codes and not force:
            raise TableError(
                f"there is something at {destination} already", "move with force=True to replace it"
            ) from None
        raise


def _move(connection: Connection, parameters: Mapping[str, Any]) -> None:
    """Move within a cell of the master, or else between two, where no lost answer can be asked for again: what was
    done then goes with its own transaction, as in the official client."""
    try:
        connection.command("move", {**parameters, "enable_cross_cell_copying": False})
    except ClusterError as error:
        if CROSS_CELL_FORBIDDEN not in error.codes:
            raise
        connection.repeated(partial(_move_between_cells, connection, parameters))


def _move_between_cells(connection: Connection, parameters: Mapping[str, Any]) -> None:
    with connection.transactions.new(f"ytbuild: move {parameters['source_path']}") as transaction:
        within = {"enable_cross_cell_copying": True, "transaction_id": transaction}
        connection.command("move", {**parameters, **within}, repeat=False)
