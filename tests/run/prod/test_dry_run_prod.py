"""`ytbuild run --mode prod --dry-run`: the specs that a cluster would get. None is asked, no secret is shown."""

from __future__ import annotations

import json
import textwrap
import time
from typing import Any

import pytest

from tests.support import Pipeline
from tests.trees import snapshot

SECRETS = {
    "YT_TOKEN": "planted-token-5b1f",
    "NAMED_SECRET": "planted-named-90ac",
    "UNNAMED_SECRET": "planted-unnamed-77d0",
    "DOCKER_AUTH_USERNAME": "planted-user-13e8",
    "DOCKER_AUTH_PASSWORD": "planted-password-c2f4",
}

BLOCKS = """\
map:
  input_table: //t/input
  output_table: <append=%true>//t/output
  env: {COLOUR: red, SIZE: hidden-by-default}
  environment_public_keys: [COLOUR]
  secrets: [NAMED_SECRET]
  resources: {job_count: 3, memory_limit_gb: 2, pool: research, docker_image: registry/image:1}
vanilla: {}
map_reduce: {input_table: //t/input, output_table: //t/groups, reduce_by: [k], sort_by: [k, v], map_job_count: 2}
reduce: {input_table: //t/input, output_table: //t/groups, reduce_by: [k]}
sort: {input_table: //t/input, sort_by: [k]}
yql: {query: SELECT 1}
"""


@pytest.fixture(scope="module")
def planned(tmp_path_factory: pytest.TempPathFactory) -> Pipeline:
    """A pipeline with an operation of every kind, and with secrets."""
    pipeline = Pipeline.create(tmp_path_factory.mktemp("dry") / "pipeline")
    pipeline.configure("build_folder: //home/me/build")
    pipeline.write("configs/secrets.env", "".join(f"{name}={value}\n" for name, value in SECRETS.items()))
    pipeline.write("stages/first/config.yaml", "client:\n  operations:\n" + textwrap.indent(BLOCKS, "    "))
    for name in ("vanilla", "reducer"):
        pipeline.write(f"stages/first/src/{name}.py")
    return pipeline


@pytest.fixture(scope="module")
def shown(planned: Pipeline) -> str:
    """What a dry run without any cluster prints."""
    before = snapshot(planned.root)
    result = planned.run("run", "--mode", "prod", "--dry-run")
    assert result.returncode == 0, result.stderr
    assert not any(value in result.stdout + result.stderr for value in SECRETS.values())
    assert snapshot(planned.root) == before, "something was written"
    return result.stdout


def requests(text: str) -> dict[str, Any]:
    """The JSON part of each operation, by the operation's name."""
    specs: dict[str, list[str]] = {}
    name = ""
    for line in text.splitlines():
        if line.startswith("  ") and not line.startswith("    "):
            name = line.split()[0]
            specs[name] = []
        elif line.startswith("    "):
            specs[name].append(line)
    return {name: json.loads("\n".join(lines)) for name, lines in specs.items()}


def test_every_operation_has_its_spec_as_json(shown: str) -> None:
    kinds = {name: request.get("operation_type", request.get("engine")) for name, request in requests(shown).items()}
    names = ("map", "vanilla", "map_reduce", "reduce", "sort", "yql")
    assert kinds == {name: name for name in names}


def test_the_jobs_are_resolved(planned: Pipeline, shown: str) -> None:
    spec = requests(shown)["map"]["spec"]
    key = planned.build()["key"]
    assert spec["mapper"]["file_paths"][0]["$value"] == f"//home/me/build/archives/{key}.tar.gz"
    assert "./operation_wrapper_first_map.sh" in spec["mapper"]["command"]
    assert (spec["job_count"], spec["mapper"]["memory_limit"], spec["pool"]) == (3, 2 << 30, "research")
    assert spec["input_table_paths"] == ["//t/input"]


def test_public_variables_are_shown_and_all_others_masked(shown: str) -> None:
    spec = requests(shown)["map"]["spec"]
    assert spec["mapper"]["environment"]["COLOUR"] == "red"
    assert spec["secure_vault"] == {"SIZE": "***", "NAMED_SECRET": "***", "docker_auth": "***"}
    assert "hidden-by-default" not in shown


def test_an_operation_that_names_no_secret_gets_none(shown: str) -> None:
    assert "secure_vault" not in requests(shown)["vanilla"]["spec"]


@pytest.mark.parametrize("proxy", ["127.0.0.1:9", "no-such-host.invalid"])
def test_a_cluster_that_nobody_reaches_makes_no_difference(planned: Pipeline, shown: str, proxy: str) -> None:
    began = time.monotonic()
    result = planned.run("run", "--mode", "prod", "--dry-run", YT_PROXY=proxy)
    assert (result.returncode, result.stdout) == (0, shown)
    assert time.monotonic() - began < 3


def test_what_would_not_run_is_refused(planned: Pipeline) -> None:
    result = planned.run("run", "--mode", "prod", "--dry-run", "-o", "pipeline.build_folder=null")
    assert (result.returncode, "build_folder" in result.stderr) == (2, True), result.stderr
