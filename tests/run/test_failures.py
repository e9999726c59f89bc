"""Jobs that fail: started again, out of time, killed; and how they can be repeated."""

from __future__ import annotations

import subprocess
import sys
import time

import pytest

from tests.run.stages import alive, code, failed, get, log, operation, pids, put, ran, until
from tests.support import Pipeline, clean_environment

FLAKY = """\
import os, sys
rows = sys.stdin.read()
place = os.environ["PLACE"] + "/tried." + os.environ["YT_JOB_INDEX"]
tries = len(open(place).read()) if os.path.exists(place) else 0
open(place, "a").write("x")
print("try", tries, "from row", os.environ.get("YT_START_ROW_INDEX"), file=sys.stderr)
fails = os.environ["YT_JOB_INDEX"] == "1" and tries < int(os.environ["FAILURES"])
sys.stdout.write(rows.splitlines(True)[0] if fails else rows)
sys.exit(fails)
"""


def flaky(pipeline: Pipeline, failures: int, allowed: int, script: str = "mapper.py", block: str = "map") -> None:
    """Make job 1 of 3 fail so many times."""
    pipeline.write(f"stages/first/src/{script}", FLAKY)
    operation(
        pipeline,
        f"{block}:\n  input_table: //t/input\n  output_table: //t/output\n  max_failed_job_count: {allowed}\n"
        f"  env: {{PLACE: {pipeline.root}, FAILURES: '{failures}'}}\n  resources: {{job_count: 3}}",
    )
    put(pipeline, "input", ROWS)


ROWS = [{"n": number} for number in range(30)]


def test_a_failed_job_is_started_again_and_no_row_is_lost_or_doubled(pipeline: Pipeline) -> None:
    flaky(pipeline, 2, 3)
    said = ran(pipeline)
    assert get(pipeline, "output") == ROWS
    assert "job 1 of map exited with code 1; started again (failed jobs: 1, allowed: 2)" in said
    assert "started again (failed jobs: 2, allowed: 2)" in said


def test_a_job_that_is_started_again_gets_its_range_again(pipeline: Pipeline) -> None:
    flaky(pipeline, 1, 2)
    ran(pipeline)
    assert log(pipeline, "first.map.1") == "try 0 from row 11\n"
    assert log(pipeline, "first.map.1.retry1") == "try 1 from row 11\n"


def test_jobs_that_did_not_fail_are_not_started_again(pipeline: Pipeline) -> None:
    flaky(pipeline, 1, 2)
    ran(pipeline)
    assert [(pipeline.root / f"tried.{index}").read_text() for index in range(3)] == ["x", "xx", "x"]


@pytest.mark.parametrize("allowed", [1, 2])
def test_as_many_failures_as_the_limit_fail_the_operation(pipeline: Pipeline, allowed: int) -> None:
    flaky(pipeline, allowed, allowed)
    put(pipeline, "output", [{"old": True}])
    assert "exited with code 1" in failed(pipeline)
    assert get(pipeline, "output") == [{"old": True}]


def test_a_vanilla_job_is_started_again(pipeline: Pipeline) -> None:
    pipeline.write(
        "stages/first/src/vanilla.py",
        f"import os, sys\nplace = {str(pipeline.root / 'tried')!r}\nseen = os.path.exists(place)\n"
        "open(place, 'w')\nsys.exit(not seen)\n",
    )
    operation(pipeline, "vanilla: {max_failed_job_count: 2}")
    assert "started again" in ran(pipeline)


def test_a_reducer_is_started_again_with_all_its_rows(pipeline: Pipeline) -> None:
    (pipeline.root / "stages/first/src/mapper.py").unlink()
    flaky(pipeline, 1, 2, "reducer.py", "reduce")
    text = (pipeline.root / "stages/first/config.yaml").read_text()
    pipeline.write("stages/first/config.yaml", text.replace("max_failed", "reduce_by: n\n      max_failed"))
    pipeline.write("stages/first/src/reducer.py", FLAKY.replace('== "1"', '== "0"'))
    ran(pipeline)
    assert get(pipeline, "output") == ROWS


def test_the_other_jobs_end_when_the_operation_fails(pipeline: Pipeline) -> None:
    file = pipeline.root / "pids"
    pipeline.write(
        "stages/first/src/vanilla.py",
        f"import os, sys, time\nindex = os.environ['YT_JOB_INDEX']\nif index == '0':\n"
        f"    open({str(file)!r}, 'w').write(str(os.getpid()))\n    time.sleep(60)\n"
        f"while not os.path.exists({str(file)!r}) or not open({str(file)!r}).read():\n    time.sleep(0.02)\n"
        "sys.exit(1)\n",
    )
    operation(pipeline, "vanilla: {resources: {job_count: 2}}")
    said = failed(pipeline)
    assert "job 1 of vanilla exited with code 1" in said and "job 0" not in said
    until(lambda: not alive(pids(file)[0]), 3)


