"""Faults of a cluster: each row of the table in docs/reference/prod.md happens, and ends as the row says."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tests.backends.prod.clients import client_of
from tests.backends.prod.made import QUICK
from tests.cluster.running import Cluster
from tests.docs import pages
from tests.heard import Heard
from ytbuild.backends.prod.client import ProdClient
from ytbuild.base import backoff
from ytbuild.base.errors import ClusterError, YtbuildError
from ytbuild.cluster.connection import Connection
from ytbuild.cluster.official_client import client_config
from ytbuild.config import access
from ytbuild.config.access import ClusterAccess
from ytbuild.config.prod import ProdConfig

# The official client leaves the sockets of failed requests to the garbage collector.
pytestmark = pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning")

RETRY_SECONDS = 1.0
AT_ONCE = "at once"
ROWS = [{"n": number} for number in range(3000)]
PAGE = pages.read(pages.REFERENCE / "prod.md")
TABLE = {row[0]: row[1:] for row in pages.rows(pages.section(PAGE, "## Faults"))}


@dataclass
class Place:
    """Where a fault happens: a stand-in cluster, a folder on it, and one on this machine."""

    cluster: Cluster
    cypress: str
    folder: Path

    def client(self, proxy: str = "", token: str | None = "test-token", **config: Any) -> ProdClient:
        """A client that gives up soon."""
        environment = {"YT_PROXY": proxy or self.cluster.address, "YT_TOKEN": token or ""}
        cluster_access = access.find({}, environment)
        config = {"retry_seconds": RETRY_SECONDS, "client_config": QUICK, **config}
        connection = Connection(cluster_access, ProdConfig(**config), ["hidden-secret"])
        return client_of(connection, self.folder)


@pytest.fixture
def place(cluster: Cluster, cypress: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "data").write_bytes(b"x" * 3_000_000)
    return Place(cluster, cypress, tmp_path / "pipeline")


def ordered(command: str, kind: str, action: Callable[[ProdClient, str], Any], **options: Any) -> Any:
    """A fault of every request of a command, and what is done meanwhile."""

    def happen(place: Place) -> None:
        client = place.client()
        client.write_table(f"{place.cypress}/t", ROWS)
        place.cluster.fault(command, kind, nth="every", **options)
        action(client, place.cypress)

    return happen


def exists(client: ProdClient, root: str) -> None:
    client.exists(f"{root}/t")


def write(client: ProdClient, root: str) -> None:
    client.write_table(f"{root}/t", ROWS)


def read(client: ProdClient, root: str) -> None:
    client.read_table(f"{root}/t")


def upload(client: ProdClient, root: str) -> None:
    client.upload_file("../data", f"{root}/data")


def nowhere(place: Place) -> None:
    access.find({}, {})


def elsewhere(proxy: str) -> Callable[[Place], None]:
    return lambda place: exists(place.client(proxy), place.cypress)


def no_token(place: Place) -> None:
    place.cluster.tokens("another")
    exists(place.client(token=None), place.cypress)


def no_permission(place: Place) -> None:
    place.cluster.deny(f"{place.cypress}/t")
    write(place.client(), place.cypress)


def no_space(place: Place) -> None:
    place.cluster.quota(10)
    write(place.client(), place.cypress)


def locked(place: Place) -> None:
    client, official = place.client(), place.cluster.client()
    write(client, place.cypress)
    with official.Transaction():
        official.lock(f"{place.cypress}/t")
        write(client, place.cypress)


def another_schema(place: Place) -> None:
    schema = [{"name": "n", "type": "string"}]
    place.cluster.client().create("table", f"{place.cypress}/t", attributes={"schema": schema})
    write(place.client(), place.cypress)


FAULTS: dict[str, Callable[[Place], None]] = {
    "No address is set.": nowhere,
    "The address is none.": elsewhere("host:port"),
    "The address is a cluster's short name.": elsewhere("hume"),
    "There is no such host.": elsewhere("no-such-host.invalid"),
    "Nothing listens there.": elsewhere("127.0.0.1:1"),
    "The proxy closes the connection.": ordered("exists", "reset_before", exists),
    "The proxy does not answer.": ordered("exists", "hang", exists),
    "The proxy is overloaded, or banned: 503.": ordered("exists", "503", exists),
    "A balancer answers 502 with a page.": ordered("exists", "html502", exists),
    "What is behind the proxy does not answer.": ordered(
        "exists", "error", exists, code=105, message="Master is down"
    ),
    "The user sends too many requests at once.": ordered("exists", "904", exists),
    "The token is wrong.": lambda place: exists(place.client(token="wrong-token"), place.cypress),
    "There is no token, and the cluster wants one.": no_token,
    "The user is banned.": ordered("exists", "error", exists, code=903, message='User "robot" is banned'),
    "The user may not do it.": no_permission,
    "The quota is used up.": no_space,
    "There is no such table.": lambda place: read(place.client(), place.cypress),
    "There is something else at the path.": lambda place: place.client().row_count(place.cypress),
    "Somebody else has locked it.": locked,
    "A row does not fit the table's schema.": another_schema,
    "The transaction was lost: the cluster did not hear of it for 30 s.": ordered("write_table", "11000", write),
    "The proxy fails while rows are written.": ordered("write_table", "503", write),
    "The proxy closes the connection while a file is uploaded.": ordered("write_file", "reset_after", upload),
    "No proxy takes data.": ordered("hosts", "503", write),
    "Rows arrive only in part.": ordered("read_table", "short_body", read),
    "Reading fails halfway.": ordered("read_table", "trailer_error", read),
}


def failure(place: Place, happen: Callable[[Place], None]) -> YtbuildError:
    with pytest.raises(YtbuildError) as caught:
        happen(place)
    return caught.value


def test_the_page_lists_the_faults() -> None:
    assert list(TABLE) == list(FAULTS)


@pytest.mark.parametrize("fault", FAULTS)
def test_a_fault_ends_as_the_page_says(place: Place, fault: str) -> None:
    message, given_up = TABLE[fault]
    begin = time.monotonic()
    error = failure(place, FAULTS[fault])
    seconds = time.monotonic() - begin
    expected = ".+".join(map(re.escape, message.strip("`").split("…")))
    assert re.fullmatch(expected, error.message), error.message
    assert error.hint
    assert getattr(error, "transient", False) == (given_up != AT_ONCE)
    assert seconds < 2 * RETRY_SECONDS + 1
    if given_up == AT_ONCE:
        assert seconds < RETRY_SECONDS
    shown = error.message + error.hint
    assert len(error.message) < 400 and len(error.hint) < 200 and shown.isprintable()
    assert "test-token" not in shown + getattr(error, "said", "")


REPEATED = [
    ("exists", "reset_before", exists),
    ("exists", "503", exists),
    ("exists", "html502", exists),
    ("exists", "904", exists),
    ("write_table", "503", write),
    ("write_file", "reset_after", upload),
    ("read_table", "reset_before", read),
]


@pytest.mark.parametrize(("command", "kind", "action"), REPEATED)
def test_what_may_pass_is_tried_again(
    place: Place, command: str, kind: str, action: Callable[[ProdClient, str], None]
) -> None:
    failure(place, ordered(command, kind, action))
    assert place.cluster.faults()[0]["applied"] > 1


@pytest.mark.parametrize("kind", ["401", "901", "902", "402", "500", "307", "11000"])
def test_what_cannot_pass_is_not_tried_again(place: Place, kind: str) -> None:
    failure(place, ordered("exists", kind, exists))
    assert place.cluster.faults()[0]["applied"] == 1


def test_a_request_that_hangs_is_tried_again(place: Place) -> None:
    place.cluster.fault("exists", "hang")
    assert not place.client(retry_seconds=2).exists(f"{place.cypress}/t")


@pytest.mark.parametrize("kind", ["reset_after", "503", "904"])
def test_a_fault_that_passes_is_not_seen(place: Place, kind: str) -> None:
    client = place.client()
    for command in ("start_transaction", "create", "write_table", "commit_transaction", "lock", "get", "read_table"):
        place.cluster.fault(command, kind)
    client.write_table(f"{place.cypress}/t", ROWS)
    assert client.read_table(f"{place.cypress}/t") == ROWS


def test_a_repeated_request_is_told_of(place: Place) -> None:
    heard = Heard()
    cluster_access = access.find({}, place.cluster.environment)
    place.cluster.fault("exists", "503")
    config = ProdConfig(retry_seconds=2, client_config=QUICK)
    with Connection(cluster_access, config, reporter=heard) as connection:
        exists(client_of(connection, place.folder), place.cypress)
    assert heard.warnings == [f"{place.cluster.address} does not answer as it should; trying again, for 2 s at most"]


# Messages


def test_what_the_cluster_says_cannot_write_to_the_terminal(place: Place) -> None:
    said = "\x1b[31mred\r\n\x9b0m  hidden-secret test-token " + "x" * 9000
    error = failure(place, ordered("exists", "error", exists, code=1, message=said))
    assert error.message.startswith(f"exists {place.cypress}/t: \\033[31mred \\302\\2330m *** *** xxx")
    assert len(error.message) < 600


def test_the_whole_answer_is_kept_for_the_log(place: Place) -> None:
    error = failure(place, ordered("exists", "901", exists))
    assert isinstance(error, ClusterError)
    assert "Access denied for user" in error.said and 901 in error.codes


def test_a_secret_is_hidden_as_it_is_written_in_json(place: Place) -> None:
    cluster_access = ClusterAccess(place.cluster.address, "the test", "test-token", "the test")
    place.cluster.fault("exists", "error", message='{"password": "a\\"b\\\\c"}')
    with Connection(cluster_access, ProdConfig(retry_seconds=1), ['a"b\\c']) as connection:
        error = failure(place, lambda place: exists(client_of(connection, place.folder), place.cypress))
    assert '{"password": "***"}' in error.message


# Time, with the settings that everybody has


class Clock:
    """A clock that sleeping puts forward, for the official client and for ytbuild."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        import yt.wrapper.http_helpers
        import yt.wrapper.retries

        self.slept = 0.0
        begin = datetime.now()
        now = SimpleNamespace(now=lambda: begin + timedelta(seconds=self.slept))
        sleeping = SimpleNamespace(sleep=self._sleep, monotonic=lambda: self.slept, time=time.time)
        monkeypatch.setattr(yt.wrapper.retries, "datetime", now)
        monkeypatch.setattr(yt.wrapper.retries, "time", sleeping)
        monkeypatch.setattr(yt.wrapper.http_helpers, "time", sleeping)
        monkeypatch.setattr(backoff, "time", sleeping)

    def _sleep(self, seconds: float) -> None:
        self.slept += seconds


WAITED_FOR = [
    ("exists", exists),
    ("execute_batch", write),
    ("create", write),
    ("hosts", write),
    ("write_table", write),
    ("write_file", upload),
    ("commit_transaction", write),
    ("lock", read),
    ("read_table", read),
]


@pytest.mark.parametrize(("command", "action"), WAITED_FOR)
def test_by_default_a_cluster_that_fails_is_given_up_within_a_minute(
    place: Place, monkeypatch: pytest.MonkeyPatch, command: str, action: Callable[[ProdClient, str], None]
) -> None:
    client = place.client(retry_seconds=ProdConfig().retry_seconds)
    write(client, place.cypress)
    clock = Clock(monkeypatch)
    place.cluster.fault(command, "503", nth="every")
    with pytest.raises(ClusterError):
        action(client, place.cypress)
    assert 15 < clock.slept <= 60


def test_by_default_two_requests_that_hang_take_less_than_a_minute() -> None:
    proxy = client_config(ClusterAccess("a", "b", None, "c"), ProdConfig())["proxy"]
    assert 2 * proxy["heavy_request_timeout"] < 55_000
    assert 3 * proxy["request_timeout"] < 55_000
