"""Small pipelines for both backends: each case is a stage that works on a table, after one that writes the table.

Starting ytbuild takes longer than most cases do, so that several of them are stages of one pipeline.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from tests.cluster.running import Cluster, RealCluster
from tests.parity.both import Ran, Row, at_once, in_dev, in_prod
from tests.support import Pipeline

TABLES = "input_table: //x/input, output_table: //x/output"

COPY = "import sys\nfor line in sys.stdin:\n    sys.stdout.write(line)\n"

DOUBLE = """\
import json, sys
for line in sys.stdin:
    row = json.loads(line)
    print(json.dumps({**row, "v": row["v"] * 2}))
"""

GROUP = """\
import itertools, json, sys
for key, rows in itertools.groupby(map(json.loads, sys.stdin), key=lambda row: row.get("k")):
    print(json.dumps({"k": key, "values": [row["v"] for row in rows]}))
"""

_CODE = """\
from ytbuild import *


class Stage(BaseStage):
    def run(self, debug):
        client = self.deps.yt_client
"""
_BLOCKS = "blocks = self.config.client.operations\n"

_PIPELINES = 4


@dataclass(frozen=True)
class Case:
    """One stage. `//x/` in its texts is a folder of its own.

    `blocks` are its operations, `rows` those of `input`, `files` lie below the stage, `code` is the body of its
    run(); `given` are more lines of the stage that writes `input`. `expected` are the rows that `output` must have;
    `ordered` tells whether their order is promised.
    """

    blocks: str = f"map: {{{TABLES}}}"
    rows: Sequence[Row] = ({"k": "b", "v": 1}, {"k": "a", "v": 2}, {"k": "b", "v": 3})
    mapper: str = ""
    reducer: str = ""
    files: Mapping[str, str] = field(default_factory=dict)
    code: str = ""
    given: str = ""
    expected: Sequence[Row] = ()
    ordered: bool = False

    def texts(self, stage: str) -> dict[str, str]:
        """The files of the stage and of the one before it, by their paths in the pipeline."""
        written = f"client.write_table('//x/input', {list(self.rows)!r})\n{self.given}"
        files = {
            f"stages/{stage}_given/config.yaml": "{}\n",
            f"stages/{stage}_given/stage.py": _CODE + _indented(written),
            f"stages/{stage}/config.yaml": "client:\n  operations:\n" + _indented(self.blocks, 4),
            **{f"stages/{stage}/{name}": text for name, text in self.files.items()},
        }
        if self.mapper:
            files[f"stages/{stage}/src/mapper.py"] = self.mapper
        if self.reducer:
            files[f"stages/{stage}/src/reducer.py"] = self.reducer
        if self.code:
            files[f"stages/{stage}/stage.py"] = _CODE + _indented(_BLOCKS + self.code)
        return files


def pipeline_of(cases: Mapping[str, Case], root: Path, folder: str) -> Pipeline:
    """Make a pipeline with these cases as stages, by their stages' names; their tables lie in folders below one."""
    pipeline = Pipeline(root)
    enabled = [name for stage in cases for name in (f"{stage}_given", stage)]
    pipeline.configure("prod: {retry_seconds: 5}", f"[{', '.join(enabled)}]")
    for stage, case in cases.items():
        for name, text in case.texts(stage).items():
            pipeline.write(name, text.replace("//x/", f"{folder}/{stage}/"))
    return pipeline


@dataclass(frozen=True)
class Both:
    """How a case ran on both backends: the whole runs, and those of their tables that are the case's, by name."""

    stage: str
    dev: Ran
    prod: Ran
    dev_tables: dict[str, list[Row]]
    prod_tables: dict[str, list[Row]]


@contextmanager
def running(
    cases: Mapping[str, Case], place: Path, cluster: Cluster | RealCluster, folder: str, secrets: str = ""
) -> Iterator[dict[str, Future[dict[str, Both]]]]:
    """Run cases on both backends, in a few pipelines at the same time; give each one's pipeline by its name."""
    numbered = {f"case{number}": (name, case) for number, (name, case) in enumerate(cases.items())}

    def run(number: int) -> dict[str, Both]:
        own = dict(list(numbered.items())[number::_PIPELINES])
        path = f"{folder}/pipeline{number}"
        pipeline = pipeline_of({stage: case for stage, (_, case) in own.items()}, place / str(number), path)
        pipeline.write("configs/secrets.env", secrets)
        dev, prod = in_dev(pipeline), in_prod(pipeline, cluster, path)
        return {
            name: Both(stage, dev, prod, _below(f"{path}/{stage}/", dev), _below(f"{path}/{stage}/", prod))
            for stage, (name, _) in own.items()
        }

    with at_once() as pool:
        futures = [pool.submit(run, number) for number in range(_PIPELINES)]
        yield {name: futures[number % _PIPELINES] for number, name in enumerate(cases)}


def _below(folder: str, ran: Ran) -> dict[str, list[Row]]:
    return {path.removeprefix(folder): rows for path, rows in ran.tables.items() if path.startswith(folder)}


def _indented(text: str, width: int = 8) -> str:
    return "".join(" " * width + line + "\n" for line in text.splitlines())