@pytest.mark.parametrize(("number", "name"), [(9, "SIGKILL"), (11, "SIGSEGV")])
def test_a_job_that_is_killed_is_a_failed_one(pipeline: Pipeline, number: int, name: str) -> None:
    pipeline.write(
        "stages/first/src/mapper.py", f"import os\nprint('{{}}', flush=True)\nos.kill(os.getpid(), {number})\n"
    )
    put(pipeline, "input", ROWS)
    assert f"was killed by {name}" in failed(pipeline)
    assert not (pipeline.root / ".dev/output.jsonl").exists()


def test_a_job_that_fails_is_a_failed_one_although_whoever_started_ytbuild_ignores_sigchld(
    pipeline: Pipeline,
) -> None:
    pipeline.write("stages/first/src/mapper.py", "print('{}', flush=True)\nraise SystemExit(1)\n")
    put(pipeline, "input", ROWS)
    command = ["bash", "-c", "trap '' CHLD; exec \"$0\" -m ytbuild run", sys.executable]
    done = subprocess.run(command, cwd=pipeline.root, env=clean_environment(), capture_output=True, text=True)
    assert done.returncode == 1 and "exited with code 1" in done.stderr
    assert not (pipeline.root / ".dev/output.jsonl").exists()


@pytest.mark.parametrize("exit_code", [0, 1])
def test_stage_code_that_ignores_sigchld_changes_nothing(pipeline: Pipeline, exit_code: int) -> None:
    pipeline.write("stages/first/src/vanilla.py", f"raise SystemExit({exit_code})\n")
    operation(pipeline, "vanilla: {}")
    code(
        pipeline,
        "import signal\nsignal.signal(signal.SIGCHLD, signal.SIG_IGN)\nrun_vanilla(self.context, blocks.vanilla)",
    )
    result = pipeline.run("run")
    assert (result.returncode, "exited with code 1" in result.stderr) == (exit_code, exit_code == 1), result.stderr


@pytest.mark.parametrize(
    ("end", "how"),
    [
        ("sys.exit(3)", "exited with code 3"),
        ("os.kill(os.getpid(), 9)", "was killed by SIGKILL"),
        ("time.sleep(60)", "ran longer than its job_time_limit"),
    ],
)
def test_a_job_that_ends_badly_within_a_row_is_told_of_by_how_it_ended(
    pipeline: Pipeline, end: str, how: str
) -> None:
    job = f"import os, sys, time\nsys.stdout.write('{{}}\\n{{\"cut\": ')\nsys.stdout.flush()\n{end}\n"
    limited(pipeline, "job_time_limit: 1000", job)
    assert how in failed(pipeline)


def limited(pipeline: Pipeline, limit: str, job: str) -> None:
    pipeline.write("stages/first/src/mapper.py", job)
    operation(pipeline, f"map:\n  input_table: //t/input\n  output_table: //t/output\n  {limit}")
    put(pipeline, "input", ROWS)


SLEEP = "import time\nprint('{}', flush=True)\ntime.sleep(60)\n"


def test_a_job_that_runs_too_long_fails(pipeline: Pipeline) -> None:
    limited(pipeline, "job_time_limit: 1000", SLEEP)
    begin = time.monotonic()
    assert "ran longer than its job_time_limit, 1s" in failed(pipeline)
    assert time.monotonic() - begin < 10


def test_a_job_that_ran_too_long_is_started_again_while_the_limit_allows(pipeline: Pipeline) -> None:
    job = "import os, sys, time\nseen = os.path.exists(os.environ['PLACE'])\nopen(os.environ['PLACE'], 'w')\n"
    limited(
        pipeline,
        f"job_time_limit: 1000\n  max_failed_job_count: 2\n  env: {{PLACE: {pipeline.root}/seen}}",
        job + "sys.stdout.write(sys.stdin.read())\nsys.stdout.flush()\ntime.sleep(0 if seen else 60)\n",
    )
    assert "ran longer than its job_time_limit, 1s; started again" in ran(pipeline)
    assert get(pipeline, "output") == ROWS


def test_an_operation_that_runs_too_long_fails_and_its_jobs_end(pipeline: Pipeline) -> None:
    file = pipeline.root / "pids"
    limited(pipeline, "time_limit: 500", f"import os\nopen({str(file)!r}, 'w').write(str(os.getpid()))\n" + SLEEP)
    assert "ran longer than its time_limit, 0.5s" in failed(pipeline)
    assert not alive(pids(file)[0]) and not (pipeline.root / ".dev/output.jsonl").exists()


