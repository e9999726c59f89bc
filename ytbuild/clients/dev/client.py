"""The dev backend: tables under `.dev`, operations as local subprocesses."""

from __future__ import annotations

import contextlib
import fcntl
import os
import shlex
import shutil
import time
import uuid
from collections.abc import Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property
from typing import IO

from ytbuild import cachefile
from ytbuild.clients.base import LegCommand, OperationResult, OperationSpec, Row
from ytbuild.clients.dev import order, requirements, rows
from ytbuild.clients.dev.jobs import Job, JobRunner
from ytbuild.clients.dev.python import job_python, write_shim
from ytbuild.clients.dev.tables import TableStore, count_lines
from ytbuild.config.pipeline import PipelineConfig
from ytbuild.errors import LockedError, TableError

BOOTSTRAP = "tar -xzf source.tar.gz && ./{wrapper}"


class DevClient:
    """Tables and operations on this machine, with the code of one archive.

    Use it as a context manager: it holds the lock of `.dev` and ends its jobs when it is left.
    """

    def __init__(self, config: PipelineConfig, archive: str) -> None:
        self._config = config
        self._archive = archive
        self._dev_dir = config.dev_dir
        self._tables = TableStore(self._dev_dir)
        self._python = job_python(config.dev_python, config.directory)
        self._runner = JobRunner(self._python, self._dev_dir, config.directory)
        self._held: IO[str] | None = None

    def __enter__(self) -> DevClient:
        with cachefile.translated(self._dev_dir):
            os.makedirs(self._dev_dir, exist_ok=True)
            self._held = _locked(os.path.join(self._dev_dir, "lock"))
            ignore = os.path.join(self._dev_dir, ".gitignore")
            if not os.path.exists(ignore):
                with cachefile.replacing(ignore) as file:
                    file.write(b"*\n")
            write_shim(os.path.join(self._dev_dir, "bin"), self._python.executable)
        cachefile.remove_abandoned(self._dev_dir, time.time())
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.stop()
        if self._held is not None:
            self._held.close()

    def stop(self) -> None:
        """End every running job; nothing else starts."""
        self._runner.stop()

    def write_table(self, table_path: str, rows: Iterable[Row], *, append: bool = False) -> None:
        """Write rows to a table, replacing it unless `append`; all of them or none."""
        self._tables.write(table_path, rows, append)

    def read_table(self, table_path: str) -> list[Row]:
        """Return all rows of a table; raises `TableError` when there is none."""
        return list(self._tables.read(table_path))

    def iter_table(self, table_path: str) -> Iterator[Row]:
        """Give the rows of a table one by one; raises `TableError` when there is none."""
        return self._tables.read(table_path)

    def row_count(self, table_path: str) -> int:
        """Return the number of rows of a table; raises `TableError` when there is none."""
        return self._tables.row_count(table_path)

    def exists(self, path: str) -> bool:
        """Tell whether there is a table at this path."""
        return self._tables.exists(path)

    def run_operation(self, spec: OperationSpec) -> OperationResult:
        """Run an operation to its end; raises `OperationFailed` when it fails, and then no table has changed."""
        started = time.perf_counter()
        run = _Run(self, spec)
        try:
            read, written = run.run()
        finally:
            run.clean()
        return OperationResult(read, written, time.perf_counter() - started)


