"""The Python API: what the commands build, diff, upload and run do, as methods that return values."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

from ytbuild.base.reporter import SILENT, Reporter, Warned

if TYPE_CHECKING:
    from ytbuild.archive.manifest import Manifest
    from ytbuild.build import BuildResult
    from ytbuild.cluster.connection import Connection
    from ytbuild.diff import DiffResult
    from ytbuild.graph.plan import Planner
    from ytbuild.run.pipeline import RunResult
    from ytbuild.run.planned_run import PlannedRun, RunOptions
    from ytbuild.upload import UploadPlan, UploadResult


class Workspace:
    """The pipeline in a folder, with a configuration: each method looks at the files as they are when it is called.

    `config` is the path of the configuration, relative to the folder, and `overrides` are `KEY=VALUE` texts, as on
    the command line. `reporter` hears what the methods do, from any thread. They raise a `YtbuildError` for every
    failure that can be expected, and leave signals and the terminal alone.
    """

    def __init__(
        self,
        directory: str = ".",
        config: str | None = None,
        overrides: Iterable[str] = (),
        reporter: Reporter = SILENT,
    ) -> None:
        self._directory = directory
        self._config = config
        self._overrides = tuple(overrides)
        self._reporter = reporter

    def build(self, *, extract: bool = False) -> BuildResult:
        """Bring `.build` up to date with the sources; with `extract` also extract the archive to `.build/source`."""
        from ytbuild.build import build_archive, extract_source

        planner = self._planner()
        result = build_archive(planner, reporter=self._reporter)
        if extract:
            extract_source(result, planner)
        return result

    def diff(self, *, remote: bool = False) -> DiffResult:
        """Return what a build would change against the last one, or with `remote` against the last upload."""
        from ytbuild.diff import compare
        from ytbuild.store.local import LocalStore

        planner = self._planner()
        plan = planner.plan()
        for warning in plan.warnings:
            self._reporter.event(Warned(warning))
        last = self._uploaded(planner) if remote else LocalStore(planner.build_dir, planner.index).newest()
        result = compare(plan, last)
        planner.save_if_built()
        return result

    def upload(self) -> UploadResult:
        """Build, then send to the cluster's `build_folder` what it lacks of the archive."""
        from ytbuild.upload import build_and_send

        planner = self._planner()
        with self._connect(planner) as connection:
            return build_and_send(planner, connection, reporter=self._reporter)

    def plan_upload(self) -> UploadPlan:
        """Build, and return what an upload would send: the cluster is only asked."""
        from ytbuild.upload import build_and_plan

        planner = self._planner()
        with self._connect(planner) as connection:
            return build_and_plan(planner, connection, self._reporter)

    def run(self, options: RunOptions | None = None) -> RunResult:
        """Build, upload in prod, and run the stages that the options select, by default all that are enabled.

        Raises `OperationFailed` when an operation or a stage fails; the stages after it do not run.
        """
        from ytbuild.run.pipeline import run_stages
        from ytbuild.run.planned_run import RunOptions

        return run_stages(self._planner(), options or RunOptions(), self._reporter)

    def plan_run(self, options: RunOptions | None = None) -> PlannedRun:
        """Return what a run would do, checked as far as it can be known; nothing is built, imported or written."""
        from ytbuild.run.planned_run import RunOptions, plan_run

        return plan_run(self._planner(), options or RunOptions())

    def _planner(self) -> Planner:
        from ytbuild.graph.plan import Planner

        return Planner(self._directory, self._config, self._overrides)

    def _connect(self, planner: Planner) -> Connection:
        from ytbuild.cluster.connection import connect
        from ytbuild.config import secrets

        return connect(planner.config, secrets.load(planner.config.directory), self._reporter)

    def _uploaded(self, planner: Planner) -> Manifest | None:
        """Return the manifest of what was uploaded last, None when nothing was."""
        from ytbuild.archive import manifest as manifests
        from ytbuild.upload import cypress_store

        with self._connect(planner) as connection:
            store = cypress_store(planner.config, connection)
            key = store.newest()
            return None if key is None else manifests.decode(store.read_manifest(key))
