"""A connection to a cluster through the official client: single commands, batches, files, transactions.

One `YtClient` lives in each thread that asks (the transaction stack and the HTTP session are in it). Our own retry
profile: the client's defaults wait minutes to hours. Transactions are ours, because those of the client end the
process (`interrupt_main`) when a ping fails, and nest two for each file.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from ytbuild.base.errors import ClusterError
from ytbuild.base.reporter import SILENT, Event, Reporter
from ytbuild.base.signals import undisturbed
from ytbuild.cluster import client_config, client_log, failures
from ytbuild.cluster.commands import NO_SUCH_TRANSACTION, Answer, Command
from ytbuild.cluster.retry import Patience
from ytbuild.config import access
from ytbuild.config.access import ClusterAccess
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.config.prod import ProdConfig

MAX_BATCH = 100
"""Commands in one request: the official client's own limit."""

_TRANSACTION_TIMEOUT = 30
_PING_INTERVAL = 5
_NOT_HIDDEN = (access.PROXY, access.TOKEN_PATH)

_ABORT_TIMEOUT = 3_000


@dataclass(frozen=True)
class ClusterChosen(Event):
    """The cluster that will be talked to, by its proxy's address and where that came from."""

    proxy: str
    origin: str


class Connection:
    """A connection to the cluster that was `found`; every method may be called from any thread.

    `hidden` are texts that no error may show; `reporter` hears when requests have to be repeated.
    """

    def __init__(
        self,
        found: ClusterAccess,
        config: ProdConfig,
        hidden: Iterable[str] = (),
        reporter: Reporter = SILENT,
    ) -> None:
        self.access = found
        self.config = config
        self._secrets = {*hidden, found.token or ""}
        self.hidden = failures.secrets_in_texts(self._secrets)
        # What ends each operation that was started: an interrupt may come before anybody has a handle of it.
        self.started: dict[str, Command] = {}
        self._local = threading.local()
        self._clients: list[Any] = []
        self._open: set[str] = set()
        self._pinger: threading.Thread | None = None
        self._lock = threading.Lock()
        self._closed = threading.Event()
        self._quiet = client_log.heard(reporter, config.retry_seconds, found.proxy)
        self._quiet.__enter__()

    def __enter__(self) -> Connection:
        self.client()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def hide(self, values: Iterable[str]) -> None:
        """Let no error show these texts from now on."""
        self._secrets.update(values)
        self.hidden = failures.secrets_in_texts(self._secrets)

    def close(self) -> None:
        """Abort what is still open, and end the pings and the clients' connections."""
        if self._closed.is_set():
            return
        self._closed.set()
        self.abort(sorted(self._open))
        self._quiet.__exit__(None, None, None)
        for client in self._clients:
            # The client closes its session when it is collected, which may be never.
            session = client._requests_session
            if session is not None:
                session.close()

    @property
    def proxy(self) -> str:
        """The proxy's address, as the user gave it."""
        return self.access.proxy

    def client(self) -> Any:
        """Return the official client of this thread."""
        found = getattr(self._local, "client", None)
        if found is None:
            from yt.wrapper import YtClient

            found = YtClient(config=client_config.client_config(self.access, self.config))
            self._local.client = found
            self._clients.append(found)
        return found

    def heavy_client(self) -> Any:
        """Return the official client of this thread, for a request that moves data."""
        client = self.client()
        if not getattr(self._local, "settled", False):
            client_config.settle(client)
            self._local.settled = True
        return client

    @contextlib.contextmanager
    def doing(self, what: str) -> Iterator[None]:
        """Name what goes wrong in this thread inside the block after what the user asked for, and not after the
        single command; the innermost of such blocks counts."""
        before = self._doing
        self._local.doing = what
        try:
            yield
        finally:
            self._local.doing = before

    @property
    def _doing(self) -> str:
        found: str = getattr(self._local, "doing", "")
        return found

    @contextlib.contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Turn what the client raises inside the block into `ClusterError`; `what` says what was being done."""
        try:
            yield
        except failures.client_errors() as error:
            raise failures.translated(error, self._doing or what, self.access, self.hidden) from None

    def command(self, name: str, parameters: Mapping[str, Any]) -> Any:
        """Send one light command and return its value, None when it has none."""
        return self._send(name, parameters)

    def _send(
        self, name: str, parameters: Mapping[str, Any], *, repeat: bool | None = None, timeout: int | None = None
    ) -> Any:
        from yt.wrapper.driver import get_structured_format, make_request

        client = self.client()
        form = get_structured_format(None, client=client)
        with self.translated(_label(name, parameters)):
            content = make_request(
                name,
                {**parameters, "output_format": form.to_yson_type()},
                response_format=form,
                allow_retries=repeat,
                timeout=timeout,
                client=client,
            )
            # Commands without a value, such as a commit, answer with nothing at all.
            return form.loads_node(content) if content else None

    def batch(self, commands: Sequence[Command]) -> list[Answer]:
        """Send many light commands in as few requests as possible; they run in no order.

        Those that the cluster did not take because of too many others are sent again; the client does so by itself
        only for single commands.
        """
        found = self._batch(commands)
        patience = Patience(self.config.retry_seconds)
        while refused := [index for index, answer in enumerate(found) if _was_refused(answer)]:
            if not patience.waited():
                break
            again = self._batch([commands[index] for index in refused])
            for index, answer in zip(refused, again, strict=True):
                found[index] = answer
        return found

    def _batch(self, commands: Sequence[Command]) -> list[Answer]:
        found: list[Answer] = []
        for start in range(0, len(commands), MAX_BATCH):
            part = commands[start : start + MAX_BATCH]
            requests = [_request(command) for command in part]
            results = self.command("execute_batch", {"requests": requests, "concurrency": MAX_BATCH})["results"]
            found += [self._answer(command, result) for command, result in zip(part, results, strict=True)]
        return found

    def _answer(self, command: Command, result: Mapping[str, Any]) -> Answer:
        if "error" not in result:
            return Answer(result.get("output"))
        what = self._doing or _label(command.name, command.parameters)
        error = failures.of_answer(result["error"], what, self.access, self.hidden)
        error.repeated = False
        return Answer(error=error)

    def write_file(self, path: str, data: Iterable[bytes], transaction: str, *, compress: bool = False) -> None:
        """Write the content of a file that exists, in one attempt; the cluster computes its md5.

        `compress` packs the data for the way only.
        """
        parameters = {"path": path, "compute_md5": True, "transaction_id": transaction}
        self.write("write_file", parameters, data, compress=compress)

    def write(self, command: str, parameters: Mapping[str, Any], data: Iterable[bytes], *, compress: bool) -> None:
        """Send content with a command that writes it, in one attempt; `compress` packs the data for the way only."""
        from yt.wrapper.driver import make_request

        client = self.heavy_client()
        client.config["proxy"]["content_encoding"] = "gzip" if compress else "identity"
        try:
            with self.translated(_label(command, parameters)):
                make_request(command, dict(parameters), data=data, use_heavy_proxy=True, client=client)
        except ClusterError as error:
            error.repeated = False
            raise

    def read_file(self, path: str) -> bytes:
        """Return the content of a file."""
        from yt.wrapper.driver import make_request

        with self.translated(_label("read_file", {"path": path})):
            content: bytes = make_request(
                "read_file", {"path": path}, use_heavy_proxy=True, client=self.heavy_client()
            )
            return content

    def start(self, titles: Sequence[str], parent: str | None = None) -> list[str]:
        """Start a transaction for each title, in one request, inside `parent` if it is given; return their ids.

        They are kept alive from then on.
        """
        common = {"timeout": _TRANSACTION_TIMEOUT * 1000} | ({"transaction_id": parent} if parent else {})
        commands = [Command("start_transaction", {**common, "attributes": {"title": title}}) for title in titles]
        # An interrupt must not come between the answer and our note of it: `close` aborts what is noted.
        with undisturbed():
            answers = self.batch(commands)
            found = [str(answer.value["transaction_id"]) for answer in answers if answer.error is None]
            self._keep_alive(found)
        for answer in answers:
            if answer.error is not None:
                self.abort(found)
                raise answer.error
        return found

    def commit(self, transactions: Sequence[str]) -> list[str]:
        """Commit transactions, in one request; return those that were there to be committed."""
        answers = self.batch([Command("commit_transaction", {"transaction_id": one}) for one in transactions])
        found: list[str] = []
        for transaction, answer in zip(transactions, answers, strict=True):
            if answer.error is None:
                self._let_go([transaction])
                found.append(transaction)
            elif NO_SUCH_TRANSACTION not in answer.error.codes:
                raise answer.error
        return found

    def abort(self, transactions: Sequence[str]) -> None:
        """Abort those of the transactions that are open; one that does not hear of it ends by itself."""
        with self._lock:
            open_ones = [one for one in transactions if one in self._open]
        self._let_go(open_ones)
        for transaction in open_ones:
            # Without repetition, and a failure is not told of: it would hide what led to the abort.
            with contextlib.suppress(ClusterError):
                self._send("abort_transaction", {"transaction_id": transaction}, repeat=False, timeout=_ABORT_TIMEOUT)

    @contextlib.contextmanager
    def transaction(self, title: str, parent: str | None = None) -> Iterator[str]:
        """Give the id of a new transaction: committed when the block ends, aborted by an error."""
        (transaction,) = self.start([title], parent)
        try:
            yield transaction
            # Alone, not in a batch: the client repeats it under one mutation id until it knows.
            self.command("commit_transaction", {"transaction_id": transaction})
            self._let_go([transaction])
        finally:
            self.abort([transaction])

    def _let_go(self, transactions: Iterable[str]) -> None:
        with self._lock:
            self._open.difference_update(transactions)

    def _keep_alive(self, transactions: Iterable[str]) -> None:
        with self._lock:
            self._open.update(transactions)
            if self._pinger is None:
                self._pinger = threading.Thread(target=self._ping, name="pings", daemon=True)
                self._pinger.start()

    def _ping(self) -> None:
        while not self._closed.wait(_PING_INTERVAL):
            with self._lock:
                pinged = sorted(self._open)
            if not pinged:
                continue
            # What is lost shows in the next command of its transaction; there it has a name.
            with contextlib.suppress(ClusterError):
                answers = self.batch([Command("ping_transaction", {"transaction_id": one}) for one in pinged])
                lost = [
                    one
                    for one, answer in zip(pinged, answers, strict=True)
                    if answer.error and NO_SUCH_TRANSACTION in answer.error.codes
                ]
                self._let_go(lost)


def connect(config: PipelineConfig, known_secrets: Mapping[str, str], reporter: Reporter) -> Connection:
    """Return a connection to the cluster that `YT_PROXY` names; nothing has been sent yet.

    `known_secrets` are those of secrets.env: no error will show one. Raises as `access.find` does.
    """
    found = access.find(known_secrets, os.environ)
    reporter.event(ClusterChosen(found.proxy, found.proxy_origin))
    hidden = [value for name, value in known_secrets.items() if name not in _NOT_HIDDEN]
    return Connection(found, config.prod, hidden, reporter)


def _was_refused(answer: Answer) -> bool:
    return answer.error is not None and bool(answer.error.codes & set(failures.QUEUE_LIMITS))


def _request(command: Command) -> dict[str, Any]:
    request = {"command": command.name, "parameters": dict(command.parameters)}
    return request if command.input is None else request | {"input": command.input}


def _label(name: str, parameters: Mapping[str, Any]) -> str:
    """Say what a command does, and to which path."""
    path = parameters.get("path") or parameters.get("destination_path") or parameters.get("link_path") or ""
    return f"{name} {path}".strip()
