"""`ytbuild run --archive KEY` repeats a run with the code of an earlier build or upload."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.cluster.running import close
from tests.run.prod.place import ROWS, Place
from tests.run.stages import get, put
from tests.support import Pipeline

VERSION = "import sys\nsys.stdin.read()\nprint('{{\"version\": {}}}')\n"
UNKNOWN = "0123456789abcdef" * 2


def key_of(said: str) -> str:
    """The short key in what a run or a build says."""
    match = re.search(r"archive ([0-9a-f]{8})", said)
    assert match, said
    return match[1]


@pytest.fixture(scope="module")
def earlier(module_place: Place) -> tuple[Place, str]:
    """A pipeline after two runs with different mappers, and the key of the first one."""
    keys = []
    for version in (1, 2):
        module_place.write("stages/first/src/mapper.py", VERSION.format(version))
        keys.append(key_of(module_place.ran()))
    assert len(set(keys)) == 2 and module_place.get("output") == [{"version": 2}]
    return module_place, keys[0]


def test_the_jobs_get_the_code_of_the_earlier_upload(earlier: tuple[Place, str]) -> None:
    place, key = earlier
    said = place.ran("run", "--archive", key)
    assert place.get("output") == [{"version": 1}]
    assert "Uploading" not in said


def test_what_is_there_now_runs_without_the_option(earlier: tuple[Place, str]) -> None:
    place, _ = earlier
    place.ran()
    assert place.get("output") == [{"version": 2}]


def test_it_works_without_a_local_build(earlier: tuple[Place, str], tmp_path: Path) -> None:
    """On another machine: only the cluster has the archive."""
    place, key = earlier
    copy = shutil.copytree(place.pipeline.root, tmp_path / "copy", ignore=shutil.ignore_patterns(".build"))
    Place(place.cluster, place.folder, Pipeline(copy)).ran("run", "--archive", key)
    assert place.get("output") == [{"version": 1}]


def test_an_unknown_key_is_refused(earlier: tuple[Place, str]) -> None:
    place, _ = earlier
    said = place.failed("run", "--archive", UNKNOWN, code=2)
    assert f"there is no archive '{UNKNOWN}' in {place.folder}/build" in said
    assert "first/map" not in said and "stage first" not in said


def test_a_prefix_of_three_digits_is_too_short(earlier: tuple[Place, str]) -> None:
    place, key = earlier
    assert "first 4 digits or more" in place.failed("run", "--archive", key[:3], code=2)


def test_a_prefix_of_two_archives_is_refused(earlier: tuple[Place, str]) -> None:
    place, key = earlier
    client = place.cluster.client()
    build = f"{place.folder}/build"
    try:
        (name,) = [name for name in client.list(f"{build}/archives") if name.startswith(key)]
        twin = f"{key}{'f' * 24}"
        client.copy(f"{build}/archives/{name}", f"{build}/archives/{twin}.tar.gz")
        client.copy(f"{build}/manifests/{name.split('.')[0]}.json", f"{build}/manifests/{twin}.json")
        assert f"2 archives in {build} begin with '{key}'" in place.failed("run", "--archive", key, code=2)
        client.remove(f"{build}/archives/{twin}.tar.gz")
        client.remove(f"{build}/manifests/{twin}.json")
    finally:
        close(client)


def test_an_archive_without_the_wrapper_of_an_operation_is_refused(place: Place) -> None:
    key = json.loads(place.run("upload", "--json").stdout)["key"]
    place.write("stages/first/src/vanilla.py", "print('hello')\n")
    place.operations("map:\n  input_table: //x/input\n  output_table: //x/output\nvanilla: {}")
    said = place.failed("run", "--archive", key, code=2)
    assert f"the archive {key} cannot start first/vanilla (vanilla)" in said
    assert "operation_wrapper_first_vanilla.sh" in said
    assert place.get("output") == [{"old": True}], "the map before it ran"


def test_dev_runs_an_earlier_archive_of_the_local_store(pipeline: Pipeline) -> None:
    put(pipeline, "input", ROWS)
    keys = []
    for version in (1, 2):
        pipeline.write("stages/first/src/mapper.py", VERSION.format(version))
        keys.append(key_of(pipeline.run("run", check=True).stderr))
    pipeline.run("run", "--archive", keys[0], check=True)
    assert get(pipeline, "output") == [{"version": 1}]
    pipeline.run("run", check=True)
    assert get(pipeline, "output") == [{"version": 2}]


def no_archive(pipeline: Pipeline, key: str) -> str:
    return UNKNOWN


def an_ambiguous_prefix(pipeline: Pipeline, key: str) -> str:
    for folder, ending in (("archives", "tar.gz"), ("manifests", "json")):
        own = pipeline.root / ".build" / folder / f"{key}.{ending}"
        shutil.copy(own, own.with_name(f"{key[:8]}{'f' * 24}.{ending}"))
    return key[:8]


def an_archive_without_the_script(pipeline: Pipeline, key: str) -> str:
    pipeline.write("stages/first/src/vanilla.py", "print('hello')\n")
    pipeline.write("stages/first/config.yaml", "client: {operations: {vanilla: {}}}\n")
    return key


@pytest.mark.parametrize(
    ("chosen", "complaint"),
    [
        (no_archive, "there is no archive"),
        (an_ambiguous_prefix, "2 archives in"),
        (an_archive_without_the_script, "cannot start first/vanilla (vanilla)"),
    ],
)
def test_dev_refuses_what_the_cluster_would(
    pipeline: Pipeline, chosen: Callable[[Pipeline, str], str], complaint: str
) -> None:
    put(pipeline, "input", ROWS)
    result = pipeline.run("run", "--archive", chosen(pipeline, pipeline.build()["key"]))
    assert (result.returncode, complaint in result.stderr) == (2, True), result.stderr
    assert not (pipeline.root / ".dev/operations").exists() and not (pipeline.root / ".dev/output.jsonl").exists()
