"""What commands say of the cluster: which one, where its address came from, what is wrong with it."""

from __future__ import annotations

import pytest

from tests.cluster.running import Cluster
from tests.run.prod.place import Place
from tests.run.stages import until
from tests.support import Pipeline

COMMANDS = [("run",), ("upload",), ("upload", "--dry-run"), ("diff", "--remote")]


@pytest.fixture(scope="module")
def uploaded(module_place: Place) -> Place:
    """A pipeline that was uploaded."""
    module_place.ran("upload")
    return module_place


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_names_the_proxy_and_its_origin(uploaded: Place, command: tuple[str, ...]) -> None:
    assert f"{uploaded.cluster.address} (from YT_PROXY in the environment)" in uploaded.ran(*command)


def test_the_proxy_may_come_from_secrets_env(uploaded: Place) -> None:
    secrets = "".join(f"{name}={value}\n" for name, value in uploaded.cluster.environment.items())
    path = uploaded.pipeline.write("configs/secrets.env", secrets)
    said = uploaded.pipeline.run("run", check=True).stderr
    path.unlink()
    assert f"cluster {uploaded.cluster.address} (from configs/secrets.env)" in said


def test_the_environment_wins_over_secrets_env(uploaded: Place) -> None:
    path = uploaded.pipeline.write("configs/secrets.env", "YT_PROXY=nobody.invalid\nYT_TOKEN=nothing\n")
    said = uploaded.ran()
    path.unlink()
    assert f"cluster {uploaded.cluster.address} (from YT_PROXY in the environment)" in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_proxy_nothing_is_tried(uploaded: Place, command: tuple[str, ...]) -> None:
    result = uploaded.pipeline.run(*command)
    assert (result.returncode, "YT_PROXY is not set" in result.stderr) == (2, True), result.stderr


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_wrong_token_is_told_with_its_origin(cluster: Cluster, uploaded: Place, command: tuple[str, ...]) -> None:
    said = uploaded.failed(*command, YT_TOKEN="wrong-token")
    assert f"error: YT_TOKEN was refused by {cluster.address}" in said
    assert "it came from YT_TOKEN in the environment" in said
    assert "wrong-token" not in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_a_cluster_that_nobody_reaches_is_named(uploaded: Place, command: tuple[str, ...]) -> None:
    uploaded.configure("prod: {retry_seconds: 0.3}")
    said = uploaded.failed(*command, YT_PROXY="127.0.0.1:9")
    uploaded.configure()
    assert "cannot reach the cluster 127.0.0.1:9 (from YT_PROXY in the environment)" in said


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_without_a_build_folder_nothing_is_tried(uploaded: Place, command: tuple[str, ...]) -> None:
    said = uploaded.failed(*command, "-o", "pipeline.build_folder=null", code=2)
    assert "pipeline.build_folder" in said


def test_stages_without_code_need_no_build_folder(place: Place) -> None:
    place.operations("sort: {input_table: //x/input, sort_by: [n]}")
    (place.pipeline.root / "stages/first/src/mapper.py").unlink()
    (place.pipeline.root / "stages/first/src").rmdir()
    assert "Packaging" not in place.ran("run", "-o", "pipeline.build_folder=null")


def test_a_build_folder_that_may_not_be_written_is_told(stand_in: Place) -> None:
    assert isinstance(stand_in.cluster, Cluster)
    stand_in.cluster.deny(stand_in.folder)
    said = stand_in.failed()
    assert f"write permission for node {stand_in.folder}" in said and "ask the owner" in said
    assert stand_in.started() == []


def test_a_full_account_is_told(stand_in: Place) -> None:
    assert isinstance(stand_in.cluster, Cluster)
    stand_in.cluster.quota(1)
    assert "is over its disk space limit" in stand_in.failed()


def test_the_operation_is_named_while_it_runs(stand_in: Place) -> None:
    stand_in.write("stages/first/src/mapper.py", "import time\ntime.sleep(60)\n")
    with stand_in.running() as running:
        until(stand_in.started)
        id = stand_in.started()[0]["id"]
        running.says(f"  map: {id}  http://{stand_in.cluster.address}/")
        assert stand_in.started()[0]["state"] == "running"


def test_quiet_runs_say_nothing(uploaded: Place) -> None:
    result = uploaded.run("run", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_run_costs_few_requests(cluster: Cluster, uploaded: Place) -> None:
    uploaded.ran()
    cluster.reset()
    uploaded.ran()
    counted = cluster.counters()
    assert counted["total"] < 15, counted


def test_a_short_name_of_a_cluster_is_explained(pipeline: Pipeline) -> None:
    pipeline.configure("mode: prod\nbuild_folder: //tmp/build")
    result = pipeline.run("run", YT_PROXY="hume", YT_TOKEN="t")
    assert (result.returncode, "looks like a cluster's short name" in result.stderr) == (1, True), result.stderr
