"""Starting operations, and telling of them while they run."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from typing import Any, Protocol

from ytbuild.backends.base import Client, OperationHandle, OperationProgress, OperationResult, OperationSpec, State
from ytbuild.base.errors import JobFailed
from ytbuild.graph.plan import Plan
from ytbuild.run import blocks, operations
from ytbuild.run.missing import advice
from ytbuild.run.operations import Given
from ytbuild.run.stage import StageContext


class OperationEvents(Protocol):
    """Whom a run tells of its operations."""

    @property
    def operation_started(self) -> Callable[[OperationHandle], None]:
        """Called as soon as an operation has started."""
        ...

    @property
    def operation_running(self) -> Callable[[OperationHandle], AbstractContextManager[None]]:
        """Entered while somebody waits for an operation."""
        ...

    @property
    def operation_done(self) -> Callable[[OperationSpec, OperationResult], None]:
        """Called when an operation has succeeded."""
        ...

    @property
    def warned(self) -> Callable[[str], None]:
        """Called, from any thread, when something is not as it should be."""
        ...


class StartedOperation:
    """An operation that was started: what `run_map(…, sync=False)` returns.

    `observed` tells whether somebody waited for it or aborted it: a failure that nobody saw must not be lost.
    """

    def __init__(self, handle: OperationHandle, plan: Plan, events: OperationEvents) -> None:
        self._handle = handle
        self._plan = plan
        self._events = events
        self._told = False
        self.observed = False

    @property
    def spec(self) -> OperationSpec:
        """What was started."""
        return self._handle.spec

    @property
    def link(self) -> str:
        """The operation's id on the cluster and its page, for people; empty in dev."""
        return self._handle.link

    @property
    def state(self) -> State:
        """How the operation stands: `running`, `completed`, `failed` or `aborted`."""
        return self._handle.state

    def wait(self) -> OperationResult:
        """Wait for the end; raises `OperationFailed` when it fails or was aborted."""
        self.observed = True
        try:
            with self._events.operation_running(self._handle):
                result = self._handle.wait()
        except JobFailed as error:
            raise JobFailed(error.message, advice(self._plan, error.said) + error.hint, error.said) from None
        if not self._told:
            self._told = True
            self._events.operation_done(self.spec, result)
        return result

    def abort(self) -> None:
        """End the operation's jobs; no table changes. Does nothing when it has ended."""
        self.observed = True
        self._handle.abort()

    def progress(self) -> OperationProgress:
        """Return how far the operation is."""
        return self._handle.progress()


class PlanLauncher:
    """Starts the operations of one run; `started` are those that it has started."""

    def __init__(self, plan: Plan, client: Client, events: OperationEvents, known_secrets: Mapping[str, str]) -> None:
        self._plan = plan
        self._client = client
        self._events = events
        self._secrets = known_secrets
        self.started: list[StartedOperation] = []

    def run(self, context: StageContext, kind: str, block: Any, given: Given) -> OperationResult:
        """Run an operation of stage code to its end."""
        return self.start(context, kind, block, given).wait()

    def start(self, context: StageContext, kind: str, block: Any, given: Given) -> StartedOperation:
        """Start an operation of stage code; raises a `UsageError` for what is wrong with its block."""
        stage = next(stage for stage in self._plan.stages if stage.name == context.name)
        operation = blocks.operation(self._plan, stage, kind, block)
        if given.output_schema is not None and self._plan.config.mode == "dev":
            context.logger.debug("dev does not check output_schema")
        return self.start_spec(operations.resolved(self._plan, stage, operation, self._secrets, given))

    def start_spec(self, spec: OperationSpec) -> StartedOperation:
        """Start a resolved operation."""
        handle = self._client.start_operation(spec, self._events.warned)
        started = StartedOperation(handle, self._plan, self._events)
        self.started.append(started)
        self._events.operation_started(handle)
        return started

    def wait_for_the_rest(self) -> None:
        """Wait for the operations that nobody waited for; raises what the first of them that failed raises."""
        for started in self.started:
            if not started.observed:
                started.wait()
