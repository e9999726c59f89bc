"""What goes wrong between us and a cluster, in words: what failed, what the cluster said, what to do.

The official client's exceptions are pages long (headers, parameters, the whole spec) and some are no `YtError` at
all. `docs/reference/prod.md` lists the messages.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from ytbuild.base.errors import ClusterError
from ytbuild.cluster import error_codes, error_tree, network_errors
from ytbuild.cluster.masking import Mask
from ytbuild.config.access import ClusterAccess

_LONGEST_TEXT = 200_000

_OVER_LIMIT = re.compile(r'[Aa]ccount "?([^"\s]+)"? is over (?:its )?(.+?) limit')
_NO_PERMISSION = re.compile(r'denied for user "([^"]+)": "([^"]+)" permission for (.+?) is (?:not allowed|denied)')
_SHORT_NAME = re.compile(r"DNS resolution failed for proxy '([^']*)'")
_CUT_SHORT = "Unexpected end of framing stream"
_TRY_LATER = "try again later; pipeline.prod.retry_seconds says how long to try"


def client_errors() -> tuple[type[BaseException], ...]:
    """Return what the official client raises when a request fails."""
    from http.client import HTTPException

    from yt.packages.requests.exceptions import RequestException
    from yt.packages.urllib3.exceptions import HTTPError
    from yt.wrapper.errors import YtError

    return (YtError, RequestException, HTTPError, HTTPException, OSError, json.JSONDecodeError, UnicodeDecodeError)


def translated(error: BaseException, what: str, access: ClusterAccess, mask: Mask) -> ClusterError:
    """Return what the official client raised as a `ClusterError`; `what` says what was being done."""
    from yt.wrapper.errors import YtError, YtIncorrectResponse, YtProxyUnavailable, YtTokenError
    from yt.yson import YsonError

    words = _Words(what, access, mask)
    if isinstance(error, json.JSONDecodeError | UnicodeDecodeError | YsonError):
        return words.unreadable(error)
    if not isinstance(error, YtError):
        return words.unreached(error)
    answer = error_tree.plain(error)
    if isinstance(error, YtTokenError):
        return words.refused_token(answer)
    if short := _SHORT_NAME.search(str(answer["message"])):
        return words.short_name(short[1], answer)
    if _CUT_SHORT in str(answer["message"]):
        return words.unreadable(error)
    if isinstance(error, YtProxyUnavailable | YtIncorrectResponse):
        return words.unavailable(answer, getattr(getattr(error, "response", None), "status_code", 0))
    return words.said_no(answer)


def of_answer(answer: Mapping[str, Any], what: str, access: ClusterAccess, mask: Mask) -> ClusterError:
    """Return the error in the cluster's answer to one command as a `ClusterError`."""
    return _Words(what, access, mask).said_no(answer)


