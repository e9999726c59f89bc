"""`ytbuild run` in dev: stages in their order, operations through the wrappers, outputs whole or not at all."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest

from tests.support import Pipeline, clean_environment

pytestmark = pytest.mark.quick

DOUBLE = """\
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({"key": row["key"], "value": row["value"] * 2}))
"""

GROUP = """\
import itertools, json, sys
for key, rows in itertools.groupby(map(json.loads, sys.stdin), key=lambda row: row["key"]):
    print(json.dumps({"key": key, "values": [row["value"] for row in rows]}))
"""


def put(pipeline: Pipeline, table: str, rows: list[dict[str, Any]]) -> None:
    pipeline.write(f".dev/{table}.jsonl", "".join(json.dumps(row) + "\n" for row in rows))


def get(pipeline: Pipeline, table: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (pipeline.root / f".dev/{table}.jsonl").read_text().splitlines()]


def operation(pipeline: Pipeline, text: str, stage: str = "first") -> None:
    body = "".join(f"    {line}\n" for line in text.splitlines())
    pipeline.write(f"stages/{stage}/config.yaml", f"job: {{factor: 2}}\nclient:\n  operations:\n{body}")


def test_a_map_reads_rows_and_writes_rows(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", DOUBLE)
    put(pipeline, "input", [{"key": "a", "value": 1}, {"key": "b", "value": 2}])
    pipeline.run("run", check=True)
    assert get(pipeline, "output") == [{"key": "a", "value": 2}, {"key": "b", "value": 4}]


def test_jobs_of_a_map_write_their_rows_in_the_order_of_the_input(pipeline: Pipeline) -> None:
    operation(pipeline, "map:\n  input_table: //t/input\n  output_table: //t/output\n  resources: {job_count: 3}")
    rows = [{"key": str(number), "value": number} for number in range(1000)]
    put(pipeline, "input", rows)
    pipeline.run("run", check=True)
    assert get(pipeline, "output") == rows


def test_append_keeps_the_rows_that_were_there(pipeline: Pipeline) -> None:
    operation(pipeline, "map:\n  input_table: //t/input\n  output_table: //t/output\n  append: true")
    put(pipeline, "input", [{"n": 2}])
    pipeline.write(".dev/output.jsonl", '{"n": 1}')
    pipeline.run("run", check=True)
    assert get(pipeline, "output") == [{"n": 1}, {"n": 2}]


def test_map_reduce_groups_sorted_rows(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", DOUBLE)
    pipeline.write("stages/first/src/reducer.py", GROUP)
    operation(
        pipeline,
        "map_reduce:\n  input_table: //t/input\n  output_table: //t/output\n"
        "  reduce_by: key\n  sort_by: [key, value]\n  map_job_count: 2",
    )
    put(pipeline, "input", [{"key": key, "value": value} for key, value in [("b", 3), ("a", 2), ("b", 1)]])
    pipeline.run("run", check=True)
    assert get(pipeline, "output") == [{"key": "a", "values": [4]}, {"key": "b", "values": [2, 6]}]


def test_a_stage_with_only_a_reducer_reduces(pipeline: Pipeline) -> None:
    (pipeline.root / "stages/first/src/mapper.py").unlink()
    pipeline.write("stages/first/src/reducer.py", GROUP)
    operation(pipeline, "reduce:\n  input_table: //t/input\n  output_table: //t/output\n  reduce_by: [key]")
    put(pipeline, "input", [{"key": 10, "value": 0}, {"key": 9, "value": 1}, {"key": -1, "value": 2}])
    pipeline.run("run", check=True)
    assert [row["key"] for row in get(pipeline, "output")] == [-1, 9, 10]


def test_sort_sorts_in_place(pipeline: Pipeline) -> None:
    operation(pipeline, "sort:\n  input_table: //t/input\n  sort_by: [n]")
    put(pipeline, "input", [{"n": 2}, {"n": None}, {"n": -1}])
    pipeline.run("run", check=True)
    assert get(pipeline, "input") == [{"n": None}, {"n": -1}, {"n": 2}]


def test_vanilla_output_goes_to_the_log(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/vanilla.py", "import sys\nprint('said', sys.stdin.read() == '')\n")
    operation(pipeline, "vanilla: {}")
    result = pipeline.run("run", check=True)
    assert (pipeline.root / ".dev/first.vanilla.log").read_text() == "said True\n"
    assert result.stdout == ""


def test_operations_run_in_the_order_of_the_file(pipeline: Pipeline) -> None:
    operation(
        pipeline,
        "late:\n  kind: map\n  input_table: //t/input\n  output_table: //t/middle\n"
        "early:\n  kind: map\n  input_table: //t/middle\n  output_table: //t/output",
    )
    put(pipeline, "input", [{"n": 1}])
    pipeline.run("run", check=True)
    assert get(pipeline, "output") == [{"n": 1}]


def test_a_second_run_gives_the_same_tables_and_says_nothing_when_asked_to_be_quiet(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", DOUBLE)
    pipeline.write("stages/first/src/reducer.py", GROUP)
    pipeline.write("stages/first/src/vanilla.py", "print('said')\n")
    operation(
        pipeline,
        "map: {input_table: //t/input, output_table: //t/mapped, resources: {job_count: 2}}\n"
        "sort: {input_table: //t/mapped, sort_by: [key]}\n"
        "reduce: {input_table: //t/mapped, output_table: //t/reduced, reduce_by: key}\n"
        "map_reduce: {input_table: //t/input, output_table: //t/output, reduce_by: key}\n"
        "vanilla: {}",
    )
    pipeline.configure("mode: dev", "[given, first]")
    pipeline.write("stages/given/config.yaml", "job: {}\n")
    pipeline.write(
        "stages/given/stage.py",
        "from ytbuild import BaseStage\nclass Stage(BaseStage):\n    def run(self, debug):\n"
        "        rows = [{'key': key, 'value': value} for value, key in enumerate('bab')]\n"
        "        self.deps.yt_client.write_table('//t/input', rows)\n"
        "        self.logger.info('wrote rows')\n",
    )
    tables = []
    for _ in range(2):
        result = pipeline.run("run", "--strict", "-q")
        assert (result.returncode, result.stdout, result.stderr) == (0, "", "")
        tables.append({path.name: path.read_text() for path in pipeline.root.glob(".dev/*.jsonl")})
    assert tables[0] == tables[1] and len(tables[0]) == 4


def test_job_code_finds_its_stages_configuration(pipeline: Pipeline) -> None:
    pipeline.write(
        "stages/first/src/vanilla.py",
        "from ytjobs.config import get_config_path\nimport os\n"
        "print(os.path.isabs(get_config_path()), open(get_config_path()).read().count('factor'))\n",
    )
    operation(pipeline, "vanilla: {}")
    pipeline.run("run", check=True)
    assert (pipeline.root / ".dev/first.vanilla.log").read_text() == "True 1\n"


def test_stages_hand_on_what_run_returns(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev", "[first, second]")
    code = "from ytbuild import BaseStage\nclass Stage(BaseStage):\n    def run(self, debug):\n        "
    pipeline.write("stages/first/stage.py", code + "return debug | {'seen': self.config.job.factor}\n")
    pipeline.write("stages/second/config.yaml", "job: {}\n")
    pipeline.write("stages/second/stage.py", code + "self.deps.yt_client.write_table('//t/handed', [dict(debug)])\n")
    pipeline.run("run", check=True)
    assert get(pipeline, "handed") == [{"seen": 2}]


def test_only_the_named_stages_run(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev", "[first, second]")
    pipeline.write("stages/second/config.yaml", "client: {operations: {vanilla: {}}}\n")
    pipeline.write("stages/second/src/vanilla.py", "print('ran')\n")
    pipeline.run("run", "second", check=True)
    assert (pipeline.root / ".dev/second.vanilla.log").exists()
    assert not (pipeline.root / ".dev/output.jsonl").exists()


def test_an_unknown_stage_is_refused_before_anything_is_built(pipeline: Pipeline) -> None:
    assert "did you mean 'first'?" in pipeline.refused("run", "frist")


@pytest.mark.parametrize(
    ("block", "complaint"),
    [
        ("map:\n  output_table: //t/output", "client.operations.map.input_table is missing"),
        ("work:\n  input_table: //t/a", "client.operations.work.kind is missing"),
        ("vanilla: {}", "has no script for its leg vanilla"),
        ("reduce:\n  input_table: //t/a\n  output_table: //t/b", "client.operations.reduce.reduce_by is missing"),
        ("map:\n  input_table: //t/a\n  output_table: //t/b\n  secrets: [NOPE]", "the secret NOPE has no value"),
    ],
)
def test_what_cannot_run_is_refused_before_anything_is_built(pipeline: Pipeline, block: str, complaint: str) -> None:
    pipeline.write("stages/first/src/reducer.py", GROUP)
    operation(pipeline, block)
    assert complaint in pipeline.refused("run")


def test_sort_by_that_does_not_begin_with_reduce_by_is_refused(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/reducer.py", GROUP)
    operation(
        pipeline, "reduce:\n  input_table: //t/a\n  output_table: //t/b\n  reduce_by: key\n  sort_by: [value, key]"
    )
    assert "does not begin with reduce_by" in pipeline.refused("run")


def test_a_failed_job_fails_the_run_with_the_end_of_its_stderr(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", "import sys\nsys.exit('out of luck')\n")
    put(pipeline, "input", [{"n": 1}])
    result = pipeline.run("run")
    assert result.returncode == 1
    assert "exited with code 1" in result.stderr and "out of luck" in result.stderr
    assert "Traceback" not in result.stderr


def test_a_failed_operation_leaves_the_table_as_it_was(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", "print('{}')\nraise SystemExit(3)\n")
    put(pipeline, "input", [{"n": 1}])
    put(pipeline, "output", [{"old": True}])
    assert pipeline.run("run").returncode == 1
    assert get(pipeline, "output") == [{"old": True}]


@pytest.mark.parametrize(
    "bad", ["text", "[1]", "3", '{"a": NaN}', '{"a": 1} {"b": 2}', '{"a": 18446744073709551616}']
)
def test_a_line_that_is_no_row_fails_the_operation_and_is_named(pipeline: Pipeline, bad: str) -> None:
    pipeline.write("stages/first/src/mapper.py", f"print('{{}}')\nprint({bad!r})\n")
    put(pipeline, "input", [{"n": 1}])
    result = pipeline.run("run")
    assert result.returncode == 1
    assert "line 2" in result.stderr
    assert not (pipeline.root / ".dev/output.jsonl").exists()


def test_a_failed_jobs_sandbox_is_kept_and_can_be_repeated(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", "import sys\nprint('again', file=sys.stderr)\nsys.exit(5)\n")
    put(pipeline, "input", [{"n": 1}])
    result = pipeline.run("run")
    command = result.stderr.rstrip().splitlines()[-1].strip()
    again = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env={}, check=False)
    assert (again.returncode, again.stderr) == (5, "again\n")


def test_sandboxes_of_jobs_that_succeeded_are_removed(pipeline: Pipeline) -> None:
    put(pipeline, "input", [{"n": 1}])
    pipeline.run("run", check=True)
    assert list((pipeline.root / ".dev/operations").iterdir()) == []


def test_a_deleted_helper_is_gone_in_the_next_run(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/helper.py", "")
    pipeline.write("stages/first/src/mapper.py", "import helper\n")
    put(pipeline, "input", [{"n": 1}])
    pipeline.run("run", check=True)
    (pipeline.root / "stages/first/src/helper.py").unlink()
    result = pipeline.run("run")
    assert result.returncode == 1 and "No module named 'helper'" in result.stderr


def test_a_same_size_edit_between_two_runs_is_seen_by_the_job(pipeline: Pipeline) -> None:
    put(pipeline, "input", [{"n": 1}])
    script = pipeline.write("stages/first/src/mapper.py", "print('{\"version\": 1}')\n")
    times = os.stat(script)
    pipeline.run("run", check=True)
    pipeline.write("stages/first/src/mapper.py", "print('{\"version\": 2}')\n")
    os.utime(script, ns=(times.st_atime_ns, times.st_mtime_ns))
    pipeline.run("run", check=True)
    assert get(pipeline, "output") == [{"version": 2}]


def test_the_jobs_environment_is_not_the_callers(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/vanilla.py", "import os\nprint(sorted(os.environ))\n")
    operation(pipeline, "vanilla:\n  env: {OWN: yes}")
    pipeline.run("run", check=True, CALLERS="x", YT_TOKEN="secret")
    names = (pipeline.root / ".dev/first.vanilla.log").read_text()
    assert "'OWN'" in names and "'YT_JOB_INDEX'" in names
    assert "CALLERS" not in names and "YT_TOKEN" not in names


def test_a_job_gets_the_secrets_that_its_operation_names_and_no_other(pipeline: Pipeline) -> None:
    pipeline.write("configs/secrets.env", "WANTED=abc\nOTHER=def\n")
    pipeline.write(
        "stages/first/src/vanilla.py", "import os\nprint(os.environ.get('WANTED'), os.environ.get('OTHER'))\n"
    )
    operation(pipeline, "vanilla:\n  secrets: [WANTED]")
    pipeline.run("run", check=True)
    assert (pipeline.root / ".dev/first.vanilla.log").read_text() == "abc None\n"


def test_a_secret_of_a_failed_job_is_not_written_to_disk(pipeline: Pipeline) -> None:
    pipeline.write("configs/secrets.env", "WANTED=planted-secret\n")
    pipeline.write("stages/first/src/vanilla.py", "raise SystemExit(1)\n")
    operation(pipeline, "vanilla:\n  secrets: [WANTED]")
    result = pipeline.run("run")
    assert result.returncode == 1 and "planted-secret" not in result.stderr
    for folder in (".dev", ".build"):
        for path in (pipeline.root / folder).rglob("*"):
            assert not path.is_file() or b"planted-secret" not in path.read_bytes(), path


def test_two_runs_at_once_are_refused(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/vanilla.py", "import time\ntime.sleep(30)\n")
    operation(pipeline, "vanilla: {}")
    process = start(pipeline)
    try:
        wait_for_sandbox(pipeline)
        result = pipeline.run("run")
        assert result.returncode == 1 and f"process {process.pid}" in result.stderr
    finally:
        process.send_signal(signal.SIGINT)
        process.wait(20)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_an_interrupted_run_ends_its_jobs_and_exits_with_130(pipeline: Pipeline, number: signal.Signals) -> None:
    pipeline.write(
        "stages/first/src/vanilla.py",
        "import os, subprocess, time\nopen(os.environ['PIDS'], 'w').write(str(os.getpid()))\ntime.sleep(60)\n",
    )
    pids = pipeline.root / "pids"
    operation(pipeline, f"vanilla:\n  env: {{PIDS: {pids}}}")
    process = start(pipeline)
    deadline = time.monotonic() + 20
    while not (pids.exists() and pids.read_text()) and time.monotonic() < deadline:
        time.sleep(0.05)
    process.send_signal(number)
    assert process.wait(20) == 130
    with pytest.raises(ProcessLookupError):
        os.kill(int(pids.read_text()), 0)


def start(pipeline: Pipeline) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", "ytbuild", "run"],
        cwd=pipeline.root,
        env=clean_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def wait_for_sandbox(pipeline: Pipeline) -> None:
    deadline = time.monotonic() + 20
    while time.monotonic() < deadline:
        if list(pipeline.root.glob(".dev/operations/*/sandbox.*")):
            return
        time.sleep(0.05)
    raise AssertionError("no job was started")


@pytest.mark.parametrize("name", ["PATH", "PYTHONPATH", "JOB_CONFIG_PATH", "YTBUILD_DEV_SITE", "YT_JOB_INDEX"])
def test_a_variable_that_the_start_of_the_job_sets_cannot_be_set(pipeline: Pipeline, name: str) -> None:
    operation(pipeline, f"map:\n  input_table: //t/a\n  output_table: //t/b\n  env: {{{name}: x}}")
    assert name in pipeline.refused("run")


def test_the_repeat_script_asks_for_secrets_and_knows_the_rest(pipeline: Pipeline) -> None:
    pipeline.write("configs/secrets.env", "WANTED=abc\n")
    pipeline.write(
        "stages/first/src/vanilla.py",
        "import os, sys\nprint(os.environ['WANTED'], repr(os.environ['EMPTY']), os.environ['OWN'])\nsys.exit(1)\n",
    )
    operation(pipeline, "vanilla:\n  secrets: [WANTED]\n  env: {OWN: it's, EMPTY: null}")
    command = pipeline.run("run").stderr.rstrip().splitlines()[-1].strip()
    without = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env={}, check=False)
    assert "WANTED" in without.stderr and "set it to run this job again" in without.stderr
    again = subprocess.run(["bash", "-c", command], capture_output=True, text=True, env={"WANTED": "x"}, check=False)
    assert again.stdout == "x '' it's\n"


def test_a_setting_that_dev_takes_no_notice_of_is_said(pipeline: Pipeline) -> None:
    operation(pipeline, "map:\n  input_table: //t/input\n  output_table: //t/output\n  input_query: a")
    put(pipeline, "input", [{"n": 1}])
    assert "dev takes no notice of map.input_query" in pipeline.run("run", check=True).stderr


def test_a_line_that_is_no_row_names_its_job(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", "import os\nif os.environ['YT_JOB_INDEX'] == '1':\n    print('x')\n")
    operation(pipeline, "map:\n  input_table: //t/input\n  output_table: //t/output\n  resources: {job_count: 2}")
    put(pipeline, "input", [{"n": 1}, {"n": 2}])
    assert "job 1 of map wrote to stdout: line 1 is no row: 'x'" in pipeline.run("run").stderr


def test_sorting_a_table_with_a_line_that_is_no_row_names_the_line(pipeline: Pipeline) -> None:
    operation(pipeline, "sort:\n  input_table: //t/input\n  sort_by: [n]")
    pipeline.write(".dev/input.jsonl", '{"n": 1}\noops\n')
    result = pipeline.run("run")
    assert result.returncode == 1 and "'oops'" in result.stderr and "Traceback" not in result.stderr
