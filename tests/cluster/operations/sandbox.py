"""What a job finds: its files, as read-only links, and its environment."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any

from yt import yson

from tests.cluster.errors import ClusterError, generic
from tests.cluster.formats import encode_rows
from tests.cluster.operations.model import NODE_ADDRESS, Job, Operation
from tests.cluster.operations.spec import UserJob
from tests.cluster.paths import RichPath
from tests.cluster.state import State

SYSTEM_PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"


@dataclass(frozen=True)
class Artifact:
    """A file of an operation: its content at the start of the operation, under the name that jobs see."""

    name: str
    path: Path
    executable: bool
    # Jobs of the stand-in may run as root, whom no file mode stops; a change is found by this.
    signature: tuple[int, int]

    def changed(self) -> bool:
        return _signature(self.path) != self.signature


def _signature(path: Path) -> tuple[int, int]:
    found = path.stat()
    return found.st_size, found.st_mtime_ns


def take_files(state: State, operation: Operation, job: UserJob) -> list[Artifact]:
    """Snapshot the files of a user job; ClusterError 500 when one is missing."""
    found: list[Artifact] = []
    for path in job.files:
        artifact = _take_file(state, operation, RichPath.of(path))
        if any(artifact.name == other.name for other in found):
            raise generic(f'Duplicate user file name "{artifact.name}" in the sandbox of "{job.name}"')
        found.append(artifact)
    for layer in job.raw.get("layer_paths") or []:
        state.attribute(layer, "type", operation.input_transaction)
    return found


def _take_file(state: State, operation: Operation, path: RichPath) -> Artifact:
    tx = path.attributes.get("transaction_id", operation.input_transaction)
    kind = state.attribute(path, "type", tx)
    if kind not in ("file", "table"):
        raise generic(f'User file {path.text} has invalid type: expected "file" or "table", actual "{kind}"')
    if tx == operation.input_transaction:
        state.lock(path, "snapshot", tx)
    executable = _flag(path.attributes.get("executable", _attribute(state, path, "executable", tx)))
    target = operation.folder / "files" / str(len(os.listdir(operation.folder / "files")))
    if kind == "file":
        shutil.copyfile(state.file_location(path, tx), target)
    elif "format" in path.attributes:
        target.write_bytes(encode_rows(state.read_rows(path, tx), path.attributes["format"]))
    else:
        raise generic(f'"format" is not specified for the table {path.text} among the user files')
    target.chmod(0o555 if executable else 0o444)
    return Artifact(_file_name(state, path, tx), target, executable, _signature(target))


def _file_name(state: State, path: RichPath, tx: str | None) -> str:
    name = path.attributes.get("file_name") or _attribute(state, path, "file_name", tx)
    name = str(name or _attribute(state, path, "key", tx))
    parts = PurePosixPath(name).parts
    if not parts or name.startswith("/") or ".." in parts:
        raise generic(f'User file name "{name}" must be a relative path inside the sandbox')
    return name


def _attribute(state: State, path: RichPath, name: str, tx: str | None) -> Any:
    try:
        return state.attribute(path, name, tx)
    except ClusterError:
        return None


def _flag(value: Any) -> bool:
    return value.lower() == "true" if isinstance(value, str) else bool(value)


def make_sandbox(sandbox: Path, artifacts: Iterable[Artifact], job: UserJob) -> None:
    """A fresh sandbox with the job's files."""
    sandbox.mkdir(parents=True)
    if job.tmpfs_path not in (None, "."):
        (sandbox / str(job.tmpfs_path)).mkdir(parents=True)
    for artifact in artifacts:
        place = sandbox / artifact.name
        place.parent.mkdir(parents=True, exist_ok=True)
        if job.copy_files:
            shutil.copyfile(artifact.path, place)
            place.chmod(0o755 if artifact.executable else 0o644)
        else:
            place.symlink_to(artifact.path)


def environment(operation: Operation, job: Job, user_job: UserJob, sandbox: Path, start_row: int) -> dict[str, str]:
    """All variables of a job: nothing of the server's own environment."""
    return {
        "PATH": f"{os.path.dirname(sys.executable)}:{SYSTEM_PATH}",
        "HOME": str(sandbox),
        **user_job.environment,
        **_vault(operation.spec.get("secure_vault") or {}),
        "YT_JOB_ID": job.id,
        "YT_OPERATION_ID": operation.id,
        "YT_JOB_INDEX": str(job.index),
        "YT_TASK_JOB_INDEX": str(job.task_index),
        "YT_JOB_COOKIE": str(job.cookie),
        "YT_START_ROW_INDEX": str(start_row),
        "YT_FIRST_OUTPUT_TABLE_FD": str(first_output_fd(user_job)),
        "YT_NODE_HOST": NODE_ADDRESS.partition(":")[0],
    }


def first_output_fd(user_job: UserJob) -> int:
    """Where the first output table is: not on stdout when that goes to stderr."""
    return 4 if user_job.redirect_stdout else 1


def _vault(vault: dict[str, Any]) -> dict[str, str]:
    if not vault:
        return {}
    variables = {"YT_SECURE_VAULT": _yson(vault)}
    for key, value in vault.items():
        if not isinstance(value, dict | list) and value is not None:
            variables[f"YT_SECURE_VAULT_{key}"] = value if isinstance(value, str) else _yson(value)
    return variables


def _yson(value: Any) -> str:
    text: bytes = yson.dumps(value, yson_format="text")
    return text.decode("utf-8", "surrogateescape")
