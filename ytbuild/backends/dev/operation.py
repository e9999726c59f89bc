"""One dev operation on its way through its legs."""

from __future__ import annotations

import contextlib
import os
import shutil
import threading
import time

from ytbuild.backends.base import OperationProgress, OperationResult, OperationSpec, State
from ytbuild.backends.dev.legs import LegRunner, RunContext
from ytbuild.base import signals
from ytbuild.base.cancellation import Cancelled
from ytbuild.base.errors import OperationFailed, QueryError, TableError
from ytbuild.base.reporter import Reporter, Warned
from ytbuild.rows import sorting


class DevOperation:
    """An operation that runs in a thread of its own; `name` is that of its folder and logs."""

    def __init__(self, context: RunContext, spec: OperationSpec, name: str, reporter: Reporter) -> None:
        self.name = name
        self._spec = spec
        self._context = context
        self._reporter = reporter
        self._source = context.tables.existing_file(spec.input_table) if spec.input_table else None
        self._is_sorted = spec.kind == "reduce" and self._check_sorted()
        self._legs = LegRunner(context, spec, name, reporter)
        self._lock = threading.Lock()
        self._state: State = "running"
        self._error: BaseException | None = None
        self._result: OperationResult | None = None
        self._started = time.perf_counter()
        shutil.rmtree(self._legs.folder, ignore_errors=True)
        os.makedirs(self._legs.folder)
        # Not the thread's own end: a `join` that a signal interrupts takes the thread for ended (CPython 3.11).
        self._is_over = threading.Event()
        signals.prepare_for_children()
        threading.Thread(target=self._run, name=name, daemon=True).start()

    @property
    def spec(self) -> OperationSpec:
        """What was started."""
        return self._spec

    @property
    def link(self) -> str:
        """Nothing: an operation on this machine has no page."""
        return ""

    @property
    def state(self) -> State:
        """How the operation stands."""
        return self._state

    @property
    def is_over(self) -> bool:
        """Whether nothing of it uses its folder any more."""
        return self._is_over.is_set()

    def wait(self) -> OperationResult:
        """Wait for the end; raises `OperationFailed` when it fails or was aborted."""
        self._is_over.wait()
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def abort(self) -> None:
        """End the operation's jobs; no table changes. Does nothing when it has ended."""
        with self._lock:
            if self._state != "running":
                return
            self._state = "aborted"
        self._legs.give_up(OperationFailed(f"{self._spec.label} was aborted", "start it again"))
        self._is_over.wait()

    def progress(self) -> OperationProgress:
        """Return how far the operation is."""
        return self._legs.progress()

    def _run(self) -> None:
        timer = self._timer()
        try:
            self._legs.prepare()
            read, written = self._through_legs()
            self._result = OperationResult(read, written, time.perf_counter() - self._started)
            self._ended("completed")
        except Cancelled:
            self._error = self._legs.failure
            self._ended("failed")
        except BaseException as error:
            self._error = error
            self._ended("failed")
        finally:
            if timer is not None:
                timer.cancel()
            try:
                self._legs.end_strays()
                self._clean()
            finally:
                self._is_over.set()

    def _ended(self, state: State) -> None:
        with self._lock:
            if self._state == "running":
                self._state = state

    def _timer(self) -> threading.Timer | None:
        limit = self._spec.time_limit
        if limit is None:
            return None
        error = OperationFailed(
            f"{self._spec.label} ran longer than its time_limit, {limit:g}s", "raise the limit, or give it less to do"
        )
        timer = threading.Timer(limit, self._legs.give_up, [error])
        timer.daemon = True
        timer.start()
        return timer

    def _through_legs(self) -> tuple[int, int]:
        """Run the legs; return the rows read and written."""
        spec, legs = self._spec, self._legs
        if spec.kind == "vanilla":
            legs.run(spec.legs[0], None, 0)
            return 0, 0
        if spec.query is not None:
            return 0, self._query(spec.query)
        assert self._source is not None
        if spec.kind == "sort":
            return self._sort_in_place(self._source)
        assert spec.input_table is not None
        read = self._context.tables.row_count(spec.input_table)
        source = self._source
        if spec.kind == "reduce" and not self._is_sorted:
            source = self._sorted([source])
        outputs, written = legs.run(spec.legs[0], source, read)
        if spec.kind == "map_reduce":
            outputs, written = legs.run(spec.legs[1], self._sorted(outputs), written)
        self._publish(outputs, written)
        return read, written

    def _query(self, query: str) -> int:
        """Run a query; return the number of rows in the tables that it wrote."""
        from ytbuild.yql.duckdb.engine import run_query

        try:
            spec, legs = self._spec, self._legs
            result = run_query(query, self._context.tables, legs.folder, spec.max_row_weight, legs.cancellation)
        except QueryError as error:
            raise QueryError(f"{self._spec.label}: {error.message}", error.hint) from None
        return sum(rows for _, rows in result.written)

    def _check_sorted(self) -> bool:
        """Tell whether the input of a reduce is known to be sorted.

        When it is not, the cluster would refuse it: dev says so, or raises with `strict`.
        """
        spec, context = self._spec, self._context
        assert spec.input_table is not None
        columns = spec.sort_by or spec.reduce_by
        known = context.tables.sorted_by(spec.input_table)
        if known[: len(columns)] == columns:
            return True
        how = f"is sorted by {', '.join(known)}" if known else "is not known to be sorted"
        text = (
            f"{spec.label}: {spec.input_table} {how}, and the cluster refuses to reduce a table that is not "
            f"sorted by {', '.join(columns)}"
        )
        if context.strict:
            raise OperationFailed(text, "sort it before, with a sort operation or run_sort")
        self._reporter.event(Warned(f"{text}; dev sorts a copy (--strict makes this an error)"))
        return False

    def _sorted(self, sources: list[str]) -> str:
        path = os.path.join(self._legs.folder, "sorted")
        columns = self._spec.sort_by or self._spec.reduce_by
        try:
            sorting.sort_files(sources, path, columns, self._legs.folder, self._legs.cancellation)
        except TableError as error:
            raise OperationFailed(
                f"{self._spec.label}, sorting by {', '.join(columns)}: {error.message}", error.hint
            ) from None
        return path

    def _sort_in_place(self, source: str) -> tuple[int, int]:
        spec = self._spec
        assert spec.input_table is not None
        count = self._legs.rows_in = self._context.tables.row_count(spec.input_table)
        path = self._sorted([source])
        self._publish_file(spec.input_table, path, count, sorted_by=spec.sort_by)
        return count, count

    def _publish(self, outputs: list[str], written: int) -> None:
        assert self._spec.output_table is not None
        path = outputs[0] if outputs else os.path.join(self._legs.folder, "joined")
        with open(path, "ab") as out:
            for output in outputs[1:]:
                with open(output, "rb") as file:
                    shutil.copyfileobj(file, out, 1 << 20)
                os.unlink(output)
        self._publish_file(self._spec.output_table, path, written, append=self._spec.append)

    def _publish_file(
        self, table: str, path: str, count: int, *, append: bool = False, sorted_by: tuple[str, ...] = ()
    ) -> None:
        """Make a finished file the table, or its end; from then on the operation cannot be aborted."""
        with self._lock:
            if self._legs.failure is not None:
                raise self._legs.failure
            self._context.tables.publish(table, path, append, count, sorted_by)
            self._state = "completed"

    def _clean(self) -> None:
        """Remove the intermediate files; a failed job's input stays as long as its sandbox does."""
        folder = self._legs.folder
        with contextlib.suppress(OSError):
            entries = os.listdir(folder)
            if not any(entry.startswith("sandbox.") for entry in entries):
                shutil.rmtree(folder, ignore_errors=True)
                return
            for entry in entries:
                if entry.endswith(".out") or entry == "joined":
                    os.unlink(os.path.join(folder, entry))
