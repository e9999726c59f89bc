"""`ytbuild table`: the list of tables, what is refused, and that the command only looks."""

from __future__ import annotations

import errno
import json
from typing import NoReturn

import pytest

from tests.cli.tables import DATA, failed, lines, store, table_output, with_data
from tests.support import Pipeline
from tests.trees import snapshot
from ytbuild.cli import main, table

ODD = "bell\x07 \x9b"


@pytest.fixture
def data(pipeline: Pipeline) -> Pipeline:
    """A pipeline with a table of 1,234 rows."""
    return with_data(pipeline)


# The list


@pytest.fixture
def several(pipeline: Pipeline) -> Pipeline:
    """A pipeline with three tables, one of them put there by hand, and files that are no tables."""
    tables = store(pipeline)
    tables.write("//tmp/y/data", [{"n": 1}])
    tables.write(DATA, [{"n": 1}, {"n": 2}])
    tables.write("//tmp/gone", [{"n": 1}])
    (pipeline.root / ".dev/gone.jsonl").unlink()
    pipeline.write(".dev/input.jsonl", '{"n":1}')
    pipeline.write(".dev/first.map.log", "a log\n")
    pipeline.write(".dev/folder.jsonl/x")
    return pipeline


def test_without_a_path_all_tables_are_listed(several: Pipeline) -> None:
    first, second, third = (line.split() for line in table_output(several).splitlines())
    assert first[:-1] == ["2", "16", "B", DATA]
    assert first[-1].startswith(".dev/data-")
    assert second == ["1", "8", "B", "//tmp/y/data", ".dev/data.jsonl"]
    assert third == ["1", "7", "B", "-", ".dev/input.jsonl"]


def test_the_list_ends_with_a_summary(several: Pipeline) -> None:
    assert several.run("table").stderr == "3 tables, 4 rows, 31 B\n"


def test_the_list_as_json(several: Pipeline) -> None:
    answer = json.loads(table_output(several, "--json"))
    assert answer["format_version"] == "1.0"
    assert [(entry["table"], entry["rows"], entry["size"]) for entry in answer["tables"]] == [
        (DATA, 2, 16),
        ("//tmp/y/data", 1, 8),
        (None, 1, 7),
    ]
    assert answer["tables"][2]["file"] == str((several.root / ".dev/input.jsonl").resolve())


def test_no_tables_is_an_empty_list(pipeline: Pipeline) -> None:
    result = pipeline.run("table", check=True)
    assert (result.stdout, result.stderr) == ("", "0 tables, 0 rows, 0 B\n")


def test_a_damaged_catalogue_leaves_the_files(pipeline: Pipeline) -> None:
    pipeline.write(".dev/catalogue.json", '{"//tmp/x": 7')
    pipeline.write(".dev/x.jsonl", lines(1))
    assert table_output(pipeline).split()[-2:] == ["-", ".dev/x.jsonl"]


def test_odd_names_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    store(pipeline).write(f"//tmp/{ODD}", [{"n": 1}])
    listed = table_output(pipeline)
    said = pipeline.run("table", f"//tmp/{ODD}").stderr
    hinted = failed(pipeline, f"//tmp/{ODD}x")
    for text in (listed, said, hinted):
        assert "\x07" not in text and "\x9b" not in text
        assert '"//tmp/bell\\a \\302\\233"' in text


# What is refused


def test_a_missing_table_names_the_closest(data: Pipeline) -> None:
    said = failed(data, "//tmp/x/dta")
    assert said == (
        f"error: there is no table //tmp/x/dta (.dev/dta.jsonl does not exist)\nhint: did you mean '{DATA}'?\n"
    )


def test_a_missing_table_with_none_like_it_leads_to_the_list(pipeline: Pipeline) -> None:
    assert "hint: `ytbuild table` lists the tables" in failed(pipeline, "//tmp/nothing", "--count")


