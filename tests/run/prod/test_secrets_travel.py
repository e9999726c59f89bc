"""Secrets go to the jobs of the operations that name them, in the secure vault, and nowhere else.

Every secret is planted with a value of its own, which is then looked for everywhere.
"""

from __future__ import annotations

import gzip
import json
import secrets as random
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.running import Cluster, RealCluster, close
from tests.run.prod.conftest import prepared
from tests.run.prod.place import Place
from tests.run.stages import until
from tests.support import Pipeline

FILED = ("YT_TOKEN", "NAMED", "UNNAMED", "DOCKER_AUTH_USERNAME", "DOCKER_AUTH_PASSWORD")
"""Secrets in configs/secrets.env; EXPORTED is only in the environment."""

LOOK = """\
import json, os, sys
sys.stdin.read()
names = ("NAMED", "UNNAMED", "EXPORTED", "YT_TOKEN", "DOCKER_AUTH_USERNAME", "DOCKER_AUTH_PASSWORD")
print(json.dumps({"%s": {name: len(os.environ.get(name, "")) for name in names}}))
"""

BLOCKS = """\
named: {kind: map, input_table: //x/input, output_table: //x/named, script: named.py, secrets: [NAMED, EXPORTED]}
unnamed: {kind: map, input_table: //x/input, output_table: //x/unnamed, script: unnamed.py}
image: {kind: map, input_table: //x/input, output_table: //x/image, script: image.py, docker_image: registry/image:1}
waits: {kind: vanilla, script: waits.py, secrets: [NAMED, EXPORTED]}
"""

TELLS = """\
import os, sys
print("the secrets are", os.environ["NAMED"], "and", os.environ["EXPORTED"], file=sys.stderr)
sys.exit(1)
"""


@dataclass
class Planted:
    """A pipeline with planted secrets after some runs, and what could be seen of them."""

    place: Place
    values: dict[str, str]
    said: dict[str, str] = field(default_factory=dict)
    arguments: str = ""
    operations: list[dict[str, Any]] = field(default_factory=list)
    requests: list[dict[str, Any]] = field(default_factory=list)

    def found(self, text: str) -> list[str]:
        """The names of the secrets whose values stand in a text, plainly or as JSON has them."""
        return [name for name, value in self.values.items() if value in text or json.dumps(value)[1:-1] in text]

    def vault(self, name: str) -> dict[str, Any]:
        """The secure vault of an operation, taken out of its spec."""
        (spec,) = [
            each["parameters"]["spec"]
            for each in self.operations
            if f"first/{name} " in each["parameters"]["spec"]["title"]
        ]
        return dict(spec.get("secure_vault", {}))


@pytest.fixture(scope="module")
def planted(running_cluster: Cluster | RealCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Planted]:
    """Both runs."""
    if not isinstance(running_cluster, Cluster):
        pytest.skip("needs the stand-in: a real cluster does not show what it was asked")
    pipeline = Pipeline.create(tmp_path_factory.mktemp("secrets") / "pipeline")
    planted = Planted(
        prepared(running_cluster, f"//tmp/ytbuild-test-{random.token_hex(6)}", pipeline),
        {name: f"planted-{random.token_hex(8)}" for name in FILED} | {"EXPORTED": f'odd "{random.token_hex(8)}\\ é'},
    )
    place = planted.place
    pipeline.write("configs/secrets.env", "".join(f"{name}={planted.values[name]}\n" for name in FILED))
    place.operations(BLOCKS)
    for name in ("named", "unnamed", "image"):
        place.write(f"stages/first/src/{name}.py", LOOK % name)
    place.write(
        "stages/first/src/waits.py", "import os, time\nwhile not os.path.exists(os.environ['GO']): time.sleep(0.05)\n"
    )
    place.operations(BLOCKS.replace("script: waits.py", f"script: waits.py, env: {{GO: {pipeline.root}/go}}"))
    running_cluster.reset()
    environment = {"EXPORTED": planted.values["EXPORTED"], "YT_TOKEN": ""}
    with place.running(**environment) as running:
        until(lambda: len(place.started()) == 4 or running.process.poll() is not None)
        planted.arguments = Path(f"/proc/{running.process.pid}/cmdline").read_text().replace("\0", " ")
        pipeline.write("go")
        assert running.ended() == 0, running.said
        planted.said["success"] = running.said
    place.write("stages/first/src/named.py", TELLS)
    planted.said["failure"] = place.failed("run", "-v", **environment)
    running_cluster.fault("start_operation", "error", message=f"the spec has {planted.values['NAMED']}")
    planted.said["refusal"] = place.failed(**environment)
    running_cluster.deny(place.folder)
    place.write("stages/first/src/other.py", "")
    planted.said["upload"] = place.failed("upload", **environment)
    planted.said["dry run"] = "".join(
        vars(place.run("run", "--dry-run", **environment))[name] for name in ("stdout", "stderr")
    )
    planted.operations, planted.requests = place.started(), running_cluster.requests()
    running_cluster.reset()
    yield planted
    running_cluster.client().remove(place.folder, recursive=True)
    running_cluster.close_clients()


