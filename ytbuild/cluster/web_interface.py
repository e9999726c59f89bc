"""Links to the web interface, where people look at an operation or a query."""

from __future__ import annotations

from typing import Any

from ytbuild.cluster.connection import Connection

_OF_QUERY = "{proxy}/queries/{id}"


def operation_link(connection: Connection, operation: str) -> str:
    """Return an operation's id and the address of its page."""
    return _link(connection, operation, "operation_link_pattern", "")


def query_link(connection: Connection, query: str) -> str:
    """Return a query's id and the address of its page."""
    return _link(connection, query, "query_link_pattern", _OF_QUERY)


def _link(connection: Connection, id: str, key: str, default: str) -> str:
    """Fill in the client's pattern: it is the cluster's own, if that has one.

    The client's own functions ask the cluster each time whether it is a local one.
    """
    config = connection.client().config["proxy"]
    pattern = str(config.get(key, default))
    address = pattern.format(proxy=_address(connection.client()), cluster_path="", id=id)
    return f"{id}  {address if '://' in address else f'http://{address}'}"


def _address(client: Any) -> str:
    from yt.wrapper import http_helpers

    # Older clients have the scheme in the pattern, if at all, and not in the address.
    find = getattr(http_helpers, "get_proxy_address_url", None) or http_helpers.get_proxy_url
    return str(find(client=client))
