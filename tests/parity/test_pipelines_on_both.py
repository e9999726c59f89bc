"""Small pipelines, each about one thing, on both backends: the same tables, and those that are expected.

The order of rows counts where it is promised: in a sorted table, and in what a single job wrote.
"""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future

import pytest

from tests.cluster.running import Cluster, RealCluster
from tests.parity.both import Row, check_same
from tests.parity.cases import COPY, DOUBLE, GROUP, TABLES, Both, Case, running

ODD_ROWS: list[Row] = [
    {"text": 'жук 🐞 \u2028 "\\ \t\n \x7f', "empty": "", "имя": "non-ASCII column", "with space": 1},
    {"null": None, "true": True, "false": False},
    {"smallest": -(2**63), "largest": 2**63 - 1, "unsigned": 2**64 - 1, "zero": 0},
    {"float": 0.1, "whole": 1.0, "tiny": 5e-324, "huge": 1.7976931348623157e308, "third": 1 / 3},
    {"list": [1, "x", None, [2.5, []], {"a": {}}], "map": {"ключ": {"b": [True, None]}, "n": 2**64 - 1}},
    {},
]

PYTHON_ROWS = "import json, sys\nfor line in sys.stdin:\n    print(json.dumps(json.loads(line)))\n"

MIXED_KEYS: list[Row] = [
    {"k": key, "v": number} for number, key in enumerate(["b", 2, None, True, 1.5, "a", -1, 2**63, False, "é"])
]
ORDER_OF_KEYS = [None, -1, 2, 2**63, 1.5, False, True, "a", "b", "é"]

NUMBERS: list[Row] = [{"k": str(number % 3), "v": number} for number in range(30)]

FIND_VARIABLES = """\
import json, os, sys
sys.stdin.read()
names = ("PLAIN", "NUMBER", "SHOWN", "NAMED_SECRET", "OTHER_SECRET")
print(json.dumps({name: os.environ.get(name) for name in names}))
"""

FIND_CONFIGURATION = """\
import json, sys
from ytjobs.config import get_config_path
sys.stdin.read()
print(json.dumps({"found": "operations" in open(get_config_path()).read()}))
"""

FAILS_TWICE = """\
import glob, os, sys
mark = os.path.join(os.environ["FOLDER"], "failed." + os.environ.get("YT_OPERATION_ID", "dev"))
times = len(glob.glob(mark + ".*"))
if times < 2:
    open(f"{mark}.{times}", "w").close()
    sys.exit("not yet")
sys.stdout.write(sys.stdin.read())
"""

CLIENT = """\
seen = []
def tried(action):
    try:
        seen.append(action())
    except YtbuildError as error:
        seen.append(type(error).__name__)
client.write_table('//x/output', [{'v': 1}])
client.write_table('//x/output', iter([{'v': 2}]), append=True)
client.write_table('//x/other', [])
seen += [client.row_count('//x/output'), client.row_count('//x/other'), client.exists('//x/no')]
seen += [list(client.iter_table('//x/output')), client.read_table('//x/other')]
client.create_path('//x/folder/deep')
client.create_path('//x/folder/table', 'table')
seen += [client.exists('//x/folder'), client.row_count('//x/folder/table')]
tried(lambda: client.read_table('//x/no'))
tried(lambda: client.remove('//x/no'))
tried(lambda: client.remove('//x/no', force=True))
tried(lambda: client.remove('//x/folder'))
tried(lambda: client.move('//x/output', '//x/other'))
tried(lambda: client.write_table('//x/bad', [{'v': float('nan')}]))
tried(lambda: client.upload_file('no-such-file', '//x/file'))
tried(lambda: client.row_count('//x/folder'))
client.remove('//x/folder', recursive=True)
client.move('//x/output', '//x/moved')
client.move('//x/moved', '//x/other', force=True)
seen += [client.exists(path) for path in ('//x/folder/table', '//x/output', '//x/moved', '//x/other')]
client.move('//x/other', '//x/output')
self.logger.info('%s', seen)
"""

SECRETS = "NAMED_SECRET=wanted-value\nOTHER_SECRET=unwanted-value\n"

