"""`ytbuild.Workspace`: what commands do, as methods that return values and print nothing."""

from __future__ import annotations

import logging
import os
import signal

import pytest

from tests.cluster.running import Cluster
from tests.heard import Heard
from tests.support import Pipeline
from ytbuild import RunOptions, Workspace, YtbuildError
from ytbuild.base.errors import ConfigError, OperationFailed, UsageError
from ytbuild.base.reporter import Event

pytestmark = pytest.mark.quick

TABLE = '{"n": 1}\n{"n": 2}\n'


def names(events: list[Event]) -> list[str]:
    return [type(event).__name__ for event in events]


@pytest.fixture
def ready(pipeline: Pipeline) -> Pipeline:
    """A pipeline with a table for its map."""
    pipeline.write(".dev/input.jsonl", TABLE)
    return pipeline


@pytest.fixture
def there(pipeline: Pipeline, cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> Pipeline:
    """A pipeline on a cluster, with a table for its map."""
    for name, value in cluster.environment.items():
        monkeypatch.setenv(name, value)
    client = cluster.client()
    client.remove("//tmp/test", recursive=True, force=True)
    client.create("table", "//tmp/test/input", recursive=True)
    client.write_table("//tmp/test/input", [{"n": 1}])
    pipeline.configure("build_folder: //tmp/test/build\nmode: prod")
    return pipeline


def workspace(pipeline: Pipeline, heard: Heard | None = None) -> Workspace:
    return Workspace(str(pipeline.root), reporter=heard or Heard())


def test_a_build_returns_what_it_did(pipeline: Pipeline) -> None:
    first, second = workspace(pipeline).build(), workspace(pipeline).build()
    assert first.key == second.key and os.path.isfile(first.archive)
    assert len(first.built) == len(first.targets) == 3 and second.built == ()


def test_a_build_can_extract(pipeline: Pipeline) -> None:
    workspace(pipeline).build(extract=True)
    assert (pipeline.root / ".build/source/stages/first/src/mapper.py").is_file()


def test_a_diff_returns_the_changes(pipeline: Pipeline) -> None:
    opened = workspace(pipeline)
    key = opened.build().key
    pipeline.write("stages/first/src/mapper.py", "pass\n")
    result = opened.diff()
    assert result.old_key == key
    assert [(change.kind, change.name) for change in result.changes] == [("M", "stages/first/src/mapper.py")]


def test_every_call_looks_at_the_files_anew(pipeline: Pipeline) -> None:
    opened = workspace(pipeline)
    before = opened.build().key
    pipeline.write("stages/first/src/more.py", "x = 1\n")
    assert opened.build().key != before
    pipeline.write("configs/config.yaml", "stages: {enabled_stages: [gone]}\n")
    with pytest.raises(YtbuildError, match="gone"):
        opened.build()


def test_overrides_count(pipeline: Pipeline) -> None:
    with pytest.raises(UsageError, match="nowhere"):
        Workspace(str(pipeline.root), overrides=["stages.enabled_stages=[nowhere]"]).build()


def test_a_run_returns_what_it_did(ready: Pipeline) -> None:
    result = workspace(ready).run()
    assert (result.stages, result.operations, result.tables) == (1, 1, str(ready.root / ".dev"))
    assert (ready.root / ".dev/output.jsonl").read_text() == TABLE


def test_a_run_takes_options(ready: Pipeline) -> None:
    with pytest.raises(ConfigError, match="other"):
        workspace(ready).run(RunOptions(stages=("other",)))


def test_a_failed_operation_raises(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/config.yaml", "client: {operations: {vanilla: {}}}\n")
    pipeline.write("stages/first/src/vanilla.py", "raise SystemExit(3)\n")
    with pytest.raises(OperationFailed, match="exited with code 3"):
        workspace(pipeline).run()


def test_a_planned_run_writes_nothing(ready: Pipeline) -> None:
    planned = workspace(ready).plan_run()
    assert [stage.name for stage in planned.stages] == ["first"]
    assert not (ready.root / ".build").exists()


def test_the_secrets_of_a_planned_run_are_not_in_its_repr(ready: Pipeline) -> None:
    ready.write("configs/secrets.env", "S3_KEY=hidden-secret\n")
    planned = workspace(ready).plan_run()
    assert planned.secrets == {"S3_KEY": "hidden-secret"}
    assert "hidden-secret" not in repr(planned)


def test_nothing_is_printed_and_neither_signals_nor_logging_change(
    ready: Pipeline, capfd: pytest.CaptureFixture[str]
) -> None:
    handlers = logging.getLogger("ytbuild").handlers[:]
    before = [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)]
    opened = workspace(ready)
    opened.build()
    opened.diff()
    opened.run()
    assert capfd.readouterr() == ("", "")
    assert logging.getLogger("ytbuild").handlers == handlers
    assert [signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)] == before


