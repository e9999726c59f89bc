"""A connection to a cluster through the official client: single commands, batches, content.

Our own retry profile: the client's defaults wait minutes to hours.
"""

from __future__ import annotations

import contextlib
import os
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

from ytbuild.base.backoff import Backoff
from ytbuild.base.errors import ClusterError
from ytbuild.base.reporter import SILENT, Event, Reporter
from ytbuild.cluster import client_log, error_messages
from ytbuild.cluster.commands import Answer, Command
from ytbuild.cluster.error_codes import NOT_TAKEN
from ytbuild.cluster.masking import Mask
from ytbuild.cluster.official_client import Clients
from ytbuild.cluster.transactions import Transactions
from ytbuild.config import access as cluster_access
from ytbuild.config.access import ClusterAccess
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.config.prod import ProdConfig

MAX_BATCH = 100
"""Commands in one request: the official client's own limit."""

_FIRST_PAUSE, _LONGEST_PAUSE = 0.5, 5.0
_NOT_SECRET = (cluster_access.PROXY, cluster_access.TOKEN_PATH)

Result = TypeVar("Result")


@dataclass(frozen=True)
class ClusterChosen(Event):
    """The cluster that will be talked to, by its proxy's address and where that came from."""

    proxy: str
    origin: str


class Connection:
    """A connection to one cluster; every method may be called from any thread and raises `ClusterError`.

    `mask` hides the token and `secrets` in texts, those of errors among them; `reporter` hears when requests have to
    be repeated.
    """

    def __init__(
        self,
        access: ClusterAccess,
        config: ProdConfig,
        secrets: Iterable[str] = (),
        reporter: Reporter = SILENT,
    ) -> None:
        self.access = access
        self.config = config
        self.reporter = reporter
        self.mask = Mask([*secrets, access.token or ""])
        self.transactions = Transactions(self.command, self.batch)
        # What ends each operation that was started: an interrupt may come before anybody has a handle of it.
        self.started: dict[str, Command] = {}
        self._clients = Clients(access, config)
        self._local = threading.local()
        self._is_closed = False
        self._repetition = client_log.RepetitionWarning(reporter, access.proxy, config.retry_seconds)
        self._quiet = client_log.heard(self._repetition.repeated)
        self._quiet.__enter__()

    def __enter__(self) -> Connection:
        self.client()
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Abort the transactions that are still open, and end the pings and the clients' connections."""
        if not self._is_closed:
            self._is_closed = True
            self.transactions.close()
            self._quiet.__exit__(None, None, None)
            self._clients.close()

    def client(self) -> Any:
        """Return the official client of this thread."""
        return self._clients.of_thread()

    def heavy_client(self) -> Any:
        """Return the official client of this thread, for a request that moves data."""
        return self._clients.heavy()

    def backoff(self) -> Backoff:
        """Return the pauses between attempts of one request: for `retry_seconds`, and the reporter hears of them."""
        return Backoff(
            _FIRST_PAUSE,
            _LONGEST_PAUSE,
            self.config.retry_seconds,
            jitter=(1, 1.3),
            waiting=lambda _: self._repetition.repeated(),
        )

    def repeated(self, action: Callable[[], Result]) -> Result:
        """Return what `action` returns; while it fails with what may pass, do it again, for `retry_seconds`."""
        return self.backoff().repeat(action, lambda error: error.transient)

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
        doing: str = getattr(self._local, "doing", "")
        return doing

    @contextlib.contextmanager
    def translated(self, what: str) -> Iterator[None]:
        """Turn what the client raises inside the block into `ClusterError`; `what` says what was being done."""
        try:
            yield
        except error_messages.client_errors() as error:
            raise error_messages.translated(error, self._doing or what, self.access, self.mask) from None

    def command(
        self, name: str, parameters: Mapping[str, Any], *, repeat: bool | None = None, timeout: int | None = None
    ) -> Any:
        """Send one light command and return its value, None when it has none.

        `repeat` and `timeout`, in milliseconds, are what the client's configuration says unless they are given.
        """
        from yt.wrapper.driver import get_structured_format, make_request

        command = Command(name, parameters)
        client = self.client()
        form = get_structured_format(None, client=client)
        with self.translated(command.label):
            content = make_request(
                name,
                {**command.sent_parameters, "output_format": form.to_yson_type()},
                response_format=form,
                allow_retries=repeat,
                timeout=timeout,
                client=client,
            )
            # Commands without a value, such as a commit, answer with nothing at all.
            return command.value_of(form.loads_node(content)) if content else None

    def batch(self, commands: Sequence[Command]) -> list[Answer]:
        """Send many light commands in as few requests as possible; they run in no order. Never raises for one of
        them: each answer has its own error.

        Those that the cluster did not take because it is overloaded are sent again; the client does so by itself only
        for single commands.
        """
        answers = self._batch(commands)
        backoff = self.backoff()
        while refused := [index for index, answer in enumerate(answers) if answer.has(*NOT_TAKEN)]:
            if not backoff.wait():
                break
            for index, answer in zip(refused, self._batch([commands[index] for index in refused]), strict=True):
                answers[index] = answer
        return answers

    def _batch(self, commands: Sequence[Command]) -> list[Answer]:
        answers: list[Answer] = []
        for start in range(0, len(commands), MAX_BATCH):
            part = commands[start : start + MAX_BATCH]
            requests = [_request(command) for command in part]
            results = self.command("execute_batch", {"requests": requests, "concurrency": MAX_BATCH})["results"]
            answers += [self._answer(command, result) for command, result in zip(part, results, strict=True)]
        return answers

    def _answer(self, command: Command, result: Mapping[str, Any]) -> Answer:
        if "error" not in result:
            return Answer(command.value_of(result.get("output")))
        what = self._doing or command.label
        error = error_messages.of_answer(result["error"], what, self.access, self.mask)
        error.repeated = False
        return Answer(error=error)

    def write(self, name: str, parameters: Mapping[str, Any], data: Iterable[bytes], *, compress: bool) -> None:
        """Send content with a command that writes it, in one attempt; `compress` packs the data for the way only."""
        from yt.wrapper.driver import make_request

        client = self.heavy_client()
        client.config["proxy"]["content_encoding"] = "gzip" if compress else "identity"
        try:
            with self.translated(Command(name, parameters).label):
                make_request(name, dict(parameters), data=data, use_heavy_proxy=True, client=client)
        except ClusterError as error:
            error.repeated = False
            raise

    def read(self, name: str, parameters: Mapping[str, Any], *, heavy: bool = True) -> bytes:
        """Return the whole content that a command answers with; `heavy` asks a proxy that moves data."""
        from yt.wrapper.driver import make_request

        client = self.heavy_client() if heavy else self.client()
        with self.translated(Command(name, parameters).label):
            content: bytes = make_request(name, dict(parameters), use_heavy_proxy=heavy, client=client)
            return content


def connect(config: PipelineConfig, known_secrets: Mapping[str, str], reporter: Reporter) -> Connection:
    """Return a connection to the cluster that `YT_PROXY` names; nothing has been sent yet.

    `known_secrets` are those of secrets.env: no error will show one. Raises as `access.find` does.
    """
    access = cluster_access.find(known_secrets, os.environ)
    reporter.event(ClusterChosen(access.proxy, access.proxy_origin))
    secrets = [value for name, value in known_secrets.items() if name not in _NOT_SECRET]
    return Connection(access, config.prod, secrets, reporter)


def _request(command: Command) -> dict[str, Any]:
    request = {"command": command.name, "parameters": command.sent_parameters}
    return request if command.input is None else request | {"input": command.input}
