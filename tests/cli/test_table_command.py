"""`ytbuild table PATH`: the rows of a dev table, their number, and all that as JSON."""

from __future__ import annotations

import json
import os
import pty
import shlex
import subprocess
import sys

import pytest

from tests.cli.tables import DATA, failed, lines, store, table_output, with_data
from tests.support import Pipeline, clean_environment


@pytest.fixture
def data(pipeline: Pipeline) -> Pipeline:
    """A pipeline with a table of 1,234 rows."""
    return with_data(pipeline)


def shown_on_a_terminal(pipeline: Pipeline, *arguments: str) -> str:
    """Return what the command prints on stdout when that is a terminal."""
    main, side = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "ytbuild", "table", *arguments],
        cwd=pipeline.root,
        env=clean_environment(),
        stdout=side,
        stderr=subprocess.DEVNULL,
    )
    assert process.wait() == 0
    os.close(side)
    output = os.read(main, 65536)
    os.close(main)
    return output.decode().replace("\r\n", "\n")


# Rows


def test_the_first_ten_rows_are_shown(data: Pipeline) -> None:
    assert table_output(data, DATA) == lines(10)


@pytest.mark.parametrize("option", ["-n3", "-n 3", "--head 3", "--head=3"])
def test_as_many_rows_as_asked_for_are_shown(data: Pipeline, option: str) -> None:
    assert table_output(data, DATA, *option.split()) == lines(3)


def test_no_rows_are_shown_when_none_are_asked_for(data: Pipeline) -> None:
    assert table_output(data, DATA, "-n", "0") == ""


def test_all_rows_are_shown_when_there_are_fewer(data: Pipeline) -> None:
    assert table_output(data, DATA, "-n", "5000") == lines(1234)


def test_the_summary_has_rows_file_and_size(data: Pipeline) -> None:
    said = data.run("table", DATA).stderr
    assert said == f"10 of 1,234 rows of {DATA} (.dev/data.jsonl, 12.2 KiB)\n"


