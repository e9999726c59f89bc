"""What tests use: a stand-in cluster in a process of its own, or a real cluster when one is named."""

from __future__ import annotations

import functools
import json
import os
import subprocess
import sys
import urllib.request
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from ytbuild.base.mappings import merged

if TYPE_CHECKING:
    from yt.wrapper import YtClient

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "test-token"
# One transaction per write and none per read, no proxy discovery, short sleeps: see client().
FAST: dict[str, Any] = {
    "transaction_sleep_period": 5,
    "api_version": "v4",
    "is_local_mode": False,
    "operation_tracker": {"poll_period": 100},
    "auto_merge_output": {"action": "none"},
    "write_retries": {"enable": False},
    "read_retries": {"create_transaction_and_take_snapshot_lock": False},
    "proxy": {"enable_proxy_discovery": False, "content_encoding": "identity"},
    "apply_remote_patch_at_start": None,
    "write_progress_bar": {"enable": False},
}


@functools.cache
def _known_keys() -> frozenset[str]:
    from yt.wrapper.default_config import get_default_config

    return frozenset(get_default_config())


def new_client(address: str, token: str, config: dict[str, Any]) -> YtClient:
    """Return an official client with this configuration; keys that the installed one does not know are left out."""
    from yt.wrapper import YtClient

    # The oldest client that is supported does not know all keys.
    config = {name: value for name, value in config.items() if name in _known_keys()}
    return YtClient(proxy=address, token=token, config=config)


class Clients:
    """The official clients that were made for a test, to be closed after it.

    A client that is only forgotten may leave its sockets to the garbage collector, which Python warns of.
    """

    address: str
    token: str
    settings: ClassVar[dict[str, Any]] = {}

    @functools.cached_property
    def keeper(self) -> YtClient:
        """A client for what stands around tests, open until the session ends: making one takes 10 ms."""
        return new_client(self.address, self.token, self.settings)

    def make(self, config: dict[str, Any], token: str | None = None) -> YtClient:
        """A new client."""
        client = new_client(self.address, token or self.token, config)
        self.__dict__.setdefault("made", []).append(client)
        return client

    def close_clients(self) -> None:
        """Close the connections of all clients made so far."""
        for client in self.__dict__.pop("made", []):
            close(client)


def close(client: YtClient) -> None:
    """Close the connections of a client."""
    from yt.wrapper.config import get_option

    session = get_option("_requests_session", client)
    if session is not None:
        session.close()


@dataclass
class Cluster(Clients):
    """A stand-in cluster; `with Cluster.start(folder) as cluster:` or start() and stop()."""

    process: subprocess.Popen[bytes]
    address: str
    token: str = TOKEN
    settings = FAST
    is_real = False
    root = "//tmp"

    @classmethod
    def start(cls, folder: Path) -> Cluster:
        """Start the process; `folder` is its scratch space."""
        clean = {name: value for name, value in os.environ.items() if not name.startswith(("YT_", "YTBUILD_"))}
        command = [sys.executable, "-m", "tests.cluster", "--folder", str(folder)]
        process = subprocess.Popen(command, cwd=ROOT, env=clean, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        assert process.stdout is not None
        line = process.stdout.readline().decode().strip()
        if not line:
            raise RuntimeError(f"the stand-in cluster did not start: exit code {process.wait()}")
        return cls(process, line.removeprefix("http://"))

    def __enter__(self) -> Cluster:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def stop(self) -> None:
        """End the process and wait for it."""
        self.close_clients()
        close(self.keeper)
        for pipe in (self.process.stdin, self.process.stdout):
            if pipe is not None:
                pipe.close()
        self.process.wait(timeout=30)

    @property
    def environment(self) -> dict[str, str]:
        """What a user exports to talk to this cluster."""
        return {"YT_PROXY": self.address, "YT_TOKEN": self.token}

    def client(self, *, token: str | None = None, **config: Any) -> YtClient:
        """The official client, with FAST and then `config` applied."""
        return self.make(merged(self.settings, config), token)

    def plain_client(self, **config: Any) -> YtClient:
        """The official client with its own defaults."""
        return self.make(config)

    def control(self, name: str, **payload: Any) -> Any:
        """A call of /_test/<name>."""
        url, data = f"http://{self.address}/_test/{name}", json.dumps(payload).encode()
        with urllib.request.urlopen(urllib.request.Request(url, data, method="POST"), timeout=60) as answer:
            return json.loads(answer.read())

    def fault(self, command: str, kind: str, nth: int | str = 1, count: int = 1, **more: Any) -> None:
        """Order a fault: the `nth` request from now on (or "every") of a command, and `count` of them in all."""
        self.control("faults", command=command, kind=kind, nth=nth, count=count, **more)

    def faults(self) -> list[dict[str, Any]]:
        """The orders that stand, each with how often it was `applied`."""
        return list(self.control("faults"))

    def clear_faults(self) -> None:
        """Withdraw all orders."""
        self.control("faults", clear=True)

    def counters(self) -> dict[str, Any]:
        """Requests and bytes, by command, and the `total` of requests.

        `requests` over the wire and `batched` inside execute_batch; bytes of request bodies as they travelled
        (`received`) and decompressed (`content`), and of answers (`sent`).
        """
        return dict(self.control("counters"))

    def requests(self) -> list[dict[str, Any]]:
        """The last requests: command, path, parameters, headers (without Authorization), in_batch."""
        return list(self.control("requests"))

    def reset(self) -> None:
        """Counters to zero; no faults, quotas, denied paths, known tokens; the clock right."""
        self.control("reset")

    def advance(self, seconds: float) -> None:
        """Put the cluster's clock forward."""
        self.control("advance", seconds=seconds)

    def quota(self, size: int | None) -> None:
        """The bytes that the account may still take; None lifts the limit."""
        self.control("quota", bytes=size)

    def deny(self, *paths: str, permission: str = "write") -> None:
        """Forbid writing at and below paths; none lifts it. `permission="all"`: reading as well; "remove": only what
        needs that permission."""
        self.control("acl", denied=list(paths), permission=permission)

    def tokens(self, *valid: str) -> None:
        """The only tokens that are accepted; none accepts every token but `wrong-token`."""
        self.control("tokens", valid=list(valid) or None)


@dataclass
class RealCluster(Clients):
    """A real cluster, named by YTBUILD_TEST_PROXY, YTBUILD_TEST_TOKEN and YTBUILD_TEST_FOLDER."""

    address: str
    token: str = field(repr=False)
    root: str = "//tmp"
    is_real = True

    @classmethod
    def from_environment(cls) -> RealCluster | None:
        """The cluster that all three variables name; None when one is missing."""
        names = ("YTBUILD_TEST_PROXY", "YTBUILD_TEST_TOKEN", "YTBUILD_TEST_FOLDER")
        values = [os.environ.get(name) for name in names]
        return cls(*values) if all(values) else None  # type: ignore[arg-type]

    @property
    def environment(self) -> dict[str, str]:
        """What a user exports to talk to this cluster."""
        return {"YT_PROXY": self.address, "YT_TOKEN": self.token}

    def client(self, **config: Any) -> YtClient:
        """The official client, with `config` applied."""
        return self.make(config)

    plain_client = client

    def stop(self) -> None:
        """Nothing was started but clients."""
        self.close_clients()
        close(self.keeper)
