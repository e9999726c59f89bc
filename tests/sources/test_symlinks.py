"""Symbolic links: which are kept, which are followed, and which stop the build."""

from __future__ import annotations

import os
import shutil
import time
from pathlib import Path

import pytest

from tests.planning import SRC, link, members, refused
from tests.support import Pipeline

pytestmark = pytest.mark.quick


def test_a_link_to_a_file_in_the_same_source_is_kept_as_a_link(pipeline: Pipeline) -> None:
    link(pipeline, f"{SRC}/alias.py", "mapper.py")
    member = members(pipeline)[f"{SRC}/alias.py"]
    assert (member.link, member.size, member.digest, member.executable) == ("mapper.py", 0, b"", False)


def test_a_link_to_a_folder_in_the_same_source_is_kept_and_not_followed(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/deep/data/x.txt")
    link(pipeline, f"{SRC}/here", "deep/data")
    found = members(pipeline)
    assert found[f"{SRC}/here"].link == "deep/data"
    assert not [name for name in found if name.startswith(f"{SRC}/here/")]


def test_a_kept_link_is_relative_to_its_own_folder(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/one/x.txt")
    link(pipeline, f"{SRC}/two/deep/x.txt", "../../one/x.txt")
    assert members(pipeline)[f"{SRC}/two/deep/x.txt"].link == "../../one/x.txt"


def test_an_absolute_link_inside_the_source_becomes_relative(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/one/x.txt")
    link(pipeline, f"{SRC}/two/x.txt", pipeline.root / SRC / "one" / "x.txt")
    assert members(pipeline)[f"{SRC}/two/x.txt"].link == "../one/x.txt"


def test_a_link_that_goes_out_of_its_source_and_back_in_becomes_short(pipeline: Pipeline) -> None:
    link(pipeline, f"{SRC}/alias.py", "../../../stages/first/src/mapper.py")
    assert members(pipeline)[f"{SRC}/alias.py"].link == "mapper.py"


def test_a_link_to_a_link_leads_to_the_same_file(pipeline: Pipeline) -> None:
    link(pipeline, f"{SRC}/one.py", "mapper.py")
    link(pipeline, f"{SRC}/two.py", "one.py")
    assert members(pipeline)[f"{SRC}/two.py"].link in ("one.py", "mapper.py")


def test_kept_links_lead_to_their_files_after_extraction(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/one/x.txt", "content")
    link(pipeline, f"{SRC}/two/x.txt", "../one/x.txt")
    link(pipeline, f"{SRC}/folder", "one")
    pipeline.run("build", "--extract", check=True)
    extracted = pipeline.root / ".build" / "source" / SRC
    assert os.readlink(extracted / "two" / "x.txt") == "../one/x.txt"
    assert (extracted / "two" / "x.txt").read_text() == (extracted / "folder" / "x.txt").read_text() == "content"


def test_a_link_to_a_file_elsewhere_in_the_pipeline_ships_as_its_content(pipeline: Pipeline) -> None:
    pipeline.write("shared/x.txt", "shared content")
    link(pipeline, f"{SRC}/x.txt", "../../../shared/x.txt")
    pipeline.build()
    assert members(pipeline)[f"{SRC}/x.txt"].link == ""
    assert pipeline.content(f"{SRC}/x.txt") == b"shared content"


def test_a_followed_link_ships_with_the_executable_bit_of_its_file(pipeline: Pipeline) -> None:
    pipeline.write("shared/tool").chmod(0o755)
    link(pipeline, f"{SRC}/tool", "../../../shared/tool")
    assert members(pipeline)[f"{SRC}/tool"].executable


def test_an_edit_behind_a_followed_link_is_noticed(pipeline: Pipeline) -> None:
    pipeline.write("shared/x.txt", "one")
    link(pipeline, f"{SRC}/x.txt", "../../../shared/x.txt")
    pipeline.build()
    pipeline.write("shared/x.txt", "two")
    pipeline.build()
    assert pipeline.content(f"{SRC}/x.txt") == b"two"


def test_a_followed_link_survives_the_renaming_of_a_folder_on_its_way(pipeline: Pipeline) -> None:
    pipeline.write("shared/v1/x.txt", "content")
    link(pipeline, "shared/current", "v1")
    link(pipeline, f"{SRC}/x.txt", "../../../shared/current/x.txt")
    time.sleep(2.1)  # the index trusts only what has been quiet for two seconds
    pipeline.build()
    (pipeline.root / "shared/v1").rename(pipeline.root / "shared/v2")
    (pipeline.root / "shared/current").unlink()
    link(pipeline, "shared/current", "v2")
    shutil.rmtree(pipeline.root / ".build" / "archives")
    pipeline.build()
    assert pipeline.content(f"{SRC}/x.txt") == b"content"


REFUSED_AIMS: list[tuple[str, str, str]] = [
    ("a folder elsewhere in the pipeline", "../../../shared", "outside its own source"),
    ("a file outside the pipeline", "../../../../outside/x.txt", "outside the pipeline"),
    ("a folder outside the pipeline", "../../../../outside", "outside the pipeline"),
    ("an absolute path outside", "/etc/hostname", "outside the pipeline"),
    ("the pipeline itself", "../../..", "outside"),
    ("nothing", "nowhere", "nowhere"),
    ("itself", "odd", "nowhere"),
    ("the secrets", "../../../configs/secrets.env", "never ships"),
    ("the configuration", "../../../configs/config.yaml", "never ships"),
    ("the folder of the configuration", "../../../configs", "never ships"),
    ("a file in .build", "../../../.dev/x.txt", "never ships"),
    ("a secret elsewhere in the pipeline", "../../../shared/.env", "never ships"),
    ("a private key elsewhere in the pipeline", "../../../shared/site.pem", "never ships"),
    ("a file in a secret folder elsewhere in the pipeline", "../../../.aws/credentials", "never ships"),
    ("a file in a .git elsewhere in the pipeline", "../../../shared/.git/config", "never ships"),
    ("a file that is left out", "debug.log", "left out"),
    ("a folder that is left out", "logs", "left out"),
    ("a file in a folder that is left out", "logs/x.txt", "left out"),
    ("an empty folder", "empty", "left out"),
    ("a bytecode cache", "__pycache__", "__pycache__"),
    ("a device", "/dev/null", "character device"),
]


@pytest.mark.parametrize(("aim", "reason"), [aim[1:] for aim in REFUSED_AIMS], ids=[aim[0] for aim in REFUSED_AIMS])
def test_a_link_is_refused_by_name_when_it_leads_to(pipeline: Pipeline, aim: str, reason: str) -> None:
    for path in ("shared/x.txt", "configs/secrets.env", ".dev/x.txt", "shared/.env", ".aws/credentials"):
        pipeline.write(path, "secret=1")
    pipeline.write("shared/site.pem", "-----BEGIN RSA PRIVATE KEY-----\n")
    pipeline.write("shared/.git/config", "[remote]")
    pipeline.write("../outside/x.txt")
    for path in ("debug.log", "logs/x.txt", "__pycache__/x.txt"):
        pipeline.write(f"{SRC}/{path}")
    (pipeline.root / SRC / "empty").mkdir()
    pipeline.write(f"{SRC}/.ytignore", "*.log\nlogs/\n")
    link(pipeline, f"{SRC}/odd", aim)
    said = refused(pipeline)
    assert f"{SRC}/odd" in said and reason in said
    assert "secret=1" not in said


def test_a_link_to_a_secret_that_was_brought_back_is_kept(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/.env")
    pipeline.write(f"{SRC}/.ytignore", "!.env\n")
    link(pipeline, f"{SRC}/deep/settings", "../.env")
    assert members(pipeline)[f"{SRC}/deep/settings"].link == "../.env"


def test_a_dangling_link_shows_what_it_says(pipeline: Pipeline) -> None:
    link(pipeline, f"{SRC}/odd", "../gone/away.txt")
    assert "../gone/away.txt" in pipeline.refused()


def test_two_links_in_a_circle_are_refused_by_name(pipeline: Pipeline) -> None:
    link(pipeline, f"{SRC}/one", "two")
    link(pipeline, f"{SRC}/two", "one")
    assert f"{SRC}/one" in refused(pipeline)


@pytest.mark.parametrize("aim", ["nowhere", "../../../../outside", "/dev/null", "../../../configs/secrets.env"])
def test_an_ignored_link_may_lead_anywhere(pipeline: Pipeline, aim: str) -> None:
    link(pipeline, f"{SRC}/odd", aim)
    pipeline.write(f"{SRC}/.ytignore", "odd\n")
    assert f"{SRC}/odd" not in members(pipeline)


def test_a_link_is_no_directory_for_an_ignore_line_that_ends_in_a_slash(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/deep/x.txt")
    link(pipeline, f"{SRC}/here", "deep")
    pipeline.write(f"{SRC}/.ytignore", "here/\n")
    assert members(pipeline)[f"{SRC}/here"].link == "deep"


def test_a_link_from_a_folder_up_to_its_own_source_is_kept_without_being_walked(pipeline: Pipeline) -> None:
    link(pipeline, f"{SRC}/deep/up", "..")
    assert members(pipeline)[f"{SRC}/deep/up"].link == ".."


def test_a_stage_folder_that_is_a_link_out_of_the_pipeline_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    (pipeline.root / "stages/first").rename(tmp_path / "elsewhere")
    link(pipeline, "stages/first", tmp_path / "elsewhere")
    said = refused(pipeline)
    assert "stages/first" in said and str(tmp_path / "elsewhere") in said


def test_src_that_is_a_link_out_of_the_pipeline_is_refused(pipeline: Pipeline, tmp_path: Path) -> None:
    (pipeline.root / SRC).rename(tmp_path / "elsewhere")
    link(pipeline, SRC, tmp_path / "elsewhere")
    said = refused(pipeline)
    assert SRC in said and str(tmp_path / "elsewhere") in said


def test_src_that_is_a_link_within_the_pipeline_ships_what_it_leads_to(pipeline: Pipeline) -> None:
    (pipeline.root / SRC).rename(pipeline.root / "shared")
    link(pipeline, SRC, "../../shared")
    assert f"{SRC}/mapper.py" in members(pipeline)


@pytest.mark.parametrize("aim", ["../../configs", "../../.dev", "../..", "nowhere"])
def test_src_that_is_a_link_to_a_folder_that_never_ships_is_refused(pipeline: Pipeline, aim: str) -> None:
    pipeline.write(".dev/x.txt")
    (pipeline.root / SRC).rename(pipeline.root / "old")
    link(pipeline, SRC, aim)
    assert SRC in refused(pipeline)


@pytest.mark.parametrize("aim", ["nowhere", "requirements.txt", "../../../outside.txt", "../../configs/config.yaml"])
def test_requirements_txt_that_is_a_bad_link_is_refused(pipeline: Pipeline, aim: str) -> None:
    pipeline.write("../outside.txt")
    link(pipeline, "stages/first/requirements.txt", aim)
    assert "stages/first/requirements.txt" in refused(pipeline)


def test_a_hard_link_ships_as_a_second_file(pipeline: Pipeline) -> None:
    os.link(pipeline.root / SRC / "mapper.py", pipeline.root / SRC / "twin.py")
    found = members(pipeline)
    assert found[f"{SRC}/twin.py"].link == ""
    assert found[f"{SRC}/twin.py"].digest == found[f"{SRC}/mapper.py"].digest


def test_a_source_moved_under_other_rules_is_judged_anew(pipeline: Pipeline) -> None:
    pipeline.write(".ytignore", "/vendor/data.csv\n")
    pipeline.write("lib/data.csv")
    pipeline.write("lib/x.py")
    pipeline.configure("upload_paths: [{source: lib, target: moved}]")
    pipeline.build()
    (pipeline.root / "lib").rename(pipeline.root / "vendor")
    pipeline.configure("upload_paths: [{source: vendor, target: moved}]")
    pipeline.build()
    assert "moved/data.csv" not in pipeline.names()