def test_what_a_stage_logs_goes_where_the_caller_wants(ready: Pipeline, caplog: pytest.LogCaptureFixture) -> None:
    code = "from ytbuild import BaseStage\nclass First(BaseStage):\n    def run(self, debug):\n        "
    ready.write("stages/first/stage.py", code + "self.logger.warning('rows are few')\n")
    workspace(ready).run()
    assert "rows are few" in caplog.messages


# What a reporter hears


def test_the_events_of_a_run_in_dev(ready: Pipeline) -> None:
    heard = Heard()
    ready.write("stages/first/src/secrets.env")
    workspace(ready, heard).run()
    assert names(heard.events) == [
        "Warned", "BuildDone", "StageStarted", "OperationStarted", "OperationRunning", "OperationDone", "RunDone",
    ]  # fmt: skip
    assert {what for what, _, _ in heard.steps} == {"packing"}
    assert heard.steps[-1][1] == heard.steps[-1][2]


def test_the_events_of_a_run_in_prod(there: Pipeline) -> None:
    heard = Heard()
    result = workspace(there, heard).run()
    assert result.operations == 1
    assert names(heard.events) == [
        "ClusterChosen", "PackagingStarted", "BuildDone", "UploadStarted", "UploadDone",
        "StageStarted", "OperationStarted", "OperationRunning", "OperationDone", "RunDone",
    ]  # fmt: skip
    assert {what for what, _, _ in heard.steps} == {"packing", "uploading"}


def test_an_upload_returns_what_it_did(there: Pipeline, cluster: Cluster) -> None:
    opened = workspace(there)
    planned, done, again = opened.plan_upload(), opened.upload(), opened.upload()
    assert planned.bytes_to_send == done.bytes_sent == done.size > 0
    assert (again.bytes_sent, again.manifest_sent) == (0, 0)
    assert {planned.archive, done.archive} == {f"//tmp/test/build/archives/{done.key}.tar.gz"}
    assert {planned.folder, done.folder} == {"//tmp/test/build"}
    assert planned.proxy == done.proxy == cluster.environment["YT_PROXY"]


def test_a_remote_diff_is_against_the_last_upload(there: Pipeline) -> None:
    opened = workspace(there)
    opened.upload()
    there.write("stages/first/src/more.py", "x = 1\n")
    opened.build()
    assert [change.name for change in opened.diff(remote=True).changes] == ["stages/first/src/more.py"]
    assert opened.diff().changes == []


def test_events_hold_no_secret(there: Pipeline, cluster: Cluster) -> None:
    there.write("configs/secrets.env", "S3_KEY=hidden-secret\n")
    there.write(
        "stages/first/config.yaml",
        "client: {operations: {map: {input_table: //tmp/test/input, output_table: //tmp/test/output, "
        "secrets: [S3_KEY]}}}\n",
    )
    heard = Heard()
    workspace(there, heard).run()
    said = repr(heard.events)
    assert "hidden-secret" not in said and cluster.environment["YT_TOKEN"] not in said