def test_limits_that_are_long_enough_change_nothing(pipeline: Pipeline) -> None:
    limited(pipeline, "time_limit: 60000\n  job_time_limit: 60000", "print('{}')\n")
    ran(pipeline)
    assert get(pipeline, "output") == [{}]


@pytest.mark.parametrize(
    ("key", "value"), [("time_limit", "0"), ("job_time_limit", "1.5"), ("max_failed_job_count", "true")]
)
def test_a_limit_that_is_no_whole_number_above_zero_is_refused(pipeline: Pipeline, key: str, value: str) -> None:
    limited(pipeline, f"{key}: {value}", SLEEP)
    assert f"client.operations.map.{key} is" in pipeline.refused("run")


@pytest.mark.parametrize("code", [0, 1])
def test_a_job_may_say_a_lot_on_stderr(pipeline: Pipeline, code: int) -> None:
    pipeline.write(
        "stages/first/src/mapper.py",
        "import sys\nfor number in range(100000):\n    print('x' * 99, number, file=sys.stderr)\n"
        f"print('the last word', file=sys.stderr)\nprint('{{}}')\nsys.exit({code})\n",
    )
    put(pipeline, "input", ROWS)
    result = pipeline.run("run")
    assert result.returncode == code and len(log(pipeline, "first.map")) > 10_000_000
    assert ("the last word" in result.stderr) == bool(code) and len(result.stderr) < 30_000


def test_what_a_job_says_cannot_write_to_the_terminal(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/mapper.py", "import sys\nsys.exit('a\\x1b]0;title\\x07b\\x9bc\\rd')\n")
    put(pipeline, "input", ROWS)
    said = failed(pipeline)
    assert not {"\x1b", "\x07", "\x9b", "\r"} & set(said)


def repeated(said: str) -> subprocess.CompletedProcess[str]:
    """Run the command that a failed run offers."""
    command = said.rstrip().splitlines()[-1].strip()
    return subprocess.run(["bash", "-c", command], capture_output=True, text=True, env={}, cwd="/", check=False)


def test_a_failed_job_is_repeated_on_its_own_range(pipeline: Pipeline) -> None:
    pipeline.write(
        "stages/first/src/mapper.py",
        "import os, sys\nsys.stdout.write(sys.stdin.read())\n"
        "print(os.environ['YT_START_ROW_INDEX'], file=sys.stderr)\n"
        "sys.exit(int(os.environ['YT_JOB_INDEX']) * 7)\n",
    )
    operation(pipeline, "map:\n  input_table: //t/input\n  output_table: //t/output\n  resources: {job_count: 2}")
    put(pipeline, "input", [{"n": 1}, {"n": 2}, {"n": 3}, {"n": 4}])
    again = repeated(failed(pipeline))
    assert (again.returncode, again.stdout, again.stderr) == (7, '{"n": 3}\n{"n": 4}\n', "2\n")


def test_a_failed_reducer_is_repeated_on_its_sorted_rows(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/reducer.py", "import sys\nsys.stdout.write(sys.stdin.read())\nsys.exit(7)\n")
    operation(pipeline, "map_reduce:\n  input_table: //t/input\n  output_table: //t/output\n  reduce_by: n")
    put(pipeline, "input", [{"n": 2}, {"n": 1}])
    again = repeated(failed(pipeline))
    assert (again.returncode, again.stdout) == (7, '{"n": 1}\n{"n": 2}\n')


def test_a_job_is_repeated_with_its_own_variables(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/src/vanilla.py", "import os, sys\nprint(os.environ['ODD'])\nsys.exit(7)\n")
    operation(pipeline, 'vanilla:\n  env: {ODD: "a \'b\' $HOME `ls`\\n\\"c\\" é"}')
    again = repeated(failed(pipeline))
    assert (again.returncode, again.stdout) == (7, "a 'b' $HOME `ls`\n\"c\" é\n")
    assert again.stdout == log(pipeline, "first.vanilla")


def test_the_repeat_script_of_a_kept_sandbox_gives_the_jobs_rows(pipeline: Pipeline) -> None:
    put(pipeline, "input", [{"n": 1}])
    ran(pipeline, "--keep-sandboxes")
    script = next(pipeline.root.glob(".dev/operations/*/*.repeat.sh"))
    with open(pipeline.root / ".dev/input.jsonl") as rows:
        again = subprocess.run([script], stdin=rows, capture_output=True, text=True, env={}, check=False)
    assert (again.returncode, again.stdout) == (0, '{"n": 1}\n')