CASES: dict[str, Case] = {
    "rows of every kind pass through unchanged": Case(mapper=COPY, rows=ODD_ROWS, expected=ODD_ROWS, ordered=True),
    "rows of every kind survive Python's json": Case(
        mapper=PYTHON_ROWS, rows=ODD_ROWS, expected=ODD_ROWS, ordered=True
    ),
    "append keeps the rows that were there": Case(
        f"map: {{{TABLES}, append: true}}",
        mapper=COPY,
        rows=[{"v": 2}],
        given='client.write_table("//x/output", [{"v": 1}])',
        expected=[{"v": 1}, {"v": 2}],
        ordered=True,
    ),
    "append makes a table that was not there": Case(
        f"map: {{{TABLES}, append: true}}", mapper=COPY, rows=[{"v": 2}], expected=[{"v": 2}]
    ),
    "without append the rows are replaced": Case(
        mapper=COPY,
        rows=[{"v": 2}],
        given='client.write_table("//x/output", [{"v": 1}, {"w": 1}])',
        expected=[{"v": 2}],
    ),
    "several jobs read each row once": Case(
        f"map: {{{TABLES}, resources: {{job_count: 3}}}}",
        mapper=DOUBLE,
        rows=NUMBERS,
        expected=[{**row, "v": row["v"] * 2} for row in NUMBERS],
    ),
    "the table of the input may be that of the output": Case(
        "map: {input_table: //x/output, output_table: //x/output}",
        mapper=DOUBLE,
        given='client.write_table("//x/output", [{"v": 1}, {"v": 2}])',
        expected=[{"v": 2}, {"v": 4}],
    ),
    "map_reduce sorts within a group": Case(
        f"map_reduce: {{{TABLES}, reduce_by: [k], sort_by: [k, v]}}",
        mapper=DOUBLE,
        reducer=GROUP,
        rows=[{"k": "b", "v": 3}, {"k": "a", "v": 2}, {"k": "b", "v": 1}, {"k": "b", "v": -4}],
        expected=[{"k": "a", "values": [4]}, {"k": "b", "values": [-8, 2, 6]}],
    ),
    "several mappers of a map_reduce give each group to one reducer": Case(
        f"map_reduce: {{{TABLES}, reduce_by: [k], sort_by: [k, v], map_job_count: 3}}",
        mapper=COPY,
        reducer=GROUP,
        rows=NUMBERS,
        expected=[{"k": str(key), "values": list(range(key, 30, 3))} for key in range(3)],
    ),
    "a sort orders keys of all types as the cluster does": Case(
        "sort: {input_table: //x/output, sort_by: [k]}",
        rows=[],
        given=f'client.write_table("//x/output", {MIXED_KEYS!r})',
        expected=[next(row for row in MIXED_KEYS if str(row["k"]) == str(key)) for key in ORDER_OF_KEYS],
        ordered=True,
    ),
    "a row without the key is sorted like one with null": Case(
        f"sort: {{input_table: //x/input, sort_by: [k]}}\nmap: {{{TABLES}}}",
        mapper="import json, sys\nfor line in sys.stdin:\n    print(json.dumps({'v': json.loads(line)['v']}))\n",
        rows=[{"k": -5, "v": 3}, {"v": 1}, {"k": "a", "v": 4}, {"k": None, "v": 1}],
        expected=[{"v": 1}, {"v": 1}, {"v": 3}, {"v": 4}],
        ordered=True,
    ),
    "a reduce of a sorted table": Case(
        f"sort: {{input_table: //x/input, sort_by: [k, v]}}\nreduce: {{{TABLES}, reduce_by: [k]}}",
        reducer=GROUP,
        expected=[{"k": "a", "values": [2]}, {"k": "b", "values": [1, 3]}],
        ordered=True,
    ),
    "a sorted table stays sorted for a reduce by fewer columns": Case(
        f"sort: {{input_table: //x/input, sort_by: [k, v]}}\nreduce: {{{TABLES}, reduce_by: [k], sort_by: [k, v]}}",
        reducer=GROUP,
        rows=[{"k": 1, "v": 2}, {"k": 0, "v": 1}, {"k": 1, "v": 1}],
        expected=[{"k": 0, "values": [1]}, {"k": 1, "values": [1, 2]}],
        ordered=True,
    ),
    "an empty input gives an empty output": Case(mapper=COPY, rows=[], expected=[]),
    "a mapper that writes nothing gives an empty output": Case(mapper="import sys\nsys.stdin.read()\n", expected=[]),
    "a mapper that reads nothing may write": Case(mapper="print('{\"v\": 1}')\n", expected=[{"v": 1}]),
    "a mapper of an empty input is never started": Case(mapper="print('{\"v\": 1}')\n", rows=[], expected=[]),
    "a map_reduce of an empty input gives an empty output": Case(
        f"map_reduce: {{{TABLES}, reduce_by: [k]}}",
        mapper=COPY,
        reducer="print('{\"v\": 1}')\n",
        rows=[],
        expected=[],
    ),
    "a script may be named": Case(
        f"other: {{kind: map, {TABLES}, script: deep/other.py}}",
        files={"src/deep/other.py": DOUBLE, "src/mapper.py": "raise SystemExit(1)\n"},
        rows=[{"v": 1}],
        expected=[{"v": 2}],
    ),
    "a job imports what lies beside its script": Case(
        mapper="from helper import work\nwork()\n",
        files={"src/helper.py": "def work():\n    print('{\"helped\": true}')\n"},
        expected=[{"helped": True}],
    ),
    "a job finds its stage's configuration": Case(mapper=FIND_CONFIGURATION, expected=[{"found": True}]),
    "variables and named secrets have their plain names, others are not there": Case(
        f"map: {{{TABLES}, env: {{PLAIN: \"a 'b' $HOME é\", NUMBER: 3, SHOWN: seen}}, secrets: [NAMED_SECRET], "
        "environment_public_keys: [SHOWN]}",
        mapper=FIND_VARIABLES,
        expected=[
            {
                "PLAIN": "a 'b' $HOME é",
                "NUMBER": "3",
                "SHOWN": "seen",
                "NAMED_SECRET": "wanted-value",
                "OTHER_SECRET": None,
            }
        ],
    ),
    "files are there under their names, and what is executable stays so": Case(
        f"map: {{{TABLES}, file_paths: ['//x/files/tool.sh', ['//x/files/tool.sh', it's]]}}",
        mapper="import subprocess\nassert open(\"it's\").read() == open('tool.sh').read()\n"
        "subprocess.run(['./tool.sh'])\n",
        given="import os\n"
        "with open('tool.sh', 'w') as file:\n"
        "    file.write('#!/bin/sh\\necho \\'{\"said\": \"hello\"}\\'\\n')\n"
        "os.chmod('tool.sh', 0o755)\n"
        "client.upload_file('tool.sh', '//x/files/tool.sh', create_parent_dir=True)",
        expected=[{"said": "hello"}],
    ),
    "files of a folder": Case(
        f"map: {{{TABLES}, file_paths: ['//x/files/one.json', '//x/files/deep/two.json']}}",
        given="import pathlib\n"
        "pathlib.Path('data/deep').mkdir(parents=True, exist_ok=True)\n"
        "for name in ('one', 'deep/two'):\n"
        "    pathlib.Path(f'data/{name}.json').write_text('{\"name\": \"%s\"}\\n' % name)\n"
        "found = client.upload_directory('data', '//x/files')\n"
        "self.logger.info('%s', [path.rpartition('files/')[2] for path in found])",
        code="run_map(self.context, blocks.map, job='cat one.json two.json')",
        expected=[{"name": "one"}, {"name": "deep/two"}],
    ),
    "a command of the stage's code runs instead of the script": Case(
        mapper="raise SystemExit(1)\n",
        code="run_map(self.context, blocks.map, job='test -f source.tar.gz && grep b')",
        expected=[{"k": "b", "v": 1}, {"k": "b", "v": 3}],
    ),
    "tar_command_bootstrap runs the scripts, whatever the command": Case(
        f"map_reduce: {{{TABLES}, reduce_by: [k], sort_by: [k, v], tar_command_bootstrap: true}}",
        mapper=DOUBLE,
        reducer=GROUP,
        code="run_map_reduce(self.context, blocks.map_reduce, mapper='unused', reducer='unused')",
        expected=[{"k": "a", "values": [4]}, {"k": "b", "values": [2, 6]}],
    ),
    "operations run one after the other on each other's tables": Case(
        "one: {kind: map, input_table: //x/input, output_table: //x/middle}\n"
        "two: {kind: map, input_table: //x/middle, output_table: //x/output}",
        mapper=DOUBLE,
        expected=[{"k": "b", "v": 4}, {"k": "a", "v": 8}, {"k": "b", "v": 12}],
    ),
    "an output may lie in a folder that is not there yet": Case(
        "map: {input_table: //x/input, output_table: //x/new/folders/data}\n"
        "again: {kind: map, input_table: //x/new/folders/data, output_table: //x/output}",
        mapper=COPY,
        rows=[{"v": 1}],
        expected=[{"v": 1}],
    ),
    "operations started at once and waited for": Case(
        "one: {kind: map, input_table: //x/input, output_table: //x/one}\n"
        "two: {kind: map, input_table: //x/input, output_table: //x/output}",
        mapper=DOUBLE,
        rows=[{"v": 1}],
        code="handles = [run_map(self.context, blocks[name], sync=False) for name in ('one', 'two')]\n"
        "self.logger.info('%s', [handle.wait().rows_out for handle in handles])",
        expected=[{"v": 2}],
    ),
    "a failed job is started again, as often as it may fail": Case(
        f"map: {{{TABLES}, max_failed_job_count: 3}}",
        mapper=FAILS_TWICE,
        rows=[{"v": 1}],
        code="import os\nrun_map(self.context, {**blocks.map, 'env': {'FOLDER': os.getcwd()}})",
        expected=[{"v": 1}],
    ),
    "the client of a stage": Case(code=CLIENT, expected=[{"v": 1}, {"v": 2}], ordered=True),
    "a job may be large": Case(
        mapper="import sys\nsys.stdin.read()\nfor n in range(20000):\n    print('{\"n\": %d}' % n)\n",
        code="run_map(self.context, blocks.map)\n"
        "self.logger.info('%d rows', client.row_count('//x/output'))\n"
        "client.write_table('//x/output', [{'v': sum(row['n'] for row in client.iter_table('//x/output'))}])",
        expected=[{"v": 199990000}],
    ),
}


