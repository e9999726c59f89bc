"""Folders, files and tables at their paths: create, exists, remove, move, upload; and files in a job's sandbox."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support import Pipeline
from ytbuild.backends.dev.client import DevClient
from ytbuild.base.errors import YtbuildError
from ytbuild.config import pipeline as pipeline_config
from ytbuild.config.documents import Documents


@pytest.fixture
def client(pipeline: Pipeline) -> Iterator[DevClient]:
    """A client that runs no jobs, so that it needs neither an archive nor a Python."""
    pipeline.configure("mode: dev\ndev: {python: /bin/sh}")
    config = pipeline_config.load(str(pipeline.root), None, (), Documents(str(pipeline.root / ".build")))
    with DevClient(config, "/dev/null") as opened:
        yield opened


def content(pipeline: Pipeline, path: str) -> bytes:
    """Return the content of a file that was uploaded."""
    return (pipeline.root / ".dev" / "files" / path.removeprefix("//")).read_bytes()


ODD = ["//t/a[#1:#3]", "<append=%true>//t/a", "//t/a{x}", "//t/a/@type", "t/a", "/t/a", "", "//", "//t/../a", "//t/.",
       "//t//a", "//t/a\0b", "//t/a&"]  # fmt: skip


@pytest.mark.parametrize("path", ODD)
@pytest.mark.parametrize(
    "call", ["create_path", "upload_file", "upload_directory", "remove", "exists", "move", "move_to"]
)
def test_what_is_no_path_is_refused(client: DevClient, pipeline: Pipeline, path: str, call: str) -> None:
    pipeline.write("data/local", "x")
    client.write_table("//t/there", [])
    with pytest.raises(YtbuildError):
        if call == "create_path":
            client.create_path(path)
        elif call == "upload_file":
            client.upload_file("data/local", path, create_parent_dir=True)
        elif call == "upload_directory":
            client.upload_directory("data", path)
        elif call == "remove":
            client.remove(path)
        elif call == "exists":
            client.exists(path)
        elif call == "move":
            client.move(path, "//t/b")
        else:
            client.move("//t/there", path)


@pytest.mark.parametrize("node_type", ["map_node", "table", "file"])
def test_what_is_created_exists_and_may_be_created_again(client: DevClient, node_type: str) -> None:
    assert not client.exists("//t/new/node")
    client.create_path("//t/new/node", node_type)
    client.create_path("//t/new/node", node_type)
    assert client.exists("//t/new/node")


def test_creating_what_is_there_keeps_its_content(client: DevClient, pipeline: Pipeline) -> None:
    pipeline.write("local", "x")
    client.write_table("//t/table", [{"n": 1}])
    client.upload_file("local", "//tmp/file")
    client.create_path("//t/table", "table")
    client.create_path("//tmp/file", "file")
    assert client.read_table("//t/table") == [{"n": 1}] and content(pipeline, "//tmp/file") == b"x"


def test_an_unknown_type_of_node_is_refused(client: DevClient) -> None:
    with pytest.raises(YtbuildError, match="document"):
        client.create_path("//t/new", "document")


def test_a_new_table_is_empty(client: DevClient) -> None:
    client.create_path("//t/new", "table")
    assert client.read_table("//t/new") == [] and client.row_count("//t/new") == 0


def test_a_folder_of_tables_exists(client: DevClient) -> None:
    client.write_table("//t/folder/table", [])
    assert client.exists("//t/folder") and client.exists("//t") and not client.exists("//t/fold")


def test_what_is_removed_is_gone(client: DevClient, pipeline: Pipeline) -> None:
    pipeline.write("local", "x")
    client.write_table("//t/table", [{"n": 1}])
    client.upload_file("local", "//tmp/file")
    client.create_path("//t/empty")
    for path in ("//t/table", "//tmp/file", "//t/empty"):
        client.remove(path)
        assert not client.exists(path)
    assert not (pipeline.root / ".dev/table.jsonl").exists()


def test_removing_what_is_not_there_is_an_error_unless_forced(client: DevClient) -> None:
    with pytest.raises(YtbuildError, match="//t/nothing"):
        client.remove("//t/nothing")
    client.remove("//t/nothing", force=True)


@pytest.mark.parametrize("kind", ["table", "file"])
def test_a_folder_that_is_not_empty_is_removed_only_with_all_in_it(client: DevClient, kind: str) -> None:
    client.create_path("//t/folder/below/node", kind)
    with pytest.raises(YtbuildError, match="not empty"):
        client.remove("//t/folder", force=True)
    assert client.exists("//t/folder/below/node")
    client.remove("//t/folder", recursive=True)
    assert not client.exists("//t/folder/below/node") and not client.exists("//t/folder")


def test_removing_a_folder_leaves_those_whose_names_begin_alike(client: DevClient) -> None:
    client.write_table("//t/folder/a", [])
    client.write_table("//t/folder2/a", [{"n": 1}])
    client.remove("//t/folder", recursive=True)
    assert client.read_table("//t/folder2/a") == [{"n": 1}]


def test_a_moved_table_has_its_rows_and_its_order(client: DevClient) -> None:
    client.write_table("//t/a/data", [{"n": 1}])
    client.write_table("//t/b/data", [{"n": 2}])
    client.move("//t/a/data", "//t/c/data")
    assert not client.exists("//t/a/data")
    assert client.read_table("//t/c/data") == [{"n": 1}] and client.read_table("//t/b/data") == [{"n": 2}]


def test_a_moved_file_and_a_moved_folder_have_their_content(client: DevClient, pipeline: Pipeline) -> None:
    pipeline.write("local", "x")
    client.upload_file("local", "//t/one/file", create_parent_dir=True)
    client.write_table("//t/one/table", [{"n": 1}])
    client.move("//t/one", "//t/two")
    assert content(pipeline, "//t/two/file") == b"x" and client.read_table("//t/two/table") == [{"n": 1}]
    client.move("//t/two/file", "//t/three/file")
    assert content(pipeline, "//t/three/file") == b"x" and not client.exists("//t/one")


@pytest.mark.parametrize("kind", ["table", "file", "map_node"])
def test_moving_onto_what_is_there_is_an_error_unless_forced(client: DevClient, kind: str) -> None:
    client.write_table("//t/a", [{"n": 1}])
    client.create_path("//t/b", kind)
    with pytest.raises(YtbuildError, match="//t/b"):
        client.move("//t/a", "//t/b")
    assert client.exists("//t/a") and client.exists("//t/b")
    client.move("//t/a", "//t/b", force=True)
    assert client.read_table("//t/b") == [{"n": 1}] and not client.exists("//t/a")


def test_moving_nothing_is_an_error_and_removes_nothing(client: DevClient) -> None:
    client.write_table("//t/b", [{"n": 1}])
    with pytest.raises(YtbuildError, match="//t/nothing"):
        client.move("//t/nothing", "//t/b", force=True)
    assert client.read_table("//t/b") == [{"n": 1}]


def test_moving_something_onto_itself_keeps_it(client: DevClient) -> None:
    client.write_table("//t/a", [{"n": 1}])
    client.move("//t/a", "//t/a", force=True)
    assert client.read_table("//t/a") == [{"n": 1}]


@pytest.mark.parametrize("destination", ["//t/folder/below", "//t"])
def test_moving_a_folder_into_itself_or_over_itself_loses_nothing(client: DevClient, destination: str) -> None:
    client.create_path("//t/folder/file", "file")
    client.write_table("//t/folder/table", [{"n": 1}])
    with pytest.raises(YtbuildError):
        client.move("//t/folder", destination, force=True)
    assert client.exists("//t/folder/file") and client.read_table("//t/folder/table") == [{"n": 1}]


@pytest.mark.parametrize("data", [b"", b"\0\xff" * 1_000_000])
def test_an_uploaded_file_has_the_same_bytes(client: DevClient, pipeline: Pipeline, data: bytes) -> None:
    pipeline.write("models/model.bin", data)
    client.upload_file("models/model.bin", "//t/models/m.bin", create_parent_dir=True)
    assert content(pipeline, "//t/models/m.bin") == data


def test_a_file_of_an_absolute_path_can_be_uploaded(client: DevClient, pipeline: Pipeline, tmp_path: Path) -> None:
    (tmp_path / "outside").write_text("x")
    client.upload_file(str(tmp_path / "outside"), "//tmp/file")
    assert content(pipeline, "//tmp/file") == b"x"


@pytest.mark.parametrize("create", [False, True])
def test_the_folders_above_an_uploaded_file_are_made(client: DevClient, pipeline: Pipeline, create: bool) -> None:
    pipeline.write("local", "x")
    client.upload_file("local", "//t/no/folder/file", create_parent_dir=create)
    assert content(pipeline, "//t/no/folder/file") == b"x" and client.exists("//t/no/folder")


@pytest.mark.parametrize("local", ["nothing", "configs", "fifo"])
def test_what_is_no_file_is_not_uploaded_and_the_old_one_stays(
    client: DevClient, pipeline: Pipeline, local: str
) -> None:
    os.mkfifo(pipeline.root / "fifo")
    pipeline.write("good", "old")
    client.upload_file("good", "//tmp/file")
    with pytest.raises(YtbuildError, match=local):
        client.upload_file(local, "//tmp/file")
    assert content(pipeline, "//tmp/file") == b"old"


def test_a_folder_is_uploaded_without_what_is_ignored(client: DevClient, pipeline: Pipeline) -> None:
    for name in ("a.txt", "b.tmp", "deep/c.txt", "deep/d.tmp", "deep/kept.tmp", ".hidden", "__pycache__/x.pyc"):
        pipeline.write(f"data/{name}", name)
    pipeline.write("data/.ytignore", "*.tmp\n!kept.tmp\n")
    found = client.upload_directory("data", "//t/data")
    assert found == ["//t/data/.hidden", "//t/data/a.txt", "//t/data/deep/c.txt", "//t/data/deep/kept.tmp"]
    assert content(pipeline, "//t/data/deep/c.txt") == b"deep/c.txt"
    assert not client.exists("//t/data/b.tmp")


def test_the_pipelines_ignore_file_counts_for_folders_in_it(client: DevClient, pipeline: Pipeline) -> None:
    pipeline.write("data/a.txt", "")
    pipeline.write("data/b.txt", "")
    pipeline.write(".ytignore", "data/b.txt\n")
    assert client.upload_directory("data", "//t/data") == ["//t/data/a.txt"]


@pytest.mark.parametrize(
    ("pattern", "names"),
    [("*", ["a.txt", "deep/b.txt", "deep/c.bin"]), ("*.txt", ["a.txt", "deep/b.txt"]),
     ("deep/*", ["deep/b.txt", "deep/c.bin"]),
     ("b.txt", ["deep/b.txt"]), ("[ac].*", ["a.txt", "deep/c.bin"]), ("*.TXT", []), ("nothing", [])],
)  # fmt: skip
def test_a_pattern_chooses_files(client: DevClient, pipeline: Pipeline, pattern: str, names: list[str]) -> None:
    for name in ("a.txt", "deep/b.txt", "deep/c.bin"):
        pipeline.write(f"data/{name}", "")
    assert client.upload_directory("data", "//t/data", pattern) == [f"//t/data/{name}" for name in names]
    assert client.exists("//t/data")


@pytest.mark.parametrize("local", ["nothing", "configs/config.yaml"])
def test_what_is_no_folder_is_not_uploaded(client: DevClient, local: str) -> None:
    with pytest.raises(YtbuildError, match="not a folder"):
        client.upload_directory(local, "//t/data")
    assert not client.exists("//t/data")
