"""`upload_modules`: where a module is found, what of it ships, and that nothing of it runs meanwhile."""

from __future__ import annotations

import importlib.machinery
import py_compile
import sys
import zipfile
from pathlib import Path

import pytest

from tests.planning import members, plan, refused, warnings
from tests.sources.installed import shipped, upload, write
from tests.support import Pipeline

pytestmark = pytest.mark.quick


def test_a_package_in_the_pipeline_ships_under_its_name(pipeline: Pipeline) -> None:
    write(pipeline.root, "ours/__init__.py", "ours/deep/x.py", "ours/data.json")
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == ["ours/__init__.py", "ours/data.json", "ours/deep/x.py"]


def test_an_installed_package_ships_under_its_name(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py", "ours/deep/x.py", "ours-1.0.dist-info/METADATA")
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == ["ours/__init__.py", "ours/deep/x.py"]


def test_an_installed_package_is_found_by_the_real_command(pipeline: Pipeline, tmp_path: Path) -> None:
    write(tmp_path / "site", "ours/__init__.py")
    upload(pipeline, "ours")
    pipeline.build(PYTHONPATH=str(tmp_path / "site"))
    assert "ours/__init__.py" in pipeline.names()


def test_the_pipeline_s_own_package_comes_before_an_installed_one(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py", "ours/installed.py")
    write(pipeline.root, "ours/__init__.py")
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == ["ours/__init__.py"]


def test_a_single_file_module_ships_as_one_file(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours.py", "other.py")
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == ["ours.py"]


def test_a_submodule_of_a_regular_package_ships_the_whole_package(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py", "ours/deep/__init__.py", "ours/other.py")
    upload(pipeline, "ours.deep")
    assert shipped(pipeline, "ours") == ["ours/__init__.py", "ours/deep/__init__.py", "ours/other.py"]


def test_of_a_namespace_package_only_the_named_portion_ships(pipeline: Pipeline, site: Path) -> None:
    write(site, "space/one/__init__.py", "space/two/__init__.py")
    upload(pipeline, "space.one")
    assert shipped(pipeline, "space.one") == ["space/one/__init__.py"]


def test_a_deep_name_in_a_namespace_ships_its_first_regular_package(pipeline: Pipeline, site: Path) -> None:
    write(site, "space/mid/one/__init__.py", "space/mid/one/x.py", "space/mid/two.py")
    upload(pipeline, "space.mid.one.x")
    assert shipped(pipeline, "space.mid.one") == ["space/mid/one/__init__.py", "space/mid/one/x.py"]


def test_a_single_file_in_a_namespace_ships_below_it(pipeline: Pipeline, site: Path) -> None:
    write(site, "space/one.py", "space/two.py")
    upload(pipeline, "space.one")
    assert shipped(pipeline, "space.one") == ["space/one.py"]


def test_a_namespace_in_one_folder_ships_as_a_whole(pipeline: Pipeline, site: Path) -> None:
    write(site, "space/one.py", "space/deep/two.py")
    upload(pipeline, "space")
    assert shipped(pipeline, "space") == ["space/deep/two.py", "space/one.py"]


def test_a_namespace_in_two_folders_is_refused_and_both_are_named(pipeline: Pipeline, site: Path) -> None:
    write(site, "space/one.py")
    write(pipeline.root, "space/two.py")
    upload(pipeline, "space")
    said = refused(pipeline)
    assert str(site / "space") in said and str(pipeline.root / "space") in said


def test_portions_of_a_namespace_are_found_in_every_folder(pipeline: Pipeline, site: Path) -> None:
    write(site, "space/one.py")
    write(pipeline.root, "space/two.py")
    upload(pipeline, "space.one", "space.two")
    assert shipped(pipeline, "space.one") + shipped(pipeline, "space.two") == ["space/one.py", "space/two.py"]


def test_a_namespace_and_its_portion_overlap(pipeline: Pipeline, site: Path) -> None:
    write(site, "space/one.py")
    upload(pipeline, "space", "space.one")
    assert "space/one.py" in refused(pipeline)


def test_two_names_of_one_package_make_one_target(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py", "ours/deep.py")
    upload(pipeline, "ours", "ours.deep", "ours")
    assert [target.name for target in plan(pipeline).targets].count("module:ours") == 1


@pytest.mark.parametrize("name", ["nowhere", "space.nowhere"])
def test_a_module_that_does_not_exist_is_refused(pipeline: Pipeline, site: Path, name: str) -> None:
    write(site, "space/one.py", "ours.py")
    upload(pipeline, name)
    assert name in refused(pipeline)


@pytest.mark.parametrize("name", ["json", "os.path", "sys", "_thread", "time", "xml.etree"])
def test_a_module_of_python_itself_is_refused(pipeline: Pipeline, name: str) -> None:
    write(pipeline.root, "json/__init__.py")
    upload(pipeline, name)
    said = refused(pipeline)
    assert name in said and "Python itself" in said


def test_a_module_in_a_zip_is_refused(pipeline: Pipeline, site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with zipfile.ZipFile(site / "all.zip", "w") as archive:
        archive.writestr("zipped.py", "")
    monkeypatch.syspath_prepend(str(site / "all.zip"))
    upload(pipeline, "zipped")
    said = refused(pipeline)
    assert "zipped" in said and "all.zip" in said


def test_a_module_without_its_source_is_refused(pipeline: Pipeline, site: Path) -> None:
    write(site, "source.py")
    py_compile.compile(str(site / "source.py"), cfile=str(site / "compiled.pyc"))
    upload(pipeline, "compiled")
    assert "compiled" in refused(pipeline)


@pytest.mark.parametrize("name", ["a-b", "a/b", "..", ".a", "a.", "a b", "'a;b'", "'3a'", "'$(x)'", "'a\nb'"])
def test_a_name_that_nothing_can_import_is_refused(pipeline: Pipeline, name: str) -> None:
    upload(pipeline, name)
    assert "upload_modules" in refused(pipeline)


@pytest.mark.parametrize("name", ["configs", "stages"])
def test_a_folder_of_the_pipeline_s_own_is_no_module(pipeline: Pipeline, name: str) -> None:
    write(pipeline.root, f"{name}/__init__.py")
    upload(pipeline, name)
    assert name in refused(pipeline)


@pytest.mark.parametrize("name", ["pipeline", "outer"])
def test_a_package_that_is_the_pipeline_or_holds_it_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    pipeline = Pipeline.create(tmp_path / "outer" / "pipeline")
    write(tmp_path, "outer/__init__.py", "outer/pipeline/__init__.py")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.syspath_prepend(str(tmp_path / "outer"))
    upload(pipeline, name)
    assert name in refused(pipeline)


def test_ytjobs_needs_not_be_listed(pipeline: Pipeline) -> None:
    upload(pipeline, "ytjobs")
    assert "ytjobs" in warnings(pipeline)
    assert [target.name for target in plan(pipeline).targets].count("module:ytjobs") == 1


def test_ytbuild_s_own_ytjobs_ships_even_where_another_one_is_installed(pipeline: Pipeline, site: Path) -> None:
    write(site, "ytjobs/__init__.py", "ytjobs/foreign.py")
    assert "ytjobs/foreign.py" not in members(pipeline, "module:ytjobs")


@pytest.mark.parametrize("name", ["ours", "ours.deep", "space.one", "single"])
@pytest.mark.parametrize(
    "code",
    [
        "open('{marker}', 'w').close()",
        "raise RuntimeError('ran')",
        "import sys; sys.exit(7)",
        "import nowhere",
        "def",
    ],
    ids=["side effect", "raises", "exits", "lacks a package", "no Python"],
)
def test_a_module_is_found_without_being_executed(pipeline: Pipeline, site: Path, name: str, code: str) -> None:
    marker = site / "marker"
    paths = ("ours/__init__.py", "ours/deep/__init__.py", "space/one/__init__.py", "single.py")
    write(site, *paths, content=code.format(marker=marker))
    upload(pipeline, name)
    plan(pipeline)
    assert not marker.exists()
    assert not {"ours", "space", "single"} & set(sys.modules)


EXTENSION = importlib.machinery.EXTENSION_SUFFIXES[0]


def test_a_compiled_extension_ships_with_a_warning_that_names_its_tag(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py", "ours/_fast.cpython-311-x86_64-linux-gnu.so", "ours/_slow.abi3.so")
    upload(pipeline, "ours")
    assert "ours/_fast.cpython-311-x86_64-linux-gnu.so" in shipped(pipeline, "ours")
    said = warnings(pipeline)
    assert "module:ours" in said and "cpython-311-x86_64-linux-gnu" in said and "abi3" in said


def test_a_compiled_single_file_module_ships_under_its_full_name(pipeline: Pipeline, site: Path) -> None:
    write(site, f"ours{EXTENSION}", content="no library")
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == [f"ours{EXTENSION}"]
    assert EXTENSION.strip(".").removesuffix(".so") in warnings(pipeline)


def test_a_module_in_plain_python_gives_no_warning(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py", "ours/x.sop", "ours/notes.so.txt")
    upload(pipeline, "ours")
    assert not warnings(pipeline)


def test_bytecode_does_not_ship(pipeline: Pipeline, site: Path) -> None:
    write(site, "ours/__init__.py", "ours/__pycache__/__init__.cpython-311.pyc", "ours/old.pyc")
    upload(pipeline, "ours")
    assert shipped(pipeline, "ours") == ["ours/__init__.py"]


def test_two_modules_with_equal_ignore_files_are_told_apart_in_reasons(pipeline: Pipeline) -> None:
    for name in ("ours", "other"):
        pipeline.write(f"{name}/__init__.py")
        pipeline.write(f"{name}/data.csv")
        pipeline.write(f"{name}/.ytignore", "*.csv\n")
    upload(pipeline, "ours", "other")
    trees = plan(pipeline).trees
    reasons = [item.reason.file for tree in trees["module:other"] for item in tree.ignored() if item.reason.file]
    assert reasons == ["other/.ytignore"]