if RealCluster.from_environment() is not None:
    # Its jobs count their attempts on this machine's disk.
    del CASES["a failed job is started again, as often as it may fail"]


@pytest.fixture(scope="module")
def runs(
    tmp_path_factory: pytest.TempPathFactory, running_cluster: Cluster | RealCluster, folder: str
) -> Iterator[dict[str, Future[dict[str, Both]]]]:
    """All cases, running."""
    with running(CASES, tmp_path_factory.mktemp("cases"), running_cluster, folder, SECRETS) as cases:
        yield cases


@pytest.mark.parametrize("name", CASES)
def test_both_backends_agree(runs: dict[str, Future[dict[str, Both]]], name: str) -> None:
    """The tables are the same, and the output is the one that is expected."""
    case, both = CASES[name], runs[name].result()[name]
    for ran, tables in ((both.dev, both.dev_tables), (both.prod, both.prod_tables)):
        assert "output" in tables, ran.said
        check_same(tables["output"], case.expected, ordered=case.ordered)
    assert both.prod_tables.keys() == both.dev_tables.keys()
    for table, rows in both.dev_tables.items():
        check_same(rows, both.prod_tables[table], ordered=case.ordered)


def test_both_backends_say_the_same(runs: dict[str, Future[dict[str, Both]]]) -> None:
    """The log of the stages, and the numbers of rows that operations read and wrote."""
    for both in {id(run): next(iter(run.result().values())) for run in runs.values()}.values():
        assert (both.dev.result.returncode, both.prod.result.returncode) == (0, 0), both.dev.said + both.prod.said
        assert both.prod.stages_said == both.dev.stages_said
        assert both.prod.operations_done == both.dev.operations_done
