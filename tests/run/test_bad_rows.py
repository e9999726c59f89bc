"""Jobs whose output is no table: the operation fails, names the line, and publishes nothing."""

from __future__ import annotations

import time

import pytest

from tests.run.stages import failed, get, operation, put, ran
from tests.support import Pipeline

TABLES = "  input_table: //t/input\n  output_table: //t/output\n"


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A map over one row, with an output table from before."""
    put(pipeline, "input", [{"n": 1}])
    put(pipeline, "output", [{"old": True}])
    return pipeline


def writes(pipeline: Pipeline, data: bytes, script: str = "mapper.py") -> None:
    pipeline.write(f"stages/first/src/{script}", f"import sys\nsys.stdout.buffer.write({data!r})\n")


@pytest.mark.parametrize("bad", [b'{"a":"\xff"}\n', b'{"a":%d}\n' % 2**64, b'{"a":\n1}{"b":2}\n', b"\n", b'{"a"'])
def test_a_bad_line_fails_the_operation_and_leaves_the_table(prepared: Pipeline, bad: bytes) -> None:
    writes(prepared, b"{}\n" * 3 + bad)
    assert "line 4" in failed(prepared)
    assert get(prepared, "output") == [{"old": True}]


def test_a_bad_line_of_a_reducer_fails_the_operation(prepared: Pipeline) -> None:
    writes(prepared, b"{}\noops\n", "reducer.py")
    operation(prepared, "map_reduce:\n" + TABLES + "  reduce_by: n")
    said = failed(prepared)
    assert "map_reduce_reducer" in said and "line 2" in said
    assert get(prepared, "output") == [{"old": True}]


def test_a_bad_line_of_a_mapper_stops_before_the_reducer(prepared: Pipeline) -> None:
    writes(prepared, b"oops\n")
    prepared.write("stages/first/src/reducer.py", f"open({str(prepared.root / 'reduced')!r}, 'w')\n")
    operation(prepared, "map_reduce:\n" + TABLES + "  reduce_by: n")
    assert "map_reduce_mapper" in failed(prepared)
    assert not (prepared.root / "reduced").exists()


def test_a_bad_line_is_a_failed_job_that_may_be_started_again(prepared: Pipeline) -> None:
    place = str(prepared.root / "tried")
    prepared.write(
        "stages/first/src/mapper.py",
        f"import os\nseen = os.path.exists({place!r})\nopen({place!r}, 'w')\nprint('{{}}' if seen else 'oops')\n",
    )
    operation(prepared, "map:\n" + TABLES + "  max_failed_job_count: 2")
    assert "'oops'" in ran(prepared)
    assert get(prepared, "output") == [{}]


def test_a_bad_line_after_many_good_ones_has_the_right_number(prepared: Pipeline) -> None:
    writes(prepared, b'{"n":1}\n')
    prepared.write(
        "stages/first/src/mapper.py",
        "for number in range(100000):\n    print('{\"n\": %d}' % number)\nprint('oops')\n",
    )
    assert "line 100001 is no row: 'oops'" in failed(prepared)


@pytest.mark.parametrize("length", [1025, 3_000_000])
def test_a_row_over_the_configured_weight_fails_the_operation(prepared: Pipeline, length: int) -> None:
    writes(prepared, b'{}\n{"a":"')
    prepared.write(
        "stages/first/src/mapper.py", f"print('{{}}')\nprint('{{\"a\":\"' + 'x' * {length - 8} + '\"}}')\n"
    )
    operation(prepared, "map:\n" + TABLES + "  max_row_weight: 1K")
    assert "line 2 is longer than max_row_weight, 1,024 bytes" in failed(prepared)


def test_a_row_of_the_configured_weight_passes(prepared: Pipeline) -> None:
    writes(prepared, b'{"a":"%s"}\n' % (b"x" * (1024 - 8)))
    operation(prepared, "map:\n" + TABLES + "  max_row_weight: 1K")
    ran(prepared)
    assert len(get(prepared, "output")[0]["a"]) == 1016


@pytest.mark.parametrize("weight", ["256M", "134217729"])
def test_a_weight_that_the_cluster_would_refuse_is_refused(prepared: Pipeline, weight: str) -> None:
    operation(prepared, "map:\n" + TABLES + f"  max_row_weight: {weight}")
    assert "max_row_weight" in prepared.refused("run")


def test_a_last_line_without_an_end_is_a_row(prepared: Pipeline) -> None:
    writes(prepared, b'{"a":1}\n{"a":2}')
    operation(prepared, "map:\n" + TABLES + "  append: true")
    ran(prepared)
    ran(prepared)
    assert get(prepared, "output") == [{"old": True}, {"a": 1}, {"a": 2}, {"a": 1}, {"a": 2}]


BACKGROUND = """\
import subprocess
print('{"good": 1}', flush=True)
subprocess.Popen(["bash", "-c", "sleep %s; echo oops"], start_new_session=%s)
"""


@pytest.mark.parametrize("own_session", [False, True])
def test_what_a_job_leaves_running_cannot_write_to_the_table(prepared: Pipeline, own_session: bool) -> None:
    prepared.write("stages/first/src/mapper.py", BACKGROUND % (0.5, own_session))
    ran(prepared)
    time.sleep(0.7)
    assert get(prepared, "output") == [{"good": 1}]


def test_what_a_background_process_writes_while_the_job_runs_is_its_output(prepared: Pipeline) -> None:
    prepared.write("stages/first/src/mapper.py", BACKGROUND % (0, False) + "import time\ntime.sleep(0.3)\n")
    assert "line 2 is no row: 'oops'" in failed(prepared)
