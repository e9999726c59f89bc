"""TypedJobs: pickled by the official client, and unpickled only where the archive's code can be imported.

The client pickles a job by reference: its class is imported in the job's sandbox, where the archive is still packed.
So what is pickled is a call of builtins: it runs `typed_job_sandbox.py`, whose text it carries, and then unpickles
the job. Nothing of ytbuild is imported in it.
"""

from __future__ import annotations

import contextlib
import pkgutil
import sys
import threading
import types
from collections.abc import Iterator, Mapping
from pickle import PicklingError
from typing import Any

from ytbuild.backends.base import LegCommand, OperationSpec
from ytbuild.backends.prod import secure_vault
from ytbuild.base.errors import TypedJobError

# The globals of this expression are the rest of what is pickled. `exec` returns None.
_UNPICKLE = (
    "(exec(sandbox, scope), scope['enter'](stage, secrets),"
    " __import__('yt.wrapper.pickling', fromlist=['Unpickler']).Unpickler(framework).loads(job))[2]"
)

# Modules that only ytbuild itself needs; some are large.
_OURS = ("ytbuild", "duckdb", "_duckdb", "deflate")

_MAIN = threading.Lock()


def has_typed(spec: OperationSpec) -> bool:
    """Tell whether a leg of an operation is a TypedJob, or another Python object."""
    return any(leg.typed_job is not None for leg in spec.legs)


def check(spec: OperationSpec) -> None:
    """Raise what is known to be wrong with an operation's TypedJobs, before anything is sent.

    `ValueError` when one leg is a command and the other is not, `TypedJobError` when the packages are missing that
    write the rows of TypedJobs.
    """
    if not has_typed(spec):
        return
    if any(leg.typed_job is None for leg in spec.legs):
        raise ValueError(f"{spec.label}: both legs are commands, or both are TypedJobs")
    import yt.skiff

    if spec.kind != "vanilla" and not yt.skiff.AVAILABLE:
        raise TypedJobError(
            f"{spec.label}: a TypedJob needs the package ytsaurus-yson, and it is not installed here",
            "pip install ytsaurus-yson (the job's image needs it, too, when modules are not uploaded)",
        )


def shipped(spec: OperationSpec, leg: LegCommand, framework: str) -> Any:
    """Return what the official builder takes for a leg's TypedJob: it unpickles as that job, code and secrets ready.

    A class is made an object first. `framework` is the client's pickling framework. Raises `TypedJobError` as `check`
    does.
    """
    check(spec)
    from yt.wrapper import TypedJob

    job = leg.typed_job() if isinstance(leg.typed_job, type) else leg.typed_job
    bases = (_Shipped, TypedJob) if isinstance(job, TypedJob) else (_Shipped,)
    kind: Any = type("ShippedJob", bases, {})
    return kind(job, framework, spec.stage, secure_vault.promoted(secure_vault.entries(spec)))


class _Shipped:
    """Stands for a job where its operation is prepared, and becomes it in the sandbox."""

    def __init__(self, job: Any, framework: str, stage: str, secrets: tuple[str, ...]) -> None:
        self.job = job
        self._framework = framework
        self._stage = stage
        self._secrets = secrets
        self.attributes: Mapping[str, Any] = getattr(job, "attributes", {})
        self.__name__ = getattr(job, "__name__", type(job).__name__)

    def __call__(self, *arguments: Any, **options: Any) -> Any:
        return self.job(*arguments, **options)

    def prepare_operation(self, context: Any, preparer: Any) -> None:
        self.job.prepare_operation(context, preparer)

    def get_intermediate_stream_count(self) -> int | None:
        count: int | None = self.job.get_intermediate_stream_count()
        return count

    def __reduce__(self) -> tuple[Any, ...]:
        text = pkgutil.get_data(__package__, "typed_job_sandbox.py")
        assert text is not None
        known = {
            "sandbox": text.decode(),
            "scope": {"__name__": "ytbuild_sandbox"},
            "stage": self._stage,
            "secrets": self._secrets,
            "framework": self._framework,
            "job": self._pickled(),
        }
        return eval, (_UNPICKLE, known)

    def _pickled(self) -> bytes:
        from yt.wrapper.pickling import Pickler

        try:
            pickled: bytes = Pickler(self._framework).dumps(self.job)
        except (PicklingError, TypeError, AttributeError, RecursionError) as error:
            raise TypedJobError(
                f"stage {self._stage}: the job {self.__name__} cannot be pickled: {error}",
                "keep what cannot travel, such as locks and open files, out of its attributes",
            ) from None
        return pickled


@contextlib.contextmanager
def pickling(client: Any, spec: OperationSpec, settings: Mapping[str, bool]) -> Iterator[None]:
    """Let the official client pickle the jobs of an operation inside the block, as `pipeline.pickling` says.

    What the archive holds, and what only ytbuild needs, is not uploaded once more; nor is the program that runs now,
    which the client would execute in each job.
    """
    config = client.config["pickling"]
    before = {key: config[key] for key in ("ignore_system_modules", "module_filter") if key in config}
    if settings.get("ignore_system_modules"):
        if "ignore_system_modules" not in before:
            text = f"{spec.label}: this ytsaurus-client does not know pipeline.pickling.ignore_system_modules"
            raise TypedJobError(text, "pip install --upgrade ytsaurus-client, or set disable_module_upload instead")
        config["ignore_system_modules"] = True
    if settings.get("disable_module_upload"):
        config["module_filter"] = "lambda module: False"
    elif config["module_filter"] is None:
        config["module_filter"] = _filter(spec)
    try:
        with _without_main(spec):
            yield
    finally:
        for key, value in before.items():
            config[key] = value


def _filter(spec: OperationSpec) -> str:
    """Return the client's `module_filter`, as text: a function would be pickled, and be looked for in the job."""
    source = f"/stages/{spec.stage}/src/"
    # A job that is defined in stage.py imports ytbuild with it.
    ours = () if any(_module(leg).startswith("stages.") for leg in spec.legs) else _OURS
    return (
        f"lambda module: {source!r} not in str(getattr(module, '__file__', None)).replace(os.sep, '/')"
        f" and str(getattr(module, '__name__', '')).partition('.')[0] not in {ours!r}"
    )


@contextlib.contextmanager
def _without_main(spec: OperationSpec) -> Iterator[None]:
    """Hide the program that runs now: the client ships its file to be executed in the jobs, and there it fails.

    A job that is defined in that very file needs it.
    """
    if any(_module(leg) == "__main__" for leg in spec.legs):
        yield
        return
    with _MAIN:
        main = sys.modules["__main__"]
        sys.modules["__main__"] = types.ModuleType("__main__")
        try:
            yield
        finally:
            sys.modules["__main__"] = main


def _module(leg: LegCommand) -> str:
    job = leg.typed_job
    defined = job if isinstance(job, type) or hasattr(job, "__qualname__") else type(job)
    return str(defined.__module__)
