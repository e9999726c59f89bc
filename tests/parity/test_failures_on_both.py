"""What fails, on both backends: the same exit code, the cause in words, tables as they were, later stages not run."""

from __future__ import annotations

import json
from collections.abc import Iterator
from concurrent.futures import Future
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.cluster.running import Cluster, RealCluster
from tests.parity.both import Ran, at_once, in_dev, in_prod
from tests.parity.cases import COPY, Case, pipeline_of
from tests.support import Pipeline

BEFORE = [{"v": "as it was"}]
WRITES_BEFORE = f"client.write_table('//x/output', {BEFORE!r})"


@dataclass(frozen=True)
class Failing:
    """An operation that fails: its block without the output, its scripts, and what is said of it on both backends."""

    shown: tuple[str, ...]
    mapper: str = COPY
    block: str = "kind: map, input_table: //x/input"
    reducer: str = ""


def writes(line: str) -> Failing:
    """A mapper whose second line is no row."""
    return Failing((), f"import sys\nsys.stdin.read()\nprint('{{}}')\nprint({line!r})\n")


SLEEP = "import time\ntime.sleep(60)\n"

OPERATIONS = {
    "a mapper that exits with an error shows the end of its stderr": Failing(
        ("line 99", "out of luck"),
        "import sys\nprint('{}')\n"
        "for n in range(100):\n    print('line', n, file=sys.stderr)\nsys.exit('out of luck')\n",
    ),
    "a mapper that raises shows its traceback": Failing(
        ("Traceback", "KeyError: 'no such key'"), "import sys\nsys.stdin.read()\n{}['no such key']\n"
    ),
    "a mapper that is killed": Failing(("signal 9|SIGKILL",), "import os\nos.kill(os.getpid(), 9)\n"),
    "one of several jobs": Failing(
        ("the second job",),
        "import os, sys\nsys.stdout.write(sys.stdin.read())\n"
        "if os.environ['YT_JOB_INDEX'] == '1':\n    sys.exit('the second job')\n",
        "kind: map, input_table: //x/input, resources: {job_count: 3}",
    ),
    "a reducer": Failing(
        ("broken",),
        block="kind: map_reduce, input_table: //x/input, reduce_by: [k]",
        reducer="raise SystemExit('broken')\n",
    ),
    "a line that is no JSON": writes("text"),
    "a line that is no object": writes("[1]"),
    "a line with NaN": writes('{"a": NaN}'),
    "a line with a number that is too large": writes('{"a": 18446744073709551616}'),
    "a line that is cut": writes('{"a": '),
    "a module that is not shipped": Failing(("No module named 'no_such_module'",), "import no_such_module\n"),
    "a table that is not there": Failing(
        ("there is no table", "/missing"), block="kind: map, input_table: //x/missing"
    ),
    "a file that is not there": Failing(
        ("//",), block="kind: map, input_table: //x/input, file_paths: [//x/no/file]"
    ),
    "a job over its time": Failing(("time",), SLEEP, "kind: map, input_table: //x/input, job_time_limit: 1000"),
    "an operation over its time": Failing(
        ("time_limit, 0.5s",), SLEEP, "kind: map, input_table: //x/input, time_limit: 500"
    ),
    "a row over its weight": Failing(
        ("weight|max_row_weight",),
        "import sys\nsys.stdin.read()\nprint('{\"a\": \"%s\"}' % ('x' * 2000000))\n",
        "kind: map, input_table: //x/input, max_row_weight: 1M",
    ),
    "a reduce of a table that nobody sorted": Failing(
        ("sorted",), block="kind: reduce, input_table: //x/input, reduce_by: [k]", reducer=COPY
    ),
    "a reduce of a table that is sorted by other columns": Failing(
        ("sorted",), block="kind: reduce, input_table: //x/sorted, reduce_by: [k]", reducer=COPY
    ),
}

GIVEN = """\
client.write_table('//x/sorted', [{'k': 2, 'v': 1}, {'k': 1, 'v': 2}])
run_sort(self.context, {'input_table': '//x/sorted', 'sort_by': ['v', 'k']})
for number in range(%d):
    client.write_table(f'//x/out{number}', %r)
"""

CODE = """\
import json
for name, block in blocks.items():
    try:
        globals()['run_' + block.kind](self.context, block)
    except YtbuildError as error:
        told = [type(error).__mro__[-5].__name__, error.exit_code, error.message, error.hint]
        print(json.dumps({'block': name, 'told': told}))
"""


def failing_operations() -> Case:
    """All failing operations in one stage, which catches each failure and tells of it on stdout."""
    blocks = ""
    files: dict[str, str] = {}
    for number, failing in enumerate(OPERATIONS.values()):
        scripts = {"mapper_script": failing.mapper, "reducer_script": failing.reducer}
        if not failing.block.startswith("kind: map_reduce"):
            scripts = {"script": failing.reducer or failing.mapper}
        files |= {f"src/{key}{number}.py": text for key, text in scripts.items()}
        named = "".join(f", {key}: {key}{number}.py" for key in scripts)
        blocks += f"o{number}: {{{failing.block}, output_table: //x/out{number}{named}}}\n"
    given = GIVEN % (len(OPERATIONS), BEFORE)
    return Case(blocks, files=files, code=CODE, given=given)


@dataclass(frozen=True)
class Stopping:
    """A run that ends at a stage, with what is said of it on both backends."""

    case: Case
    shown: tuple[str, ...]
    code: int = 1
    last_runs: bool = False


