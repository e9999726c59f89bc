"""Only secrets never leave: planted ones are in nothing that an upload sends, makes or says."""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.cluster.running import Cluster, RealCluster
from tests.support import Pipeline, clean_environment
from tests.upload.place import Built, Place

TOKEN = "planted-token-7f3a9c"
PLAIN = "planted-value-51d2e8"
ODD = 'planted "odd" \\value\\ 90ab'
SECRETS = (TOKEN.encode(), PLAIN.encode(), b"90ab", b"planted")
COMMAND = (sys.executable, "-m", "ytbuild", "upload", "-v")


def planted(data: bytes) -> list[bytes]:
    """Return the secrets that are in some bytes."""
    return [secret for secret in SECRETS if secret in data]


def make(cluster: Cluster, folder: str, pipeline: Pipeline) -> Place:
    """Make a pipeline with secrets in configs/secrets.env, the token among them, and files of their kind."""
    lines = f"YT_PROXY={cluster.address}\nYT_TOKEN={TOKEN}\nPASSWORD={PLAIN}\nODD='{ODD}'\n"
    pipeline.write("configs/secrets.env", lines)
    pipeline.write("stages/first/src/secrets.env", lines)
    pipeline.write("stages/first/src/.env", lines)
    pipeline.write("lib/id_rsa", lines)
    pipeline.write("lib/code.py", "1\n")
    pipeline.configure(f"build_folder: {folder}\nupload_paths: [{{source: lib}}]")
    return Place(cluster, folder, Built.of(pipeline))


@pytest.fixture
def secretive(cluster: Cluster, cypress: str, pipeline: Pipeline) -> Place:
    """A pipeline with secrets."""
    return make(cluster, cypress, pipeline)


@dataclass
class Seen:
    """All that an upload said, and the command lines of its processes."""

    code: int
    said: bytes
    commands: set[bytes]


def _command_lines(group: int) -> Iterator[bytes]:
    for entry in os.listdir("/proc"):
        if entry.isdigit():
            try:
                if os.getpgid(int(entry)) == group:
                    yield Path("/proc", entry, "cmdline").read_bytes()
            except OSError:
                continue


def watched(place: Place) -> Seen:
    """Upload, and look at the command lines of its processes all the while."""
    with subprocess.Popen(
        COMMAND,
        cwd=place.built.pipeline.root,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        start_new_session=True,
    ) as process:
        commands: set[bytes] = set()
        while process.poll() is None:
            commands.update(_command_lines(process.pid))
            time.sleep(0.01)
        assert process.stdout is not None
        return Seen(process.returncode, process.stdout.read(), commands)


@dataclass
class Uploaded:
    """A pipeline with secrets that was uploaded, and what the cluster was asked."""

    place: Place
    seen: Seen
    requests: bytes


@pytest.fixture(scope="module")
def uploaded(running_cluster: Cluster | RealCluster, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Uploaded]:
    if not isinstance(running_cluster, Cluster):
        pytest.skip("needs the stand-in, which takes any token")
    pipeline = Pipeline.create(tmp_path_factory.mktemp("secrets") / "pipeline")
    place = make(running_cluster, "//tmp/ytbuild-test-secretive", pipeline)
    running_cluster.reset()
    seen = watched(place)
    yield Uploaded(place, seen, json.dumps(running_cluster.requests()).encode())
    place.client.remove(place.folder, recursive=True)


def test_secrets_are_in_no_request_but_as_the_token(uploaded: Uploaded) -> None:
    assert uploaded.seen.code == 0, uploaded.seen.said
    assert planted(uploaded.requests) == []


def test_secrets_are_in_no_attribute(uploaded: Uploaded) -> None:
    place = uploaded.place
    nodes = [place.folder, f"{place.folder}/archives", f"{place.folder}/manifests"]
    nodes += [place.archive, place.manifest, f"{place.link}&"]
    assert planted(repr([place.client.get(f"{node}/@") for node in nodes]).encode()) == []


def test_secrets_are_in_no_file(uploaded: Uploaded) -> None:
    assert planted(gzip.decompress(uploaded.place.read(uploaded.place.archive))) == []
    assert planted(uploaded.place.read(uploaded.place.manifest)) == []


def test_secrets_are_in_no_message(uploaded: Uploaded) -> None:
    assert b"Code uploaded successfully" in uploaded.seen.said
    assert planted(uploaded.seen.said) == []


def test_secrets_are_in_no_command_line(uploaded: Uploaded) -> None:
    assert any(b"ytbuild" in command for command in uploaded.seen.commands)
    assert planted(b"".join(uploaded.seen.commands)) == []


def test_secrets_are_in_nothing_that_stays_here(uploaded: Uploaded) -> None:
    kept = [path for path in (uploaded.place.built.pipeline.root / ".build").rglob("*") if path.is_file()]
    assert planted(b"".join(path.read_bytes() for path in kept)) == []


def logged(place: Place) -> bytes:
    """Return all that is kept of what the cluster said."""
    folder = place.built.pipeline.root / ".build" / "log"
    return b"".join(path.read_bytes() for path in folder.rglob("*"))


@pytest.mark.parametrize("command", ["get", "create", "write_file", "commit_transaction", "link"])
def test_secrets_are_in_no_failure(secretive: Place, cluster: Cluster, command: str) -> None:
    cluster.fault(command, "error", nth="every", code=1, message=f"you said {TOKEN} and {PLAIN}")
    seen = watched(secretive)
    assert seen.code == 1 and b"you said *** and ***" in seen.said
    assert b"you said" in logged(secretive)
    assert planted(seen.said + logged(secretive)) == []


@pytest.mark.parametrize("said", [ODD, json.dumps(ODD)])
def test_a_failure_that_quotes_a_secret_hides_it(secretive: Place, cluster: Cluster, said: str) -> None:
    cluster.fault("link", "error", nth="every", code=1, message=f"you said {said}")
    seen = watched(secretive)
    assert seen.code == 1 and b"***" in seen.said
    assert planted(seen.said) == []


@pytest.mark.parametrize("said", [ODD, json.dumps(ODD)])
def test_the_log_of_a_failure_that_quotes_a_secret_hides_it(secretive: Place, cluster: Cluster, said: str) -> None:
    cluster.fault("link", "error", nth="every", code=1, message=f"you said {said}")
    assert watched(secretive).code == 1
    assert b"you said" in logged(secretive)
    assert planted(logged(secretive)) == []