class _Run:
    """One operation on its way through its legs; its intermediate files lie in a folder of its own."""

    def __init__(self, client: DevClient, spec: OperationSpec) -> None:
        self._client = client
        self._spec = spec
        self._name = f"{spec.stage}.{spec.name}"
        self._folder = os.path.join(client._dev_dir, "operations", self._name)
        self._operation_id = uuid.uuid4().hex
        shutil.rmtree(self._folder, ignore_errors=True)
        os.makedirs(self._folder)

    def run(self) -> tuple[int, int]:
        """Run it; return the rows read and written."""
        spec, tables = self._spec, self._client._tables
        if spec.kind == "vanilla":
            self._leg(spec.legs[0], None)
            return 0, 0
        assert spec.input_table is not None
        source = tables.existing_file(spec.input_table)
        with open(source, "rb") as file:
            read = count_lines(file)
        if spec.kind == "sort":
            return read, self._publish_sorted(source, spec.input_table)
        if spec.kind == "map_reduce":
            mapped = self._joined(self._leg(spec.legs[0], source), f"{spec.shown}: map_reduce_mapper")
            outputs = self._leg(spec.legs[1], self._sorted(mapped))
        elif spec.kind == "reduce":
            outputs = self._leg(spec.legs[0], self._sorted(source))
        else:
            outputs = self._leg(spec.legs[0], source)
        return read, self._publish(outputs)

    def clean(self) -> None:
        """Remove the intermediate files; a failed job's input stays as long as its sandbox does."""
        kept = [entry for entry in os.listdir(self._folder) if entry.startswith("sandbox.")]
        if not kept:
            shutil.rmtree(self._folder, ignore_errors=True)

    def _leg(self, leg: LegCommand, source: str | None) -> list[str]:
        """Run the jobs of a leg at once, each on its range of rows; return their outputs in order."""
        inputs: list[str | None] = [source] * leg.job_count
        if source is not None and leg.job_count > 1:
            parts = [self._file(f"{leg.leg}.{index}.in") for index in range(leg.job_count)]
            rows.split(source, parts)
            inputs = [*parts]
        jobs = [self._job(leg, index, source) for index, source in enumerate(inputs)]
        with ThreadPoolExecutor(min(len(jobs), os.cpu_count() or 1)) as pool:
            try:
                failures = [failure for failure in pool.map(self._client._runner.run, jobs) if failure is not None]
            except BaseException:
                self._client.stop()
                raise
        if failures:
            raise failures[0].error()
        return [job.stdout for job in jobs if job.stdout is not None]

    def _job(self, leg: LegCommand, index: int, source: str | None) -> Job:
        spec, client = self._spec, self._client
        number = f".{index}" if leg.job_count > 1 else ""
        part = "" if leg.leg == spec.kind else f".{leg.leg}"
        return Job(
            shown=f"{spec.shown}: job {index} of {leg.leg}",
            command=BOOTSTRAP.format(wrapper=shlex.quote(leg.wrapper)),
            sandbox=os.path.join(self._folder, f"sandbox.{leg.leg}.{index}"),
            archive=client._archive,
            stdin=source,
            stdout=None if spec.kind == "vanilla" else self._file(f"{leg.leg}.{index}.out"),
            log=os.path.join(client._dev_dir, f"{self._name}{part}{number}.log"),
            environment=self._environment(index),
            secret_names=spec.secret_names,
        )

    def _environment(self, index: int) -> dict[str, str]:
        return {
            **self._spec.environment,
            **self._requirements,
            "YT_STAGE_NAME": self._spec.stage,
            "YT_OPERATION_ID": self._operation_id,
            "YT_JOB_ID": f"{self._operation_id}-{index}",
            "YT_JOB_INDEX": str(index),
            "YT_TASK_JOB_INDEX": str(index),
            "YT_JOB_COOKIE": str(index),
        }

    @cached_property
    def _requirements(self) -> dict[str, str]:
        """The variable that tells the wrapper where the stage's requirements lie; asked once, not for each job."""
        config, client = self._client._config, self._client
        path = os.path.join(config.directory, "stages", self._spec.stage, "requirements.txt")
        if not os.path.isfile(path):
            return {}
        folder = requirements.install(path, client._python.executable, config.build_dir, client._archive)
        return {"YTBUILD_INSTALLED_REQUIREMENTS": folder}

    def _joined(self, outputs: list[str], shown: str) -> str:
        path = self._file("joined")
        with open(path, "wb") as file:
            _copy_checked(outputs, file, shown)
        return path

    def _sorted(self, source: str) -> str:
        path = self._file("sorted")
        with open(path, "wb") as out:
            out.writelines(self._in_order(source))
        return path

    def _in_order(self, source: str) -> list[bytes]:
        columns = self._spec.sort_by or self._spec.reduce_by
        with open(source, "rb") as file:
            lines = [line if line.endswith(b"\n") else line + b"\n" for line in file]
        try:
            return order.sort_lines(lines, columns)
        except TableError as error:
            raise TableError(
                f"{self._spec.shown}, sorting by {', '.join(columns)}: {error.message}", error.hint
            ) from None

    def _publish(self, outputs: list[str]) -> int:
        spec = self._spec
        assert spec.output_table is not None
        with self._client._tables.replacing(spec.output_table, spec.append) as file:
            return _copy_checked(outputs, file, spec.shown)

    def _publish_sorted(self, source: str, table: str) -> int:
        lines = self._in_order(source)
        with self._client._tables.replacing(table) as out:
            out.writelines(lines)
        return len(lines)

    def _file(self, name: str) -> str:
        return os.path.join(self._folder, name)


def _copy_checked(outputs: list[str], file: IO[bytes], shown: str) -> int:
    """Append the outputs of a leg's jobs to a file, checked; return the number of rows."""
    return sum(rows.copy_checked(output, file, f"{shown}: job {index}") for index, output in enumerate(outputs))


def _locked(path: str) -> IO[str]:
    """Take the lock of `.dev`; raises `LockedError` naming who holds it."""
    with contextlib.ExitStack() as stack:
        file = stack.enter_context(open(path, "a+", encoding="utf-8"))
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            file.seek(0)
            holder = file.read().strip() or "another process"
            raise LockedError(
                f"another run uses {os.path.dirname(path)}: {holder}",
                "wait until it ends, or stop it: two runs would write the same tables",
            ) from None
        file.seek(0)
        file.truncate()
        file.write(f"process {os.getpid()}, since {time.strftime('%H:%M:%S')}\n")
        file.flush()
        stack.pop_all()
        return file
