"""`pipeline.prod`: how uploads and operations on a cluster go about it."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ytbuild.config.checks import Section

DEFAULT_EXPIRATION_DAYS = 14

PROD_KEYS = ("expiration_days", "retry_seconds", "queue_seconds", "poll_seconds", "upload_threads", "client_config")
_MAX_THREADS = 32


@dataclass(frozen=True)
class ProdConfig:
    """What ytbuild reads under `pipeline.prod`.

    `expiration_days`: what was uploaded goes when nothing used it for so long. `retry_seconds`: a request that the
    network or the proxy fails is repeated for so long; `queue_seconds`: so is the start of an operation while there
    are too many. `poll_seconds` lie at most between two questions how an operation stands. `client_config` goes over
    the official client's configuration as it is; `pickling` is about TypedJobs.
    """

    expiration_days: float = DEFAULT_EXPIRATION_DAYS
    retry_seconds: float = 30
    queue_seconds: float = 600
    poll_seconds: float = 3
    upload_threads: int = 4
    client_config: Mapping[str, Any] = field(default_factory=dict)
    pickling: Mapping[str, bool] = field(default_factory=dict)


def prod_config(section: Section, pickling: Mapping[str, bool]) -> ProdConfig:
    """Return `pipeline.prod` as a value; raises `ConfigError` for whatever is wrong in it."""
    default = ProdConfig()
    threads = _number(section, "upload_threads", default.upload_threads)
    if threads != int(threads) or threads > _MAX_THREADS:
        raise section.error("upload_threads", f"is {threads!r}", f"it is a whole number from 1 to {_MAX_THREADS}")
    return ProdConfig(
        expiration_days=_number(section, "expiration_days", default.expiration_days),
        retry_seconds=_number(section, "retry_seconds", default.retry_seconds),
        queue_seconds=_number(section, "queue_seconds", default.queue_seconds),
        poll_seconds=_number(section, "poll_seconds", default.poll_seconds),
        upload_threads=int(threads),
        client_config=section.section("client_config").values,
        pickling=pickling,
    )


def _number(section: Section, key: str, default: float) -> float:
    value = section.values.get(key)
    if value is None:
        return default
    if isinstance(value, bool) or not isinstance(value, int | float) or not math.isfinite(value) or value <= 0:
        raise section.error(key, f"is {value!r}", "it is a number above zero")
    return value
