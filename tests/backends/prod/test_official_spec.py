"""The official client's builders give what was rendered, and touch nothing on the cluster while they do."""

from __future__ import annotations

from typing import Any

import pytest

from tests.backends.prod.made import ARCHIVE, connected, spec
from tests.cluster.running import Cluster
from ytbuild.backends.base import Resources
from ytbuild.backends.prod.official_spec import build
from ytbuild.backends.prod.spec import rendered
from ytbuild.cluster import yson

# The client leaves the connections of requests that failed to the garbage collector.
pytestmark = [
    pytest.mark.quick,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

WITH_JOBS = ("map", "reduce", "map_reduce", "vanilla")

FULL: dict[str, Any] = {
    "environment": {"KEY": "secret", "MODE": "fast"},
    "public_names": ("MODE",),
    "files": (("<executable=%true>//home/tool", "tool"),),
    "resources": Resources("research", "gpu", "image", 8 << 30, 1.5, 1, user_slots=7),
    "time_limit": 60,
    "job_time_limit": 10,
    "description": {"ticket": "T-1"},
}


PATCHED = {"passed_on": {"weight": 2, "spec": {"annotations": {"a": 1}}}}


def holds(built: Any, expected: Any, where: str = "") -> None:
    """Check that a value is in another one: every key of a mapping, every entry of a list, equal values."""
    if isinstance(expected, dict):
        for key, value in expected.items():
            assert key in built, f"{where}/{key} is missing"
            holds(built[key], value, f"{where}/{key}")
    elif isinstance(expected, list):
        assert len(built) == len(expected), where
        for number, value in enumerate(expected):
            holds(built[number], value, f"{where}/{number}")
    else:
        assert built == expected, where


@pytest.mark.parametrize("kind", [*WITH_JOBS, "sort"])
@pytest.mark.parametrize(
    "changes", [{}, FULL, FULL | {"passed_on": {"weight": 2, "spec": {"annotations": {"a": 1}}}}]
)
def test_what_is_built_holds_all_that_was_rendered(
    cluster: Cluster, cypress: str, kind: str, changes: dict[str, Any]
) -> None:
    operation = spec(kind, **changes, input_table=f"{cypress}/in")
    cluster.client().create("table", f"{cypress}/in")
    with connected(cluster) as connection:
        built = build(operation, ARCHIVE, connection.client()).build(connection.client())
    holds(yson.plain(built), rendered(operation, ARCHIVE)["spec"])


@pytest.mark.parametrize("kind", WITH_JOBS)
def test_building_creates_nothing_on_the_cluster(cluster: Cluster, kind: str) -> None:
    with connected(cluster) as connection:
        build(spec(kind), ARCHIVE, connection.client()).build(connection.client())
    assert not {"create", "execute_batch"} & set(cluster.counters()["requests"])


def test_the_users_client_configuration_says_whether_jobs_may_ask_the_cluster(cluster: Cluster) -> None:
    with connected(cluster, client_config={"allow_http_requests_to_yt_from_job": True}) as connection:
        built = build(spec(), ARCHIVE, connection.client()).build(connection.client())
    assert built["mapper"]["environment"]["YT_ALLOW_HTTP_REQUESTS_TO_YT_FROM_JOB"] == "1"


def test_a_second_task_of_a_raw_patch_is_built_too(cluster: Cluster) -> None:
    other = {"tasks": {"other": {"command": "true", "job_count": 1}}}
    with connected(cluster) as connection:
        built = build(spec("vanilla", passed_on={"spec": other}), ARCHIVE, connection.client())
        tasks = built.build(connection.client())["tasks"]
    assert (tasks["other"]["command"], sorted(tasks)) == ("true", ["other", "stage"])


def test_the_command_line_is_not_published(cluster: Cluster, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.argv", ["ytbuild", "run", "-o", "job.password=secret"])
    with connected(cluster) as connection:
        built = build(spec(), ARCHIVE, connection.client()).build(connection.client())
    assert built["started_by"]["command"] == "ytbuild"
    assert "job.password" not in str(built)
