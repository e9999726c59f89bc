"""`ytbuild build`: what it says, to whom, and what it ends with."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support import Pipeline, clean_environment
from tests.trees import only_files, snapshot, temporary_files

pytestmark = pytest.mark.quick

LINE = re.compile(r"built (\S+) +([0-9a-f]{8})  ([\d,]+ files?), ([\d.]+ (?:B|KiB|MiB))")
SUMMARY = re.compile(
    r"(\d+) targets: (\d+) built, (\d+) cached; archive [0-9a-f]{8}, (\d+) files, [\d.]+ (?:B|KiB|MiB), in [\d.]+s"
)


def lines(result: subprocess.CompletedProcess[str]) -> list[str]:
    assert result.returncode == 0, result.stderr
    return result.stderr.splitlines()


def test_first_build_prints_a_line_for_each_target(pipeline: Pipeline) -> None:
    *target_lines, _ = lines(pipeline.run("build"))
    matches = [LINE.fullmatch(line) for line in target_lines]
    assert [match and match[1] for match in matches] == ["module:ytjobs", "stage:first", "wrappers"]


def test_a_targets_line_has_its_key_files_and_size(pipeline: Pipeline) -> None:
    *target_lines, _ = lines(pipeline.run("build"))
    target = next(target for target in pipeline.build()["targets"] if target["name"] == "stage:first")
    line = next(line for line in target_lines if "stage:first" in line)
    assert target["key"][:8] in line
    assert line.endswith(f"2 files, {target['size']} B")


def test_first_build_ends_with_one_summary(pipeline: Pipeline) -> None:
    match = SUMMARY.fullmatch(lines(pipeline.run("build"))[-1])
    assert match is not None
    assert match.groups()[:3] == ("3", "3", "0")
    assert int(match[4]) == len(pipeline.names())


def test_a_cached_build_prints_the_summary_and_nothing_else(pipeline: Pipeline) -> None:
    pipeline.build()
    (line,) = lines(pipeline.run("build"))
    match = SUMMARY.fullmatch(line)
    assert match is not None and match.groups()[:3] == ("3", "0", "3")


def test_an_edit_prints_the_line_of_its_target_only(pipeline: Pipeline) -> None:
    pipeline.build()
    pipeline.write("stages/first/src/mapper.py", "something else\n")
    first, last = lines(pipeline.run("build"))
    assert first.startswith("built stage:first ")
    match = SUMMARY.fullmatch(last)
    assert match is not None and match.groups()[:3] == ("3", "1", "2")


@pytest.mark.parametrize("state", ["first", "cached"])
def test_a_quiet_build_says_nothing(pipeline: Pipeline, state: str) -> None:
    if state == "cached":
        pipeline.build()
    result = pipeline.run("build", "-q")
    assert (result.returncode, result.stdout, result.stderr) == (0, "", "")


def test_a_quiet_build_still_warns(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/id_rsa", "x")
    assert lines(pipeline.run("build", "-q"))[0].startswith("warning: stages/first/src/id_rsa is left out")


def test_words_for_people_are_not_on_stdout(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/id_rsa", "x")
    assert pipeline.run("build", "-v").stdout == ""


@pytest.mark.parametrize("arguments", [["-q", "build"], ["build", "-q"], ["--quiet", "build", "--no-progress"]])
def test_flags_work_before_and_after_the_command(pipeline: Pipeline, arguments: list[str]) -> None:
    assert lines(pipeline.run(*arguments)) == []


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
def test_options_with_values_work_before_and_after_the_command(pipeline: Pipeline, before: bool) -> None:
    pipeline.write("stages/other/config.yaml", "client: {operations: {}}\n")
    pipeline.write("configs/more.yaml", "stages:\n  enabled_stages: [first]\n")
    options = ["--config", "configs/more.yaml", "-o", "stages.enabled_stages=[other]"]
    arguments = [*options, "build", "--json"] if before else ["build", "--json", *options]
    answer = json.loads(pipeline.run(*arguments, check=True).stdout)
    assert "stage:other" in [target["name"] for target in answer["targets"]]


def test_overrides_before_and_after_the_command_add_up(pipeline: Pipeline) -> None:
    pipeline.write("lib/a.py")
    first, second = "pipeline.upload_paths=[{source: lib}]", "stages.enabled_stages=[first]"
    answer = json.loads(pipeline.run("-o", first, "build", "-o", second, "--json", check=True).stdout)
    assert [target["name"] for target in answer["targets"]][1] == "path:lib"


@pytest.mark.parametrize("before", [True, False], ids=["before", "after"])
@pytest.mark.parametrize("absolute", [True, False], ids=["absolute", "relative"])
def test_a_pipeline_is_built_from_elsewhere_with_c(
    pipeline: Pipeline, tmp_path: Path, before: bool, absolute: bool
) -> None:
    elsewhere = Pipeline(tmp_path / "else where")
    elsewhere.root.mkdir()
    options = ["-C", str(pipeline.root) if absolute else "../pipeline"]
    elsewhere.run(*([*options, "build"] if before else ["build", *options]), check=True)
    assert pipeline.archive().is_file()
    assert list(elsewhere.root.iterdir()) == []


def test_json_has_its_documented_shape(pipeline: Pipeline) -> None:
    answer = json.loads(pipeline.run("build", "--json", check=True).stdout)
    assert answer["format_version"] == "1.0"
    assert {name: type(value) for name, value in answer.items()} == {
        "format_version": str,
        "key": str,
        "archive": str,
        "size": int,
        "files": int,
        "seconds": float,
        "chunks": dict,
        "targets": list,
        "warnings": list,
    }
    assert answer["chunks"] == {"compressed": 3, "reused": 0}
    for target in answer["targets"]:
        assert list(target) == ["name", "key", "files", "size", "state"]
        assert re.fullmatch(r"[0-9a-f]{32}", target["key"])


def test_json_says_what_was_built_and_what_was_cached(pipeline: Pipeline) -> None:
    pipeline.build()
    pipeline.write("stages/first/src/mapper.py", "something else\n")
    states = {target["name"]: target["state"] for target in pipeline.build()["targets"]}
    assert states == {"module:ytjobs": "cached", "stage:first": "built", "wrappers": "cached"}


def test_json_names_the_archive(pipeline: Pipeline) -> None:
    answer = pipeline.build()
    assert Path(answer["archive"]).samefile(pipeline.archive())
    assert Path(answer["archive"]).is_absolute()
    assert Path(answer["archive"]).name == f"{answer['key']}.tar.gz"
    assert answer["size"] == pipeline.archive().stat().st_size
    assert answer["files"] == len(pipeline.names())


def test_json_is_all_that_is_printed(pipeline: Pipeline) -> None:
    result = pipeline.run("build", "--json", check=True)
    assert result.stderr == ""
    json.loads(result.stdout)


def test_json_repeats_the_warnings(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/id_rsa", "x")
    result = pipeline.run("build", "--json", check=True)
    (warning,) = json.loads(result.stdout)["warnings"]
    assert result.stderr == f"warning: {warning}\n"


@pytest.fixture
def extracted(pipeline: Pipeline) -> Pipeline:
    """A pipeline whose archive was extracted: with a link, an executable, a large file and odd names."""
    pipeline.configure("upload_paths: [{source: lib}]")
    pipeline.write("lib/имя \n.py", "x")
    pipeline.write("lib/large", bytes(5_000_000))
    pipeline.write("lib/tool", "#!/bin/sh\n").chmod(0o755)
    (pipeline.root / "lib" / "link").symlink_to("tool")
    pipeline.run("build", "--extract", check=True)
    return pipeline


def assert_extracted(pipeline: Pipeline, tmp_path: Path) -> None:
    """Check that .build/source is what GNU tar makes of the archive."""
    expected = tmp_path / "expected"
    shutil.rmtree(expected, ignore_errors=True)
    expected.mkdir()
    subprocess.run(["tar", "-xzf", pipeline.archive(), "-C", expected], check=True)
    assert snapshot(pipeline.root / ".build" / "source") == snapshot(expected)
    assert temporary_files(pipeline) == []


def test_extract_gives_the_tree_that_tar_gives(extracted: Pipeline, tmp_path: Path) -> None:
    assert_extracted(extracted, tmp_path)
    assert len(only_files(snapshot(extracted.root / ".build" / "source"))) == len(extracted.names())


def test_extract_replaces_an_older_tree(extracted: Pipeline, tmp_path: Path) -> None:
    (extracted.root / "lib" / "tool").unlink()
    (extracted.root / "lib" / "link").unlink()
    extracted.write(".build/source/lib/left-over.py", "never\n")
    extracted.run("build", "--extract", check=True)
    assert_extracted(extracted, tmp_path)
    assert not (extracted.root / ".build" / "source" / "lib" / "left-over.py").exists()


def test_extract_works_when_everything_is_cached(extracted: Pipeline, tmp_path: Path) -> None:
    shutil.rmtree(extracted.root / ".build" / "source")
    (line,) = lines(extracted.run("build", "--extract"))
    assert SUMMARY.fullmatch(line)
    assert_extracted(extracted, tmp_path)


@pytest.mark.parametrize("kind", ["file", "link"])
def test_extract_replaces_whatever_was_there_and_follows_no_link(
    extracted: Pipeline, tmp_path: Path, kind: str
) -> None:
    source = extracted.root / ".build" / "source"
    shutil.rmtree(source)
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    if kind == "file":
        source.write_text("x")
    else:
        source.symlink_to(tmp_path / "mine")
    extracted.run("build", "--extract", check=True)
    assert_extracted(extracted, tmp_path)
    assert (tmp_path / "mine" / "file").read_text() == "mine"


def test_many_extractions_at_once_succeed(extracted: Pipeline, tmp_path: Path) -> None:
    command = [sys.executable, "-m", "ytbuild", "build", "--extract"]
    for _ in range(3):
        running = [
            subprocess.Popen(command, cwd=extracted.root, env=clean_environment(), stderr=subprocess.PIPE, text=True)
            for _ in range(4)
        ]
        for process in running:
            _, said = process.communicate()
            assert process.returncode == 0, said
    assert_extracted(extracted, tmp_path)


def test_verbose_names_cached_targets_and_counts_chunks(pipeline: Pipeline) -> None:
    pipeline.build()
    said = pipeline.run("build", "-v", check=True).stderr.splitlines()
    assert [line.split()[1] for line in said if line.startswith("cached ")] == [
        "module:ytjobs",
        "stage:first",
        "wrappers",
    ]
    assert "0 chunks compressed, 0 copied from older archives" in said
