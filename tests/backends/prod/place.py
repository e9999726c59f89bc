"""Where the tests of operations run them: a folder on the cluster, with an input table and code."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

from tests.backends.prod.made import archive, spec
from tests.cluster.job_support import numbers, read
from tests.cluster.running import Cluster
from tests.heard import Heard
from ytbuild.backends.base import OperationSpec
from ytbuild.backends.prod.operation import ProdOperation, start
from ytbuild.cluster.connection import Connection


class Place:
    """A folder on the cluster with an input table and an archive, and the operations that are started there."""

    def __init__(self, connection: Connection, cluster: Cluster, folder: str, logs: Path) -> None:
        self.connection = connection
        self.cluster = cluster
        self.client = cluster.client()
        self.folder = folder
        self.logs = logs
        self.heard = Heard()
        self.client.write_file(f"{folder}/code.tar.gz", archive({"hello.txt": "hello"}))
        numbers(self.client, f"{folder}/in", 10)

    def spec(self, kind: str, *commands: Any, **changes: Any) -> OperationSpec:
        """An operation of this kind on the tables of this folder."""
        operation = spec(kind, *commands, **changes)
        if operation.input_table is not None and "input_table" not in changes:
            operation = replace(operation, input_table=f"{self.folder}/in")
        if operation.output_table is not None and "output_table" not in changes:
            operation = replace(operation, output_table=f"{self.folder}/out")
        return operation

    def start(self, kind: str, *commands: Any, **changes: Any) -> ProdOperation:
        """Start an operation of this kind."""
        return self.started(self.spec(kind, *commands, **changes))

    def started(self, operation: OperationSpec) -> ProdOperation:
        """Start an operation."""
        code = f"{self.folder}/code.tar.gz"
        started = start(self.connection, operation, code, self.heard, str(self.logs))
        assert isinstance(started, ProdOperation)
        return started

    def rows(self, name: str = "out") -> list[dict[str, Any]]:
        """The rows of a table of this folder."""
        return read(self.client, f"{self.folder}/{name}")

    def sent(self) -> dict[str, Any]:
        """The spec of the operation that was started last, as the cluster got it."""
        sent: dict[str, Any] = self.cluster.control("operations")[-1]["parameters"]["spec"]
        return sent
