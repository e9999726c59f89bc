"""Codes in a cluster's errors (YTsaurus docs, "Error codes")."""

from __future__ import annotations

RESOLVE_ERROR = 500
ALREADY_EXISTS = 501
LOCK_CONFLICT = 402
NO_SUCH_TRANSACTION = 11000
CROSS_CELL_FORBIDDEN = 1002
"""A copy or move leads to another cell of the master's, and was not allowed to."""

ACCESS_DENIED = 901
LIMIT_EXCEEDED = 902
BANNED = 903
AUTHENTICATION = frozenset({900, 109, 111})
"""Of the cluster, and of RPC between its parts: AuthenticationError and InvalidCredentials. 110 is InvalidCsrfToken,
which no token mends (`NRpc::EErrorCode` in yt/yt/core/rpc/public.h)."""

QUERY_NOT_FOUND = 3901
"""`NQueryTrackerClient::EErrorCode` in yt/yt/client/query_tracker_client/public.h."""

UNSORTED = 301
SCHEMA_VIOLATION = 307

TOO_MANY_OPERATIONS = 202
MASTER_DISCONNECTED = 218

TOO_MANY_REQUESTS = frozenset({108, 904})
OVERLOADED = frozenset({116, 118, 120})
"""TransientFailure, Overloaded and MemoryPressure of `NRpc::EErrorCode`: what was asked has not been done."""
UNAVAILABLE = frozenset({3, 100, 105, 2100, 700, 712, 716}) | OVERLOADED
"""The proxy, or what is behind it, cannot serve anybody now."""
NOT_TAKEN = TOO_MANY_REQUESTS | OVERLOADED
"""A part of a batch that may be sent again as it is."""