def test_jobs_find_the_secrets_that_their_operation_names(planted: Planted) -> None:
    (row,) = planted.place.get("named") or []
    lengths = {name: len(planted.values[name]) for name in ("NAMED", "EXPORTED")}
    assert {name: length for name, length in row["named"].items() if length} == lengths


@pytest.mark.parametrize("name", ["unnamed", "image"])
def test_other_jobs_find_none(planted: Planted, name: str) -> None:
    (row,) = planted.place.get(name) or []
    assert not any(row[name].values())


def test_the_vault_has_what_the_operation_names(planted: Planted) -> None:
    first = next(each for each in planted.operations if "first/named " in each["parameters"]["spec"]["title"])
    vault = first["parameters"]["spec"]["secure_vault"]
    assert vault == {name: planted.values[name] for name in ("NAMED", "EXPORTED")}


def test_an_operation_with_an_image_gets_the_registrys_account(planted: Planted) -> None:
    account = {"username": planted.values["DOCKER_AUTH_USERNAME"], "password": planted.values["DOCKER_AUTH_PASSWORD"]}
    assert planted.vault("image") == {"docker_auth": account}


def test_an_operation_without_secrets_has_no_vault(planted: Planted) -> None:
    assert planted.vault("unnamed") == {}


def test_nothing_else_that_is_sent_has_a_secret(planted: Planted) -> None:
    assert {"start_operation", "write_file"} <= {each["command"] for each in planted.requests}
    for request in planted.requests:
        request = json.loads(json.dumps(request))
        request["parameters"].get("spec", {}).pop("secure_vault", None)
        assert planted.found(json.dumps(request, ensure_ascii=False)) == [], request["command"]


def test_the_command_line_that_the_cluster_shows_is_only_a_name(planted: Planted) -> None:
    for operation in planted.operations:
        assert operation["parameters"]["spec"]["started_by"]["command"] == "ytbuild"


def test_the_command_line_has_none(planted: Planted) -> None:
    assert "ytbuild" in planted.arguments and planted.found(planted.arguments) == []


@pytest.mark.parametrize("run", ["success", "failure", "refusal", "upload", "dry run"])
def test_what_is_said_has_none(planted: Planted, run: str) -> None:
    assert planted.found(planted.said[run]) == [], planted.said[run]


def test_what_a_job_tells_is_masked(planted: Planted) -> None:
    assert "the secrets are *** and ***" in planted.said["failure"]
    assert "the spec has ***" in planted.said["refusal"]


def test_what_is_on_disk_has_none(planted: Planted) -> None:
    root = planted.place.pipeline.root
    files = [path for path in root.rglob("*") if path.is_file() and path.name != "secrets.env"]
    assert any(".build/log" in str(path) for path in files)
    for path in files:
        content = path.read_bytes()
        content += gzip.decompress(content) if path.suffix == ".gz" else b""
        assert planted.found(content.decode("utf-8", "replace")) == [], path


def test_what_is_on_the_cluster_has_none(planted: Planted) -> None:
    client = planted.place.cluster.client()
    files = [str(path) for path in client.search(f"{planted.place.folder}/build", node_type="file")]
    assert {path.rpartition(".")[2] for path in files} == {"gz", "json"}
    for path in files:
        content = client.read_file(path).read()
        content += gzip.decompress(content) if path.endswith(".gz") else b""
        assert planted.found(content.decode("utf-8", "replace")) == [], path
        assert planted.found(str(client.get(f"{path}/@"))) == [], path
    close(client)
