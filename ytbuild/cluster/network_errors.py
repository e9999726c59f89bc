"""Why a connection failed: what the client's HTTP library raises, with the causes behind it."""

from __future__ import annotations

import socket
from collections.abc import Iterator


def reason(error: BaseException) -> str:
    """Return why a connection failed: the innermost cause says it in a few words."""
    causes = list(_causes(error))
    said = [str(cause.strerror) for cause in causes if isinstance(cause, OSError) and cause.strerror]
    text = (said or [str(cause) for cause in causes if str(cause)] or [type(error).__name__])[-1]
    return text[:1].lower() + text[1:]


def was_open(error: BaseException) -> bool:
    """Tell whether there was a connection before it failed."""
    from yt.packages.requests.exceptions import ConnectTimeout, InvalidURL, MissingSchema
    from yt.packages.urllib3.exceptions import ConnectTimeoutError, NewConnectionError

    no_address = (InvalidURL, MissingSchema)
    not_open = (ConnectTimeout, ConnectTimeoutError, NewConnectionError, ConnectionRefusedError, *no_address)
    return not any(isinstance(cause, not_open) for cause in _causes(error))


def is_unknown_host(error: BaseException) -> bool:
    """Tell whether a connection failed because its host's name leads nowhere."""
    return any(isinstance(cause, socket.gaierror) for cause in _causes(error))


def is_timeout(error: BaseException) -> bool:
    """Tell whether a connection failed because nothing came for too long."""
    from yt.packages.requests.exceptions import Timeout
    from yt.packages.urllib3.exceptions import NewConnectionError
    from yt.packages.urllib3.exceptions import TimeoutError as PoolTimeout

    # A refused connection counts as a timeout in urllib3.
    causes = [cause for cause in _causes(error) if not isinstance(cause, NewConnectionError)]
    return any(isinstance(cause, Timeout | PoolTimeout | TimeoutError) for cause in causes)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """Give an error and those behind it, outermost first; urllib3 keeps them in `reason` and in arguments."""
    waiting, seen = [error], set[int]()
    while waiting:
        cause = waiting.pop()
        if id(cause) in seen:
            continue
        seen.add(id(cause))
        yield cause
        behind = [cause.__context__, cause.__cause__, getattr(cause, "reason", None), *cause.args]
        waiting += [one for one in behind if isinstance(one, BaseException)]
