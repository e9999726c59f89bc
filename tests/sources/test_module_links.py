"""Links in uploaded modules: installers make them, so they are followed; never into what must not ship."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.planning import link, members, plan, refused
from tests.sources.installed import shipped, upload, write
from tests.support import Pipeline


def test_files_linked_into_an_installed_package_ship_as_their_content(pipeline: Pipeline, site: Path) -> None:
    write(site.parent / "cache", "abc/init", "abc/x", content="VALUE = 1\n")
    (site / "ours").mkdir()
    (site / "ours" / "__init__.py").symlink_to(site.parent / "cache/abc/init")
    (site / "ours" / "x.py").symlink_to("../../cache/abc/x")
    upload(pipeline, "ours")
    found = members(pipeline, "module:ours")
    assert [(name, member.link, member.size) for name, member in found.items()] == [
        ("ours/__init__.py", "", 10),
        ("ours/x.py", "", 10),
    ]


def test_an_edit_behind_a_linked_file_of_a_module_is_noticed(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py")
    (site.parent / "cache").write_text("one")
    (site / "ours" / "x.py").symlink_to(site.parent / "cache")
    upload(pipeline, "ours")
    before = plan(pipeline).key
    (site.parent / "cache").write_text("two")
    assert plan(pipeline).key != before


def test_a_linked_directory_of_a_module_is_followed(pipeline: Pipeline, site: Path) -> None:
    write(site.parent / "cache", "deep/x.py", "deep/deeper/y.py")
    write(site, "ours/__init__.py")
    (site / "ours" / "deep").symlink_to(site.parent / "cache/deep")
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == ["ours/__init__.py", "ours/deep/deeper/y.py", "ours/deep/x.py"]


@pytest.mark.parametrize("path", ["ours", "ours.py"])
def test_a_module_that_is_a_link_as_a_whole_ships_under_its_own_name(
    pipeline: Pipeline, site: Path, path: str
) -> None:
    write(site.parent / "cache", "package/__init__.py", "file")
    (site / path).symlink_to(site.parent / "cache" / ("file" if path.endswith(".py") else "package"))
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == [path if path.endswith(".py") else f"{path}/__init__.py"]


@pytest.mark.parametrize("aim", [".", "..", "../..", "../other/back"], ids=["itself", "parent", "above", "circle"])
def test_a_link_of_a_module_that_leads_around_is_refused_by_name(pipeline: Pipeline, site: Path, aim: str) -> None:
    write(site, "ours/__init__.py", "ours/deep/x.py", "ours/other/y.py")
    (site / "ours/other/back").symlink_to("../deep")
    (site / "ours/deep/loop").symlink_to(aim)
    upload(pipeline, "ours")
    said = refused(pipeline)
    assert "ours/deep/loop" in said or "ours/other/back" in said


def test_a_dangling_link_in_a_module_is_refused_by_name(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py")
    (site / "ours/odd.py").symlink_to("nowhere")
    upload(pipeline, "ours")
    assert "ours/odd.py" in refused(pipeline)


def test_a_link_in_the_pipeline_s_own_package_is_followed_too(pipeline: Pipeline) -> None:
    write(pipeline.root, "ours/__init__.py", "shared/x.txt", content="VALUE = 1")
    link(pipeline, "ours/x.txt", "../shared/x.txt")
    upload(pipeline, "ours")
    member = members(pipeline, "module:ours")["ours/x.txt"]
    assert (member.link, member.size) == ("", 9)


@pytest.mark.parametrize("aim", ["../configs/secrets.env", "../configs", "../configs/config.yaml", "../shared/.env"])
def test_a_link_in_a_module_to_what_never_ships_is_refused_by_name(pipeline: Pipeline, aim: str) -> None:
    write(pipeline.root, "ours/__init__.py", "configs/secrets.env", "shared/.env")
    link(pipeline, "ours/settings", aim)
    upload(pipeline, "ours")
    assert "ours/settings" in refused(pipeline)


def test_a_linked_directory_that_is_left_out_is_not_followed(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py", "ours/.ytignore", content="deep\n")
    (site / "ours/deep").symlink_to("/")
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == ["ours/__init__.py"]


def test_a_linked_directory_retargeted_is_noticed(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py")
    write(site.parent, "one/x.py", "two/y.py")
    (site / "ours/deep").symlink_to(site.parent / "one")
    upload(pipeline, "ours")
    pipeline.build(PYTHONPATH=str(site))
    (site / "ours/deep").unlink()
    (site / "ours/deep").symlink_to(site.parent / "two")
    pipeline.build(PYTHONPATH=str(site))
    assert "ours/deep/y.py" in pipeline.names() and "ours/deep/x.py" not in pipeline.names()