def test_a_table_that_cannot_be_read_is_no_traceback(
    data: Pipeline, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def refused(*_: object) -> NoReturn:
        raise PermissionError(errno.EACCES, "Permission denied")

    # By hand: root may read everything.
    monkeypatch.setattr(table, "open", refused, raising=False)
    with pytest.raises(SystemExit) as ended:
        main.run(["-C", str(data.root), "table", DATA])
    said = capsys.readouterr().err
    assert ended.value.code == 1 and "Permission denied" in said and "Traceback" not in said


@pytest.mark.parametrize("path", ["//tmp/x[#1:#2]", "<append=%true>//tmp/x", "//tmp/x{a}"])
def test_a_path_with_ranges_or_attributes_is_refused(data: Pipeline, path: str) -> None:
    assert "has attributes, columns or ranges" in data.refused("table", path)


@pytest.mark.parametrize(
    ("path", "problem"),
    [
        ("tmp/x", "does not begin with //"),
        ("//tmp/", "ends with a slash"),
        ("//tmp/..", "has the name '..'"),
        ("//tmp/x/@schema", "has '@'"),
    ],
)
def test_what_is_no_path_is_refused(data: Pipeline, path: str, problem: str) -> None:
    assert f"{path!r} {problem}" in data.refused("table", path)


@pytest.mark.parametrize("arguments", [[], [DATA], [DATA, "--count"]])
def test_prod_is_refused(data: Pipeline, arguments: list[str]) -> None:
    data.configure("mode: prod\nbuild_folder: //home/x")
    said = data.refused("table", *arguments)
    assert "shows dev tables only" in said
    assert "hint: add -o pipeline.mode=dev" in said


def test_the_dev_tables_of_a_prod_pipeline_can_be_shown(data: Pipeline) -> None:
    data.configure("mode: prod\nbuild_folder: //home/x")
    assert table_output(data, DATA, "-n1", "-o", "pipeline.mode=dev") == lines(1)


@pytest.mark.parametrize("options", [["--count"], ["-n", "3"]])
def test_options_for_one_table_need_its_path(data: Pipeline, options: list[str]) -> None:
    assert "need a table's PATH" in data.refused("table", *options)


@pytest.mark.parametrize("options", [["--json"], ["-n", "3"]])
def test_count_goes_with_no_other_option(data: Pipeline, options: list[str]) -> None:
    assert "--count goes with neither" in data.refused("table", DATA, "--count", *options)


def test_a_negative_number_of_rows_is_refused(data: Pipeline) -> None:
    assert "-1 is not in the range" in data.refused("table", DATA, "-n", "-1")


# It only looks


@pytest.mark.parametrize("arguments", [[], ["//tmp/test/input"], ["//tmp/test/input", "--count"], ["--json"]])
def test_nothing_is_written(pipeline: Pipeline, arguments: list[str]) -> None:
    pipeline.write(".dev/input.jsonl", lines(3))
    before = snapshot(pipeline.root)
    pipeline.run("table", *arguments, check=True)
    assert snapshot(pipeline.root) == before
    assert not (pipeline.root / ".build").exists()


def test_no_dev_folder_is_made(pipeline: Pipeline) -> None:
    pipeline.run("table", check=True)
    failed(pipeline, DATA)
    assert not (pipeline.root / ".dev").exists()


def test_a_look_under_a_wrong_path_does_not_claim_the_file(pipeline: Pipeline) -> None:
    pipeline.write(".dev/input.jsonl", lines(1))
    table_output(pipeline, "//wrong/input")
    assert table_output(pipeline, "//tmp/test/input") == lines(1)


def test_code_of_the_pipeline_is_not_run(data: Pipeline) -> None:
    data.write("stages/first/stage.py", "raise SystemExit(7)")
    assert table_output(data, DATA, "--count") == "1234\n"


def test_it_works_from_elsewhere(data: Pipeline) -> None:
    elsewhere = Pipeline(data.root.parent)
    assert elsewhere.run("-C", data.root.name, "table", DATA, "-n1", check=True).stdout == lines(1)
