"""What commands that talk to a cluster show: jobs on a terminal, differences from the last upload, what was said."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.terminal import on_a_terminal
from tests.cluster.running import Cluster, RealCluster
from tests.support import Pipeline

SLOW = "import time\ntime.sleep(1.5)\n"


@pytest.fixture
def there(pipeline: Pipeline, cypress: str) -> Pipeline:
    """The small pipeline with a folder on a cluster."""
    pipeline.configure(f"build_folder: {cypress}/build\nmode: prod")
    return pipeline


def test_jobs_that_run_are_counted_on_a_terminal(there: Pipeline, any_cluster: Cluster | RealCluster) -> None:
    there.write("stages/first/config.yaml", "client: {operations: {vanilla: {resources: {job_count: 2}}}}\n")
    there.write("stages/first/src/vanilla.py", SLOW)
    said = on_a_terminal(there, "run", **any_cluster.environment)
    assert "vanilla: running 2 jobs of vanilla, 2 running, 0 done" in said


def test_without_an_upload_everything_is_new(there: Pipeline, any_cluster: Cluster | RealCluster) -> None:
    result = there.run("diff", "--remote", **any_cluster.environment)
    assert result.returncode == 0
    assert "there is no last upload: an upload adds 9 files" in result.stderr


def test_what_was_uploaded_does_not_differ(there: Pipeline, any_cluster: Cluster | RealCluster) -> None:
    there.run("upload", check=True, **any_cluster.environment)
    there.write("stages/first/src/more.py", "x = 1\n")
    there.build()
    (there.root / "stages/first/src/more.py").unlink()
    result = there.run("diff", "--remote", "--exit-code", **any_cluster.environment)
    assert (result.returncode, result.stdout) == (0, "")
    assert "no changes against the last upload" in result.stderr


def test_a_build_does_not_hide_what_was_not_uploaded(there: Pipeline, any_cluster: Cluster | RealCluster) -> None:
    there.run("upload", check=True, **any_cluster.environment)
    there.write("stages/first/src/more.py", "x = 1\n")
    there.build()
    result = there.run("diff", "--remote", "--exit-code", "--json", **any_cluster.environment)
    assert result.returncode == 1
    (target,) = json.loads(result.stdout)["targets"]
    assert [change["name"] for change in target["changes"]] == ["stages/first/src/more.py"]


def test_a_manifest_that_is_gone_is_no_difference(
    there: Pipeline, any_cluster: Cluster | RealCluster, cypress: str
) -> None:
    there.run("upload", check=True, **any_cluster.environment)
    any_cluster.client().remove(f"{cypress}/build/manifests", recursive=True)
    result = there.run("diff", "--remote", "--exit-code", **any_cluster.environment)
    assert result.returncode == 2
    assert ".json is gone" in result.stderr and "hint: upload again" in result.stderr


def test_the_whole_of_a_cluster_s_error_is_in_the_log(there: Pipeline, cluster: Cluster) -> None:
    there.build()
    cluster.fault("execute_batch", "error", nth="every", code=1, message="the masters are on holiday")
    result = there.run("upload", **cluster.environment)
    assert result.returncode == 1
    name = result.stderr.strip().rpartition(" ")[2]
    assert Path(name).parent == Path(".build/log")
    assert "the masters are on holiday" in (there.root / name).read_text()
    assert cluster.environment["YT_TOKEN"] not in (there.root / name).read_text()
