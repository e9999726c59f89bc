"""The bytes of a tiny tree, written down: whoever changes them makes every archive of every user stale."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import pytest

from tests.support import Pipeline
from ytbuild.archive.chunk_tar import chunk_tar
from ytbuild.archive.chunks import cut
from ytbuild.graph.plan import Plan, Planner
from ytbuild.sources.fingerprints import RecentContents

pytestmark = pytest.mark.quick

GOLDEN_TAR = "b9a96e8f8a9d61f04cdc5d3aec85e91465392978dfd36c73b597bdebb4df3e42"
LONG = "long" * 40
CONTENTS = {
    "data/blob.bin": bytes(range(256)) * 4,
    "lib/__init__.py": b"",
    f"lib/{LONG}.py": b"y = 2\n",
    "lib/tool.sh": b"#!/bin/sh\n",
    "lib/имя/é 日本.py": b"x = 1\n",
    "stages/first/config.yaml": b"job: {}\n",
    "stages/first/src/vanilla.py": b"print(1)\n",
}
LINKS = {"lib/again": "имя", "lib/имя/alias.py": "é 日本.py"}
EXECUTABLE = ("lib/tool.sh",)


@pytest.fixture
def plan(tmp_path: Path) -> Plan:
    """The plan of a pipeline with paths, a link, an executable, a long and a non-ASCII name."""
    pipeline = Pipeline(tmp_path / "pipeline")
    pipeline.configure("upload_paths: [{source: lib}, {source: data.bin, target: data/blob.bin}]")
    for name, data in CONTENTS.items():
        path = pipeline.write("data.bin" if name == "data/blob.bin" else name, data)
        path.chmod(0o755 if name in EXECUTABLE else 0o644)
    for name, link in LINKS.items():
        (pipeline.root / name).symlink_to(link)
    return Planner(str(pipeline.root)).plan()


def stream(plan: Plan) -> bytes:
    """Return the tar of the user's targets: those of ytbuild itself change with its releases."""
    inputs = [target.load() for target in plan.targets if target.name.startswith(("path:", "stage:"))]
    return b"".join(chunk_tar(chunk, RecentContents()) for chunk in cut(inputs, b""))


def test_tar_is_the_one_that_python_makes_of_the_same_members(plan: Plan) -> None:
    expected = io.BytesIO()
    with tarfile.open(fileobj=expected, mode="w:", format=tarfile.PAX_FORMAT) as archive:
        for name in sorted([*CONTENTS, *LINKS], key=str.encode):
            info = tarfile.TarInfo(name)
            info.mtime = 315532800
            info.mode = 0o755 if name in EXECUTABLE else 0o644
            info.size = len(CONTENTS.get(name, b""))
            if name in LINKS:
                info.type, info.linkname = tarfile.SYMTYPE, LINKS[name]
            archive.addfile(info, io.BytesIO(CONTENTS.get(name, b"")))
        end = archive.offset
    assert stream(plan) == expected.getvalue()[:end]


def test_tar_has_its_golden_hash(plan: Plan) -> None:
    """Of the tar and not of the archive, whose bytes may change with libdeflate."""
    assert hashlib.sha256(stream(plan)).hexdigest() == GOLDEN_TAR


def test_keys_are_golden(plan: Plan) -> None:
    """Another key for the same bytes compresses and uploads everything anew: it needs a new schema version."""
    keys = {target.name: target.key.hex() for target in plan.targets if target.name.startswith(("path:", "stage:"))}
    assert keys == {
        "path:data/blob.bin": "f51b322800111afd16d49b569f2e1f84",
        "path:lib": "6028551010d9a5d5392933ee648b45ac",
        "stage:first": "4a4efba9dd6d1b0a5167b8117764cc53",
    }


def test_chunk_keys_are_golden(plan: Plan) -> None:
    inputs = [target.load() for target in plan.targets if target.name.startswith(("path:", "stage:"))]
    assert [chunk.key.hex() for chunk in cut(inputs, b"compressor")] == [
        "73ae33ba6c187f45e2190d5b00aa53a3",
        "32a65d2bd8d51dfc868bcadda71c1bde",
        "af81af08081825726b6f292b976f5880",
    ]