def test_the_summary_counts_what_was_shown(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl", lines(1))
    assert pipeline.run("table", DATA).stderr == f"1 of 1 row of {DATA} (.dev/data.jsonl, 8 B)\n"


def test_a_quiet_command_has_no_summary(data: Pipeline) -> None:
    assert data.run("table", DATA, "-q", check=True).stderr == ""


def test_an_empty_table_is_no_error(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl")
    result = pipeline.run("table", DATA, check=True)
    assert (result.stdout, result.stderr) == ("", f"0 of 0 rows of {DATA} (.dev/data.jsonl, 0 B)\n")


def test_rows_are_printed_compact_and_in_utf_8(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl", '{"имя": "\\u00e9\\n", "x": [1.5, null, {"big": 18446744073709551615}]}')
    expected = '{"имя":"é\\n","x":[1.5,null,{"big":18446744073709551615}]}\n'
    assert pipeline.run("table", DATA, check=True, LC_ALL="C").stdout == expected


def test_half_a_surrogate_pair_is_printed_as_an_escape(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl", '{"x":"\\ud800"}\n')
    assert table_output(pipeline, DATA) == '{"x":"\\ud800"}\n'


@pytest.mark.parametrize("char", ["\x7f", "\x85", "\x9b", "\u2028", "\u202e", "\u2066"])
def test_a_row_cannot_write_to_a_terminal(pipeline: Pipeline, char: str) -> None:
    pipeline.write(".dev/data.jsonl", f'{{"a{char}":"é{char}"}}\n')
    escape = f"\\u{ord(char):04x}"
    assert shown_on_a_terminal(pipeline, DATA) == f'{{"a{escape}":"é{escape}"}}\n'


def test_the_escapes_of_a_terminal_are_still_the_row(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl", '{"a":"\\u001b[31m\\u0007\x9b"}\n')
    assert json.loads(shown_on_a_terminal(pipeline, DATA)) == {"a": "\x1b[31m\x07\x9b"}


def test_a_file_gets_the_characters_as_they_are(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl", '{"a":"\x7f\x9b\u202e"}\n')
    assert table_output(pipeline, DATA) == '{"a":"\x7f\x9b\u202e"}\n'


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("[1]", "'[1]' (not a JSON object)"),
        ("1", "'1' (not a JSON object)"),
        ("null", "'null' (not a JSON object)"),
        ("", "'' (not JSON: "),
        ('{"n":', "'{\"n\":' (not JSON: "),
        ('{"n":NaN}', "'{\"n\":NaN}' (not JSON: NaN is no finite number)"),
        ('{"n":1e999}', "'{\"n\":1e999}' (not JSON: 1e999 is no finite number)"),
        ("[" * 100_000, f"'{'[' * 120}' (nested too deeply)"),
    ],
)
def test_a_line_that_is_no_row_is_an_error(pipeline: Pipeline, line: str, problem: str) -> None:
    pipeline.write(".dev/data.jsonl", f"{lines(1)}{line}\n")
    assert f"error: {DATA}: line 2 is no row: {problem}" in failed(pipeline, DATA)


def test_a_line_that_is_not_shown_is_not_looked_at(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl", f"{lines(1)}x\n")
    assert table_output(pipeline, DATA, "-n", "1") == lines(1)


def test_two_tables_with_one_last_component_are_two(data: Pipeline) -> None:
    store(data).write("//tmp/y/data", [{"other": True}])
    assert table_output(data, "//tmp/y/data") == '{"other":true}\n'
    assert table_output(data, DATA, "-n", "1") == lines(1)


# Counts


def test_count_prints_the_number_and_nothing_else(data: Pipeline) -> None:
    result = data.run("table", DATA, "--count", check=True)
    assert (result.stdout, result.stderr) == ("1234\n", "")


def test_a_last_line_without_an_end_counts(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl", '{"n":1}\n{"n":2}')
    assert table_output(pipeline, DATA, "--count") == "2\n"


def test_a_large_table_needs_little_memory(pipeline: Pipeline) -> None:
    block = b'{"n":1}\n' * (1 << 17)
    with open(pipeline.write(".dev/data.jsonl"), "wb") as file:
        for _ in range(300):
            file.write(block)
    command = shlex.join([sys.executable, "-m", "ytbuild", "table", DATA, "-n1"])
    result = subprocess.run(
        ["bash", "-c", f"ulimit -d 200000 && exec {command}"],
        cwd=pipeline.root,
        env=clean_environment(),
        capture_output=True,
        text=True,
    )
    assert result.stdout == '{"n":1}\n', result.stderr
    assert result.stderr == f"1 of 39,321,600 rows of {DATA} (.dev/data.jsonl, 300.0 MiB)\n"


# JSON


def test_json_has_all_there_is_to_know(data: Pipeline) -> None:
    file = data.root / ".dev/data.jsonl"
    assert json.loads(table_output(data, DATA, "--json", "-n2")) == {
        "format_version": "1.0",
        "table": DATA,
        "file": str(file.resolve()),
        "rows": 1234,
        "size": file.stat().st_size,
        "columns": ["n"],
        "head": [{"n": 0}, {"n": 1}],
    }


def test_the_columns_of_json_are_those_of_the_rows_shown(pipeline: Pipeline) -> None:
    pipeline.write(".dev/data.jsonl", '{"b":1,"_a":2}\n{"c":3,"b":4}\n{"d":5}\n')
    assert json.loads(table_output(pipeline, DATA, "--json", "-n2"))["columns"] == ["b", "_a", "c"]


def test_json_shows_ten_rows_unless_asked(data: Pipeline) -> None:
    assert len(json.loads(table_output(data, DATA, "--json"))["head"]) == 10


# Endings


def test_output_closed_early_is_no_traceback(data: Pipeline) -> None:
    command = f"{sys.executable} -m ytbuild table {DATA} -q -n 1000000 | head -1"
    result = subprocess.run(
        ["bash", "-c", command], cwd=data.root, env=clean_environment(), capture_output=True, text=True
    )
    assert (result.stdout, result.stderr) == (lines(1), "")