MAP = "map: {input_table: //x/input, output_table: //x/output}"
RUNS = {
    "a declared operation that fails": Stopping(
        Case(MAP, mapper="import sys\nsys.exit('out of luck')\n"), ("first/map (map)", "out of luck")
    ),
    "a requirement that cannot be installed": Stopping(
        Case(MAP, mapper=COPY, files={"requirements.txt": "./no-such-folder\n"}), ("no-such-folder",)
    ),
    "code that raises": Stopping(
        Case(MAP, mapper=COPY, code="raise RuntimeError('the stage gave up')"),
        ("RuntimeError: the stage gave up", "stages/first/stage.py"),
    ),
    "code that uses the client wrongly": Stopping(
        Case(MAP, mapper=COPY, code="client.write_table('//x/output', [{'a': 1}, {'a': {1, 2}}])"),
        ("stages/first/stage.py:", "row 1", "'a'"),
    ),
    "an operation that fails and that nobody waits for": Stopping(
        Case(MAP, code="run_map(self.context, blocks.map, job='echo lost >&2; exit 1', sync=False)"),
        ("first/map (map)", "lost"),
        last_runs=True,
    ),
    "a secret without a value": Stopping(
        Case(f"{MAP[:-1]}, secrets: [NOT_THERE]}}", mapper=COPY), ("the secret NOT_THERE has no value",), code=2
    ),
}


@dataclass(frozen=True)
class Failed:
    """What ran on both backends, its tables below `folder`."""

    folder: str
    dev: Ran
    prod: Ran


def run_both(pipeline: Pipeline, cluster: Cluster | RealCluster, folder: str) -> Failed:
    return Failed(folder, in_dev(pipeline, "--strict"), in_prod(pipeline, cluster, folder))


def stopping_pipeline(case: Case, root: Path, folder: str) -> Pipeline:
    """A pipeline whose second stage is the case, and whose third one tells that it ran."""
    cases = {"first": case, "last": Case("{}", code="self.logger.info('the last stage ran')")}
    return pipeline_of(cases, root, folder)


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, running_cluster: Cluster | RealCluster, folder: str
) -> Iterator[dict[str, Future[Failed]]]:
    """All runs, and one of all operations under the name `operations`."""
    place = tmp_path_factory.mktemp("failures")
    made = {"operations": pipeline_of({"first": failing_operations()}, place / "operations", f"{folder}/operations")}
    for number, (name, stopping) in enumerate(RUNS.items()):
        case = Case(**{**vars(stopping.case), "given": WRITES_BEFORE})
        made[name] = stopping_pipeline(case, place / str(number), f"{folder}/{number}")
    folders = [f"{folder}/operations", *(f"{folder}/{number}" for number in range(len(RUNS)))]
    with at_once() as pool:
        yield {
            name: pool.submit(run_both, pipeline, running_cluster, path)
            for (name, pipeline), path in zip(made.items(), folders, strict=True)
        }


def told(ran: Ran, block: str) -> list[Any]:
    """What a caught failure was: its kind, its exit code, its message and its hint."""
    failures = [json.loads(line) for line in ran.result.stdout.splitlines()]
    assert failures, ran.said
    (own,) = [each["told"] for each in failures if each["block"] == block]
    return list(own)


@pytest.mark.parametrize("name", OPERATIONS)
def test_both_backends_fail_alike(runs: dict[str, Future[Failed]], name: str) -> None:
    """The same kind of error, which says why."""
    failing, block = OPERATIONS[name], f"o{list(OPERATIONS).index(name)}"
    failed = runs["operations"].result()
    in_dev, in_prod = told(failed.dev, block), told(failed.prod, block)
    assert in_prod[:2] == in_dev[:2]
    for _, code, message, hint in (in_dev, in_prod):
        assert (code, bool(hint)) == (1, True)
        for text in failing.shown:
            assert any(one in message for one in text.split("|")), (message, hint)


@pytest.mark.parametrize("name", OPERATIONS)
def test_the_output_is_as_it_was(runs: dict[str, Future[Failed]], name: str) -> None:
    failed = runs["operations"].result()
    path = f"{failed.folder}/first/out{list(OPERATIONS).index(name)}"
    assert (failed.dev.tables[path], failed.prod.tables[path]) == (BEFORE, BEFORE)


def test_a_failure_that_is_caught_does_not_fail_the_run(runs: dict[str, Future[Failed]]) -> None:
    failed = runs["operations"].result()
    for ran in (failed.dev, failed.prod):
        assert ran.result.returncode == 0, ran.said


@pytest.mark.parametrize("name", RUNS)
def test_both_backends_end_alike(runs: dict[str, Future[Failed]], name: str) -> None:
    """One exit code, the cause on the screen, no frame of ytbuild's."""
    for ran in (runs[name].result().dev, runs[name].result().prod):
        assert ran.result.returncode == RUNS[name].code, ran.said
        assert "bug in ytbuild" not in ran.said and "/ytbuild/" not in ran.said, ran.said
        assert "error: " in ran.said and "hint: " in ran.said, ran.said
        assert all(text in ran.said for text in RUNS[name].shown), ran.said


@pytest.mark.parametrize("name", [name for name, stopping in RUNS.items() if stopping.code == 1])
def test_nothing_is_written_and_later_stages_do_not_run(runs: dict[str, Future[Failed]], name: str) -> None:
    failed = runs[name].result()
    for ran in (failed.dev, failed.prod):
        assert ran.tables[f"{failed.folder}/first/output"] == BEFORE
        assert ("the last stage ran" in ran.said) == RUNS[name].last_runs


def test_wrong_configuration_is_refused_before_anything_is_written(runs: dict[str, Future[Failed]]) -> None:
    failed = runs["a secret without a value"].result()
    assert (failed.dev.tables, failed.prod.tables) == ({}, {})
