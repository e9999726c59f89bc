"""Errors as the cluster reports them, with the codes that the client tells them apart by."""

from __future__ import annotations

from typing import Any

GENERIC = 1
BANNED_PROXY = 2100
UNSORTED = 301
SCHEMA_VIOLATION = 307
SAME_TRANSACTION_LOCK = 400
DESCENDANT_LOCK = 401
LOCK_CONFLICT = 402
RESOLVE = 500
ALREADY_EXISTS = 501
AUTHENTICATION = 900
ACCESS_DENIED = 901
ACCOUNT_LIMIT = 902
REQUEST_QUEUE_LIMIT = 904
TOO_MANY_OPERATIONS = 202
NO_SUCH_OPERATION = 1915
NO_SUCH_TRANSACTION = 11000
CROSS_CELL_FORBIDDEN = 1002


class ClusterError(Exception):
    """An error answer: code, message, attributes and inner errors."""

    def __init__(
        self,
        code: int,
        message: str,
        attributes: dict[str, Any] | None = None,
        inner_errors: list[Any] | None = None,
    ) -> None:
        super().__init__(f"[{code}] {message}")
        self.code = code
        self.message = message
        self.attributes = attributes or {}
        self.inner_errors = inner_errors or []

    def as_dict(self) -> dict[str, Any]:
        """The error as it goes over the wire."""
        inner = [error.as_dict() if isinstance(error, ClusterError) else error for error in self.inner_errors]
        return {"code": self.code, "message": self.message, "attributes": self.attributes, "inner_errors": inner}


def generic(message: str, **attributes: Any) -> ClusterError:
    """An error without a code of its own."""
    return ClusterError(GENERIC, message, attributes)


def no_such_node(path: str, message: str) -> ClusterError:
    """A path that leads nowhere, wrapped as the master wraps it."""
    return ClusterError(RESOLVE, f"Error resolving path {path}", {"path": path}, [ClusterError(RESOLVE, message)])


def no_such_attribute(name: str) -> ClusterError:
    """An attribute that the node lacks."""
    return ClusterError(RESOLVE, f'Attribute "{name}" is not found')


def already_exists(path: str) -> ClusterError:
    """A node where a new one was to be made."""
    return ClusterError(ALREADY_EXISTS, f"Node {path} already exists")


def no_such_transaction(tx: str) -> ClusterError:
    """A transaction that is finished, has expired or never was."""
    return ClusterError(NO_SUCH_TRANSACTION, f"No such transaction {tx}")


def access_denied(user: str, path: str, permission: str = "write") -> ClusterError:
    """A path that the user may not touch."""
    what = f'"{permission}" permission for node {path}'
    message = f'Access denied for user "{user}": {what} is not allowed by any matching ACE'
    return ClusterError(ACCESS_DENIED, message, {"user": user, "permission": permission})


def account_limit(account: str, usage: int, limit: int) -> ClusterError:
    """An account whose disk space is used up."""
    message = f'Account "{account}" is over disk space limit in medium "default"'
    return ClusterError(ACCOUNT_LIMIT, message, {"usage": usage, "limit": limit})


def too_many_operations(pool: str, limit: int) -> ClusterError:
    """A pool that runs as many operations as it may."""
    return ClusterError(
        TOO_MANY_OPERATIONS,
        f'Limit for the number of concurrent operations {limit} for pool "{pool}" has been reached',
    )


def no_such_operation(operation: str) -> ClusterError:
    """An operation that nobody knows."""
    return ClusterError(NO_SUCH_OPERATION, f"No such operation {operation}")


def schema_violation(message: str, **attributes: Any) -> ClusterError:
    """A row that the table's schema does not allow."""
    return ClusterError(SCHEMA_VIOLATION, message, attributes)


def unsorted(message: str, **attributes: Any) -> ClusterError:
    """Rows that are not in the order that they were declared to be in."""
    return ClusterError(UNSORTED, message, attributes)


def not_authenticated() -> ClusterError:
    """A token that is not known."""
    return ClusterError(
        AUTHENTICATION, "Authentication failed", None, [ClusterError(AUTHENTICATION, "Token is invalid or not found")]
    )
