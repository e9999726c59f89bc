"""Which backend a run uses, opened with the code that its jobs get: the one place that asks for the mode."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from contextlib import AbstractContextManager

from ytbuild.backends.base import Backend, Client
from ytbuild.backends.dev.client import DevClient
from ytbuild.base.reporter import Reporter
from ytbuild.build import build_archive
from ytbuild.cluster.connection import connect
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.graph.plan import Planner
from ytbuild.run.job_code import JobCode, archive_here, archive_there
from ytbuild.upload import build_and_send, cypress_store


def chosen(config: PipelineConfig) -> Backend:
    """Return the backend that a configuration chooses; nothing is connected."""
    if config.mode == "prod":
        from ytbuild.backends.prod.backend import ProdBackend

        return ProdBackend()
    from ytbuild.backends.dev.backend import DevBackend

    return DevBackend()


def opened(
    planner: Planner,
    code: JobCode,
    reporter: Reporter,
    known_secrets: dict[str, str],
    *,
    keep_sandboxes: bool,
    strict: bool,
) -> AbstractContextManager[Client]:
    """Give the client of the backend that the configuration chooses, with the code where its jobs find it."""
    if planner.config.mode == "prod":
        return _prod(planner, code, reporter, known_secrets)
    return _dev(planner, code, reporter, keep_sandboxes=keep_sandboxes, strict=strict)


@contextlib.contextmanager
def _dev(
    planner: Planner, code: JobCode, reporter: Reporter, *, keep_sandboxes: bool, strict: bool
) -> Iterator[Client]:
    """Give the client of this machine, with the code built."""
    if code.earlier is None:
        archive = build_archive(planner, code.plan, reporter).archive
    else:
        archive = archive_here(planner, code, reporter)
    with DevClient(planner.config, archive, keep_sandboxes=keep_sandboxes, strict=strict) as client:
        yield client


@contextlib.contextmanager
def _prod(planner: Planner, code: JobCode, reporter: Reporter, known_secrets: dict[str, str]) -> Iterator[Client]:
    """Give the client of a cluster, with the code built and uploaded.

    Raises a `UsageError` when it is not known which cluster, or where the code goes.
    """
    from ytbuild.backends.prod.client import ProdClient

    with connect(planner.config, known_secrets, reporter) as connection:
        if code.earlier is not None:
            archive: str | None = archive_there(cypress_store(planner.config, connection), code, reporter)
        elif planner.config.build_folder is None:
            # The backend has made sure that no enabled stage has code.
            archive = None
        else:
            archive = build_and_send(planner, connection, code.plan, reporter).archive
        with ProdClient(planner.config, connection, archive) as client:
            yield client
