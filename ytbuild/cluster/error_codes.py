"""Codes in a cluster's errors (YTsaurus docs, "Error codes")."""

from __future__ import annotations

RESOLVE_ERROR = 500
ALREADY_EXISTS = 501
LOCK_CONFLICT = 402
NO_SUCH_TRANSACTION = 11000

ACCESS_DENIED = 901
LIMIT_EXCEEDED = 902
BANNED = 903
AUTHENTICATION = frozenset({900, 110})

UNSORTED = 301
SCHEMA_VIOLATION = 307

TOO_MANY_OPERATIONS = 202
MASTER_DISCONNECTED = 218

TOO_MANY_REQUESTS = frozenset({108, 904})
UNAVAILABLE = frozenset({3, 100, 105, 2100, 700, 712, 716})
"""The proxy, or what is behind it, cannot serve anybody now."""
