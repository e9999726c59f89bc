"""The official client: how long it waits for a cluster, what it does by itself, and one of it in each thread."""

from __future__ import annotations

import threading
from typing import Any

from ytbuild.base.mappings import merged
from ytbuild.config.access import ClusterAccess
from ytbuild.config.prod import ProdConfig

_SETTLING_TIMEOUT = 3


def client_config(access: ClusterAccess, config: ProdConfig) -> dict[str, Any]:
    """Return the official client's configuration: ours, with the user's over it."""
    retries = _retries(config.retry_seconds)
    ours: dict[str, Any] = {
        "proxy": {
            "url": access.proxy,
            # A request that hangs is asked again at least once before retry_seconds are over.
            "connect_timeout": int(min(5, config.retry_seconds) * 1000),
            "request_timeout": int(min(15, config.retry_seconds / 2) * 1000),
            "heavy_request_timeout": int(min(60, config.retry_seconds * 0.8) * 1000),
            "retries": retries,
        },
        "token": access.token,
        "enable_token": access.token is not None,
        "api_version": "v4",
        "write_retries": retries | {"count": 4},
        "read_retries": retries | {"count": 4},
        "start_operation_retries": retries,
        "get_operation_retries": retries,
        "batch_requests_retries": retries,
        "concatenate_retries": retries,
        "ping_failed_mode": "pass",
        "transaction_sleep_period": 5,
        "write_progress_bar": {"enable": None},
        "operation_tracker": {"enable_logging_failed_operation": False, "stderr_logging_level": "DEBUG"},
        "auto_merge_output": {"action": "none"},
    }
    return merged(ours, config.client_config)


def _retries(seconds: float) -> dict[str, Any]:
    return {
        "enable": True,
        "count": None,
        "total_timeout": int(seconds * 1000),
        "backoff": {
            "policy": "exponential",
            "exponential_policy": {"start_timeout": 250, "base": 2, "max_timeout": 5000, "decay_factor_bound": 0.3},
        },
    }


class Clients:
    """The official clients of a connection: one in each thread, as the HTTP session and the stack of transactions are
    in it."""

    def __init__(self, access: ClusterAccess, config: ProdConfig) -> None:
        self._access = access
        self._config = config
        self._of_thread = threading.local()
        self._clients: list[Any] = []

    def of_thread(self) -> Any:
        """Return the client of this thread."""
        client = getattr(self._of_thread, "client", None)
        if client is None:
            from yt.wrapper import YtClient

            client = YtClient(config=client_config(self._access, self._config))
            self._of_thread.client = client
            self._clients.append(client)
        return client

    def heavy(self) -> Any:
        """Return the client of this thread, for a request that moves data."""
        client = self.of_thread()
        if not getattr(self._of_thread, "is_settled", False):
            _settle(client)
            self._of_thread.is_settled = True
        return client

    def close(self) -> None:
        """Close their connections."""
        for client in self._clients:
            # The client closes its session when it is collected, which may be never.
            session = client._requests_session
            if session is not None:
                session.close()


def _settle(client: Any) -> None:
    """Let the client ask what the cluster says of its configuration, once and not for long.

    It does so by itself before the first request that moves data, as often as any other request is repeated, and then
    goes on as if nothing had happened: a failing cluster would be waited for twice.
    """
    if "apply_remote_patch_at_start" not in client.config:
        return
    proxy = client.config["proxy"]
    retries, timeout = proxy["retries"], proxy["request_timeout"]
    proxy["retries"], proxy["request_timeout"] = {**retries, "enable": False}, min(timeout, _SETTLING_TIMEOUT * 1000)
    try:
        # Reading it is what asks.
        bool(proxy["enable_proxy_discovery"])
    finally:
        proxy["retries"], proxy["request_timeout"] = retries, timeout
        client.config["apply_remote_patch_at_start"] = None
