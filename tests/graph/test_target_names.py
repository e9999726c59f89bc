"""Names of targets and paths of sources: every hostile one is an error of its own, and nothing is written."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.planning import link, members, plan, refused
from tests.support import Pipeline
from ytbuild.base.text import quote


def _upload(pipeline: Pipeline, *entries: dict[str, Any]) -> None:
    pipeline.configure(f"upload_paths: {json.dumps(entries)}")


@pytest.fixture
def with_lib(pipeline: Pipeline) -> Pipeline:
    """A pipeline with a folder `lib` to ship."""
    pipeline.write("lib/x.py")
    return pipeline


REFUSED_TARGETS = [
    *("..", "../x", "a/../../x", "a/..", "/x", "/", "//x", "", ".", "./x", "a/./b", "lib/", "a//b", "a/b/"),
    *("stages", "stages/x", "stages/first", "stages/first/src", "ytjobs", "ytjobs/x"),
    *("source.tar.gz", "source.tar.gz/x", "operation_wrapper_first_map.sh", "operation_wrapper_other_vanilla.sh"),
    *("operation_wrapper_first_map.sh/x", "operation_wrapper_first_map-second.sh"),
    *("json", "json.py", "json.pyc", "json.so", "json.cpython-311-x86_64-linux-gnu.so", "json/x", "os.py", "site"),
    *("a\nb", "a\rb", "a\0b"),
]


@pytest.mark.parametrize("target", REFUSED_TARGETS)
def test_the_target_is_refused(with_lib: Pipeline, target: str) -> None:
    _upload(with_lib, {"source": "lib", "target": target})
    said = refused(with_lib)
    assert "upload_paths: lib" in said and quote(target) in said


def test_a_refused_target_ends_the_real_command(with_lib: Pipeline) -> None:
    _upload(with_lib, {"source": "lib", "target": "../lib"})
    assert "../lib" in with_lib.refused()


ALLOWED_TARGETS = [
    *("lib", "a/b", "a/b/c", "...", ".hidden", "a b", "имя", "-x", "$(x)", "it's", "a\\b", "~", "*", "a:b"),
    *("stages2", "ytjobs_more", "a/stages", "a/json.py", "a/source.tar.gz", "a/operation_wrapper_first_map.sh"),
    *("json.txt", "json.data/x", "json-schema", "myjson", "source.tar", "operation_wrapper.sh", "requirements.txt"),
]


@pytest.mark.parametrize("target", ALLOWED_TARGETS)
def test_the_target_ships(with_lib: Pipeline, target: str) -> None:
    _upload(with_lib, {"source": "lib", "target": target})
    assert list(members(with_lib, f"path:{target}")) == [f"{target}/x.py"]


@pytest.mark.parametrize("source", ["lib", "./lib", "lib/", "lib/.", "stages/../lib"])
def test_the_target_defaults_to_the_last_component_of_the_source(with_lib: Pipeline, source: str) -> None:
    _upload(with_lib, {"source": source})
    assert list(members(with_lib, "path:lib")) == ["lib/x.py"]


@pytest.mark.parametrize("name", ["ytjobs", "json.py", "source.tar.gz", "site"])
def test_a_default_target_is_checked_like_a_given_one(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"data/{name}/x.py")
    _upload(pipeline, {"source": f"data/{name}"})
    assert name in refused(pipeline)


CONFLICTS = [
    ("one target twice", ("one", "a"), ("two", "a")),
    ("the same entry twice", ("one", "a"), ("one", "a")),
    ("the second inside the first", ("one", "a"), ("two", "a/b")),
    ("the first inside the second", ("one", "a/b"), ("two", "a")),
    ("far inside", ("one", "a"), ("two", "a/b/c/d")),
]


@pytest.mark.parametrize(("one", "two"), [case[1:] for case in CONFLICTS], ids=[case[0] for case in CONFLICTS])
def test_two_sources_collide(pipeline: Pipeline, one: tuple[str, str], two: tuple[str, str]) -> None:
    pipeline.write("one/x.py")
    pipeline.write("two/y.py")
    _upload(pipeline, *({"source": source, "target": target} for source, target in (one, two)))
    said = refused(pipeline)
    assert one[0] in said and two[0] in said and "a" in said


def test_two_sources_with_one_default_target_collide(pipeline: Pipeline) -> None:
    pipeline.write("one/lib/x.py")
    pipeline.write("two/lib/y.py")
    _upload(pipeline, {"source": "one/lib"}, {"source": "two/lib"})
    said = refused(pipeline)
    assert "one/lib" in said and "two/lib" in said


@pytest.mark.parametrize(("module", "target"), [("ours", "ours"), ("ours", "ours/deep"), ("single", "single.py")])
def test_a_module_and_a_path_collide(with_lib: Pipeline, module: str, target: str) -> None:
    with_lib.write("ours/__init__.py")
    with_lib.write("single.py")
    with_lib.configure(f"upload_modules: [{module}]\nupload_paths: [{{source: lib, target: {target}}}]")
    said = refused(with_lib)
    assert f"upload_modules: {module}" in said and "upload_paths: lib" in said


@pytest.mark.parametrize(("one", "two"), [("a/b", "a/c"), ("lib", "lib2"), ("lib", "lib-more"), ("a/b", "ab")])
def test_neighbours_do_not_collide(with_lib: Pipeline, one: str, two: str) -> None:
    _upload(with_lib, {"source": "lib", "target": one}, {"source": "lib", "target": two})
    assert {f"path:{one}", f"path:{two}"} <= {target.name for target in plan(with_lib).targets}


REFUSED_SOURCES = [
    *(".", "./", "..", "../", "../..", "/", "lib/..", "stages/.."),
    *("stages", "./stages", "stages/", "lib/../stages"),
    *("configs", "configs/", "configs/secrets.env", "configs/deep", "lib/../configs"),
    *(".build", ".build/x", ".dev", ".dev/x", ".git", ".git/config"),
    *("/etc", "/etc/hostname", "../outside", "../outside/x.txt", "../pipeline2"),
    *("nowhere", "lib/nowhere", "lib/x.py/", "lib/x.py/deeper", "~", "$HOME", "l*", "li\0b"),
]


@pytest.mark.parametrize("source", REFUSED_SOURCES)
def test_the_source_is_refused(with_lib: Pipeline, source: str) -> None:
    for path in ("configs/secrets.env", "configs/deep/x.txt", ".build/x", ".dev/x", ".git/config"):
        with_lib.write(path)
    for path in ("../outside/x.txt", "../pipeline2/x.txt"):
        with_lib.write(path)
    _upload(with_lib, {"source": source, "target": "here"})
    assert quote(source) in refused(with_lib)


def test_a_refused_source_ends_the_real_command(with_lib: Pipeline) -> None:
    _upload(with_lib, {"source": "..", "target": "here"})
    assert ".." in with_lib.refused()


@pytest.mark.parametrize("inside", ["", "/stages", "/configs", "/configs/config.yaml"])
def test_the_source_is_refused_as_an_absolute_path_too(with_lib: Pipeline, inside: str) -> None:
    _upload(with_lib, {"source": f"{with_lib.root}{inside}", "target": "here"})
    assert f"{with_lib.root}{inside}" in refused(with_lib)


REFUSED_LINKS = ["../outside", "/etc", ".", "stages", "configs", "configs/config.yaml", ".dev", "nowhere", "odd"]


@pytest.mark.parametrize("aim", REFUSED_LINKS)
def test_a_source_that_is_a_link_is_refused_by_what_it_leads_to(with_lib: Pipeline, aim: str) -> None:
    with_lib.write("../outside/x.txt")
    with_lib.write(".dev/x")
    link(with_lib, "odd", aim)
    _upload(with_lib, {"source": "odd"})
    assert "odd" in refused(with_lib)


def test_a_source_behind_a_link_that_leaves_is_refused(with_lib: Pipeline) -> None:
    with_lib.write("../outside/deep/x.txt")
    link(with_lib, "odd", "../outside")
    _upload(with_lib, {"source": "odd/deep"})
    assert "odd/deep" in refused(with_lib)


def test_an_absolute_source_inside_the_pipeline_ships(with_lib: Pipeline) -> None:
    _upload(with_lib, {"source": str(with_lib.root / "lib")})
    assert list(members(with_lib, "path:lib")) == ["lib/x.py"]


def test_an_absolute_source_ships_when_the_pipeline_is_reached_through_a_link(
    with_lib: Pipeline, tmp_path: Path
) -> None:
    (tmp_path / "alias").symlink_to(with_lib.root)
    _upload(with_lib, {"source": str(tmp_path / "alias" / "lib")})
    assert list(members(Pipeline(tmp_path / "alias"), "path:lib")) == ["lib/x.py"]


def test_a_source_that_is_a_link_within_the_pipeline_ships_under_its_own_name(with_lib: Pipeline) -> None:
    link(with_lib, "alias", "lib")
    _upload(with_lib, {"source": "alias"})
    assert list(members(with_lib, "path:alias")) == ["alias/x.py"]


def test_a_part_of_a_stage_may_be_a_source(pipeline: Pipeline) -> None:
    _upload(pipeline, {"source": "stages/first/src", "target": "first"})
    assert list(members(pipeline, "path:first")) == ["first/mapper.py"]


@pytest.mark.parametrize(
    "entry",
    [
        *("lib", 5, None, [], ["lib"], {}, {"target": "lib"}, {"source": None}, {"source": ""}, {"source": " "}),
        *({"source": 5}, {"source": ["lib"]}, {"source": {"a": 1}}, {"source": True}),
        *({"source": "lib", "target": 5}, {"source": "lib", "target": []}, {"source": "lib", "target": False}),
        *({"source": "lib", "tagret": "x"}, {"source": "lib", "target": "x", "ignore": []}),
    ],
    ids=json.dumps,
)
def test_an_entry_that_is_no_source_with_a_target_is_refused(with_lib: Pipeline, entry: Any) -> None:
    with_lib.configure(f"upload_paths: {json.dumps([{'source': 'lib', 'target': 'good'}, entry])}")
    said = refused(with_lib)
    assert "configs/config.yaml" in said and "upload_paths" in said


def test_a_wrong_entry_is_named_by_its_place_in_the_list(with_lib: Pipeline) -> None:
    _upload(with_lib, {"source": "lib"}, {"target": "x"})
    assert "upload_paths[1].source" in refused(with_lib)


@pytest.mark.parametrize("value", ["lib", 5, {"source": "lib"}, True], ids=json.dumps)
def test_upload_paths_that_is_no_list_is_refused(with_lib: Pipeline, value: Any) -> None:
    with_lib.configure(f"upload_paths: {json.dumps(value)}")
    assert "upload_paths" in refused(with_lib)


def test_a_target_of_null_means_the_default(with_lib: Pipeline) -> None:
    _upload(with_lib, {"source": "lib", "target": None})
    assert list(members(with_lib, "path:lib")) == ["lib/x.py"]


def test_a_target_that_is_not_valid_unicode_is_refused(with_lib: Pipeline) -> None:
    with_lib.configure('upload_paths: [{source: lib, target: "\\ud800"}]')
    assert "configs/config.yaml" in refused(with_lib)


def test_an_odd_source_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    _upload(pipeline, {"source": "a\x07b\x1b]0;x"})
    assert not set(refused(pipeline)) & {"\x07", "\x1b"}


def test_an_odd_target_cannot_write_to_the_terminal(with_lib: Pipeline) -> None:
    _upload(with_lib, {"source": "lib", "target": "../a\x07b\x1b]0;x"})
    assert not set(refused(with_lib)) & {"\x07", "\x1b"}


def test_odd_targets_that_collide_cannot_write_to_the_terminal(with_lib: Pipeline) -> None:
    _upload(with_lib, *({"source": "lib", "target": "a\x07b\x1b]0;x"} for _ in range(2)))
    assert not set(refused(with_lib)) & {"\x07", "\x1b"}