@dataclass(frozen=True)
class _Words:
    """Words for one failure: of what was being done, on which cluster, with what masked."""

    what: str
    access: ClusterAccess
    mask: Mask

    def said_no(self, answer: Mapping[str, Any]) -> ClusterError:
        """The cluster's answer is an error."""
        codes = frozenset(error_tree.codes(answer))
        if codes & error_codes.AUTHENTICATION:
            return self.refused_token(answer)
        if codes & error_codes.UNAVAILABLE and not codes & error_codes.TOO_MANY_REQUESTS:
            return self.unavailable(answer, 0)
        reason, hint = self._reason_and_hint(answer, codes)
        return self._error(f"{self.what}: {reason}", hint, answer, bool(codes & error_codes.TOO_MANY_REQUESTS))

    def _reason_and_hint(self, answer: Mapping[str, Any], codes: frozenset[int]) -> tuple[str, str]:
        reason = error_tree.innermost(answer)
        everything = " ".join(error_tree.messages(answer))
        if error_codes.LIMIT_EXCEEDED in codes:
            limit = _OVER_LIMIT.search(everything)
            text = f"the account {limit[1]} is over its {limit[2]} limit" if limit else reason
            return text, "remove what is not needed, or ask for a larger quota"
        if error_codes.ACCESS_DENIED in codes:
            denied = _NO_PERMISSION.search(everything)
            text = f"the user {denied[1]} has no {denied[2]} permission for {denied[3]}" if denied else reason
            return text, "ask the owner for the permission"
        if error_codes.NO_SUCH_TRANSACTION in codes:
            return f"the transaction was lost: {reason}", "nothing was changed; run it again"
        if error_codes.LOCK_CONFLICT in codes:
            return f"somebody else has it locked: {reason}", "wait until the other one ends"
        if codes & {error_codes.SCHEMA_VIOLATION, error_codes.UNSORTED}:
            return f"a row does not fit the table's schema: {reason}", "correct the row, or the table's schema"
        return reason, self._plain_hint(codes)

    def _plain_hint(self, codes: frozenset[int]) -> str:
        if codes & error_codes.TOO_MANY_REQUESTS:
            return "this user sends too many requests at once; try again later"
        if error_codes.BANNED in codes:
            return "the cluster's administrators know why"
        if error_codes.TOO_MANY_OPERATIONS in codes:
            return "wait until some of them end, or use another pool; pipeline.prod.queue_seconds is how long to try"
        if error_codes.RESOLVE_ERROR in codes:
            return f"correct the path; the cluster is {self.access.label}"
        if error_codes.ALREADY_EXISTS in codes:
            return "choose another path, or remove what is there"
        return f"the cluster is {self.access.label}"

    def refused_token(self, answer: Mapping[str, Any]) -> ClusterError:
        """The cluster does not know the token, or wants one."""
        if self.access.token is None:
            message = f"{self.access.proxy} wants a token, and there is none"
            hint = "set YT_TOKEN in configs/secrets.env or in the environment, or put the token into ~/.yt/token"
        else:
            message = f"YT_TOKEN was refused by {self.access.proxy}"
            origins = f"it came from {self.access.token_origin}, the address from {self.access.proxy_origin}"
            hint = f"{origins}: renew the token"
        return self._error(message, hint, answer, False)

    def unavailable(self, answer: Mapping[str, Any], status: int) -> ClusterError:
        """The proxy, or what is behind it, cannot serve anybody now."""
        inner = [message for message in error_tree.messages(answer) if message != "Proxy is unavailable"]
        if status == 200:
            return self.unreadable(answer)
        reason = f"its proxy answers {status}" if status else inner[-1] if inner else "no reason given"
        return self._error(f"the cluster {self.access.label} is not available: {reason}", _TRY_LATER, answer, True)

    def unreadable(self, answer: Any) -> ClusterError:
        """The answer was cut short, or is none of a cluster's."""
        message = f"{self.what}: the answer of {self.access.proxy} was cut short or damaged"
        return self._error(message, _TRY_LATER, answer, True)

    def short_name(self, name: str, answer: Any) -> ClusterError:
        """The address is a name that only the company's own client can complete."""
        hint = f"write its whole name, such as {name}.example.com: it comes from {self.access.proxy_origin}"
        return self._error(f"there is no host {name}: it looks like a cluster's short name", hint, answer, False)

    def unreached(self, error: BaseException) -> ClusterError:
        """There is no connection, or none any more."""
        proxy = self.access.proxy
        if network_errors.is_unknown_host(error) and not set(".:/") & set(proxy):
            # Older versions of the client do not say so themselves.
            return self.short_name(proxy, error)
        hint = "check the address and the network; pipeline.prod.retry_seconds says how long to try"
        reason = network_errors.reason(error)
        if network_errors.is_timeout(error):
            message = f"{self.what}: the cluster {self.access.label} gave no answer in time"
        elif network_errors.was_open(error):
            message = f"{self.what}: the connection to {self.access.label} broke: {reason}"
        else:
            message = f"cannot reach the cluster {self.access.label}: {reason}"
        return self._error(message, hint, error, True)

    def _error(self, message: str, hint: str, answer: Any, transient: bool) -> ClusterError:
        codes = frozenset(error_tree.codes(answer)) if isinstance(answer, Mapping) else frozenset()
        said = self.mask(f"{self.what}: {answer!r}"[:_LONGEST_TEXT])
        return ClusterError(error_tree.tidy(self.mask(message)), self.mask(hint), codes, said, transient)
