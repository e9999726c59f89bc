"""Starting operations, and telling of them while they run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from ytbuild.backends.base import Client, OperationHandle, OperationProgress, OperationResult, OperationSpec, State
from ytbuild.base.errors import JobFailed
from ytbuild.base.reporter import Event, Reporter
from ytbuild.graph.plan import Plan
from ytbuild.run.missing_modules import advice
from ytbuild.run.operation_blocks import operation_of
from ytbuild.run.operation_specs import Given, SpecResolver
from ytbuild.run.stage import StageContext


@dataclass(frozen=True)
class OperationEvent(Event):
    """Something about an operation; `link` is its id on the cluster and its page, empty in dev."""

    stage: str
    operation: str
    kind: str
    link: str


@dataclass(frozen=True)
class OperationStarted(OperationEvent):
    """An operation runs."""


@dataclass(frozen=True)
class OperationRunning(OperationEvent):
    """How far an operation is that somebody waits for, for so many `seconds` already."""

    progress: OperationProgress
    seconds: float


@dataclass(frozen=True)
class OperationDone(OperationEvent):
    """An operation has succeeded.

    A table is None where there is none. `jobs` is how many were asked for, 0 where the cluster decides; rows are 0
    where there is no table.
    """

    input_table: str | None
    output_table: str | None
    jobs: int
    rows_in: int
    rows_out: int
    seconds: float


class StartedOperation:
    """An operation that was started: what `run_map(…, sync=False)` returns.

    `observed` tells whether somebody waited for it or aborted it: a failure that nobody saw must not be lost.
    """

    def __init__(self, handle: OperationHandle, plan: Plan, reporter: Reporter) -> None:
        self._handle = handle
        self._plan = plan
        self._reporter = reporter
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
            with self._reporter.working(self._running):
                result = self._handle.wait()
        except JobFailed as error:
            raise JobFailed(error.message, advice(self._plan, error.said) + error.hint, error.said) from None
        if not self._told:
            self._told = True
            self._reporter.event(self._done(result))
        return result

    def abort(self) -> None:
        """End the operation's jobs; no table changes. Does nothing when it has ended."""
        self.observed = True
        self._handle.abort()

    def progress(self) -> OperationProgress:
        """Return how far the operation is."""
        return self._handle.progress()

    @property
    def identity(self) -> tuple[str, str, str, str]:
        """What every event about the operation says: its stage, name, kind and link."""
        return self.spec.stage, self.spec.name, self.spec.kind, self.link

    def _running(self, seconds: float) -> OperationRunning:
        return OperationRunning(*self.identity, self.progress(), seconds)

    def _done(self, result: OperationResult) -> OperationDone:
        spec = self.spec
        output = spec.output_table or spec.input_table
        jobs = sum(leg.job_count for leg in spec.legs)
        return OperationDone(
            *self.identity, spec.input_table, output, jobs, result.rows_in, result.rows_out, result.seconds
        )


class OperationLauncher:
    """Starts the operations of one run; `started` are those that it has started."""

    def __init__(self, resolver: SpecResolver, client: Client, reporter: Reporter) -> None:
        self._resolver = resolver
        self._plan = resolver.plan
        self._client = client
        self._reporter = reporter
        self.started: list[StartedOperation] = []

    def run(self, context: StageContext, kind: str, block: Any, given: Given) -> OperationResult:
        """Run an operation of stage code to its end."""
        return self.start(context, kind, block, given).wait()

    def start(self, context: StageContext, kind: str, block: Any, given: Given) -> StartedOperation:
        """Start an operation of stage code; raises a `UsageError` for what is wrong with its block."""
        stage = next(stage for stage in self._plan.stages if stage.name == context.name)
        operation = operation_of(self._plan, stage, kind, block)
        spec = self._resolver.resolved(stage, operation, given)
        for text in self._resolver.backend.unchecked(spec):
            context.logger.debug(text)
        return self.start_spec(spec)

    def start_spec(self, spec: OperationSpec) -> StartedOperation:
        """Start a resolved operation."""
        handle = self._client.start_operation(spec, self._reporter)
        started = StartedOperation(handle, self._plan, self._reporter)
        self.started.append(started)
        self._reporter.event(OperationStarted(*started.identity))
        return started

    def wait_for_the_rest(self) -> None:
        """Wait for the operations that nobody waited for; raises what the first of them that failed raises."""
        for started in self.started:
            if not started.observed:
                started.wait()
