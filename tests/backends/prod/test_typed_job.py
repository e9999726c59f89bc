"""TypedJobs: their code comes out of the archive in the job, before anything of theirs is imported there."""

from __future__ import annotations

import importlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

from tests.backends.prod.made import archive, connected, spec
from tests.backends.prod.place import Place
from tests.cluster.job_support import numbers, write
from ytbuild.backends.base import OperationSpec
from ytbuild.backends.prod import typed_job
from ytbuild.base.errors import ClusterError, JobFailed, TypedJobError
from ytbuild.cluster.connection import Connection

# The client leaves the connections of requests that failed to the garbage collector.
pytestmark = [
    pytest.mark.quick,
    pytest.mark.filterwarnings("ignore::ResourceWarning", "ignore::pytest.PytestUnraisableExceptionWarning"),
]

CODE = """\
import os, sys
import shared_code
from ytjobs.where import config_path

class Plain:
    def __init__(self, word):
        self.word = word

    def __call__(self):
        print(self.word, os.environ.get("KEY"), config_path(), shared_code.__file__, __file__, file=sys.stderr)
        if self.word == "fail":
            raise ValueError("as asked")
"""

TYPED_CODE = """\
import os
import yt.wrapper as yt

@yt.yt_dataclass
class Number:
    n: int

@yt.yt_dataclass
class Keyed:
    k: int
    n: int

class Double(yt.TypedJob):
    def __call__(self, row: Number) -> yt.schema.RowIterator[Number]:
        assert os.environ["KEY"] == "hunter22" and "/modules/" not in __file__, __file__
        yield Number(n=2 * row.n)

    def prepare_operation(self, context, preparer):
        preparer.input(0, type=Number).output(0, type=Number)

class ByParity(yt.TypedJob):
    def __call__(self, row):
        yield Keyed(k=row.n % 2, n=row.n)

    def prepare_operation(self, context, preparer):
        preparer.input(0, type=Number).output(0, type=Keyed)

class Sum(yt.TypedJob):
    def __call__(self, rows):
        rows = list(rows)
        yield Keyed(k=rows[0].k, n=sum(row.n for row in rows))

    def prepare_operation(self, context, preparer):
        preparer.input(0, type=Keyed).output(0, type=Keyed)
"""

FILES = {
    "ytjobs/where.py": "import os\n\ndef config_path():\n    return os.environ.get('JOB_CONFIG_PATH')\n",
    "shared_code.py": "",
    "stages/stage/config.yaml": "",
    "stages/stage/src/job_of_test.py": CODE,
    "stages/stage/src/typed_job_of_test.py": TYPED_CODE,
}


@pytest.fixture
def load(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ModuleType]]:
    """Import a module of the stage's, as its code does where the operation is started."""
    before = set(sys.modules)
    for name, text in FILES.items():
        path = tmp_path / "driver" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    (tmp_path / "driver" / "ytjobs" / "__init__.py").write_text("")
    monkeypatch.delitem(sys.modules, "ytjobs", raising=False)
    monkeypatch.syspath_prepend(tmp_path / "driver")
    monkeypatch.syspath_prepend(tmp_path / "driver" / "stages" / "stage" / "src")
    yield importlib.import_module
    for name in {"job_of_test", "typed_job_of_test", "shared_code", "ytjobs", "ytjobs.where"} - before:
        sys.modules.pop(name, None)


@pytest.fixture
def typed_place(place: Place) -> Iterator[Place]:
    """A place whose archive has the stage's code, and whose jobs find the client in their image."""
    place.client.write_file(f"{place.folder}/code.tar.gz", archive(FILES))
    with connected(place.cluster, hidden=("hunter22",), pickling={"disable_module_upload": True}) as connection:
        place.connection = connection
        yield place


def pickled(operation: OperationSpec, framework: str = "dill") -> bytes:
    """What travels to the job of an operation's first leg."""
    from yt.wrapper.pickling import Pickler

    shipped = typed_job.shipped(operation, operation.legs[0], framework)
    pickled: bytes = Pickler(framework).dumps((shipped, {"parameters": 1}))
    return pickled


def in_a_job(
    sandbox: Path, data: bytes, framework: str = "dill", **variables: str
) -> subprocess.CompletedProcess[str]:
    """Unpickle and call a job as the client does, where nothing but its files is."""
    sandbox.mkdir()
    (sandbox / "source.tar.gz").write_bytes(archive(FILES))
    (sandbox / "job.pickle").write_bytes(data)
    code = (
        "from yt.wrapper.pickling import Unpickler\n"
        f"job, _ = Unpickler({framework!r}).load(open('job.pickle', 'rb'))\n"
        "import sys; assert not [name for name in sys.modules if name.split('.')[0] == 'ytbuild']\n"
        "job()"
    )
    environment = {"PATH": os.environ["PATH"], "PYTHONPATH": os.pathsep.join(_image()), **variables}
    command = [sys.executable, "-c", code]
    return subprocess.run(command, cwd=sandbox, env=environment, capture_output=True, text=True, timeout=60)


def _image() -> list[str]:
    """What the job's image has beside the standard library."""
    return [path for path in sys.path if path.endswith(("-packages", "ysonlib"))]


@pytest.mark.parametrize("framework", ["dill", "pickle"])
def test_a_job_finds_its_code_in_the_archive(load: Callable[[str], Any], tmp_path: Path, framework: str) -> None:
    job = load("job_of_test").Plain("hello")
    ran = in_a_job(tmp_path / "sandbox", pickled(spec("vanilla", job), framework), framework)
    root = tmp_path / "sandbox"
    assert ran.returncode == 0, ran.stderr
    assert ran.stdout == ""
    assert ran.stderr.split() == [
        "hello",
        "None",
        f"{root}/stages/stage/config.yaml",
        f"{root}/shared_code.py",
        f"{root}/stages/stage/src/job_of_test.py",
    ]


def test_secrets_have_their_plain_names_in_a_job(load: Callable[[str], Any], tmp_path: Path) -> None:
    operation = spec("vanilla", load("job_of_test").Plain("hello"), environment={"KEY": "hunter22"})
    data = pickled(operation)
    assert b"hunter22" not in data
    ran = in_a_job(tmp_path / "sandbox", data, YT_SECURE_VAULT_KEY="hunter22")
    assert ran.stderr.split()[1] == "hunter22"


def test_an_archive_that_cannot_be_unpacked_ends_the_job(load: Callable[[str], Any], tmp_path: Path) -> None:
    data = pickled(spec("vanilla", load("job_of_test").Plain("hello")))
    ran = in_a_job(tmp_path / "sandbox", data.replace(b"source.tar.gz", b"nosuch.tar.gz"))
    assert ran.returncode == 1
    assert "tar -xzf nosuch.tar.gz ended with exit code" in ran.stderr


def test_a_job_that_cannot_be_pickled_is_named(load: Callable[[str], Any]) -> None:
    import threading

    with pytest.raises(TypedJobError, match=r"the job Plain cannot be pickled"):
        pickled(spec("vanilla", load("job_of_test").Plain(threading.Lock())), "pickle")


def test_mixed_legs_are_refused() -> None:
    with pytest.raises(ValueError, match="both legs are commands, or both are TypedJobs"):
        typed_job.check(spec("map_reduce", "cat", object()))


def test_missing_bindings_are_told_before_anything_is_sent(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    import yt.skiff

    monkeypatch.setattr(yt.skiff, "AVAILABLE", False)
    place.cluster.reset()
    with pytest.raises(TypedJobError) as caught:
        place.start("map", object())
    assert caught.value.hint.startswith("pip install ytsaurus-yson")
    assert not place.cluster.counters()["requests"]


def test_a_vanilla_operation_runs_a_python_object(typed_place: Place, load: Callable[[str], Any]) -> None:
    job = load("job_of_test").Plain("hello")
    typed_place.start("vanilla", job, environment={"KEY": "hunter22"}).wait()
    assert "hunter22" not in str({**typed_place.sent(), "secure_vault": None})


def test_what_a_python_object_says_before_it_fails_is_told(typed_place: Place, load: Callable[[str], Any]) -> None:
    with pytest.raises(JobFailed, match="ValueError: as asked") as caught:
        typed_place.start("vanilla", load("job_of_test").Plain("fail")).wait()
    assert "stages/stage/src/job_of_test.py" in caught.value.message


def test_modules_are_uploaded_unless_that_is_disabled(typed_place: Place, load: Callable[[str], Any]) -> None:
    job = load("job_of_test").Plain("hello")
    typed_place.start("vanilla", job).wait()
    assert not modules_sent(typed_place)
    with connected(typed_place.cluster) as uploading:
        typed_place.connection = uploading
        typed_place.start("vanilla", job).wait()
    assert modules_sent(typed_place)


def modules_sent(place: Place) -> list[str]:
    """The names of the archives of modules that the last operation's jobs got."""
    operation = place.client.get_operation(place.cluster.control("operations")[-1]["id"])
    names = [path.attributes["file_name"] for path in operation["spec"]["tasks"]["stage"]["file_paths"]]
    return [name for name in names if name.startswith("modules_")]


def test_neither_the_archives_code_nor_ytbuild_is_uploaded_with_the_modules(
    load: Callable[[str], Any], connection: Connection
) -> None:
    operation = spec("vanilla", load("job_of_test").Plain("hello"))
    client = connection.client()
    with typed_job.pickling(client, operation, {}):
        chosen = eval(client.config["pickling"]["module_filter"], {"os": os})
        names = {name for name, module in sys.modules.items() if chosen(module)}
    assert {"yt.wrapper", "shared_code"} <= names
    assert not {"job_of_test", "ytbuild", "ytbuild.backends.prod.typed_job"} & names


def test_the_clients_configuration_is_as_before_after_pickling(
    load: Callable[[str], Any], connection: Connection
) -> None:
    operation = spec("vanilla", load("job_of_test").Plain("hello"))
    client, main = connection.client(), sys.modules["__main__"]
    settings = {"disable_module_upload": True, "ignore_system_modules": True}
    with typed_job.pickling(client, operation, settings):
        assert client.config["pickling"]["ignore_system_modules"]
        assert sys.modules["__main__"] is not main
    assert client.config["pickling"]["module_filter"] is None
    assert not client.config["pickling"]["ignore_system_modules"]
    assert sys.modules["__main__"] is main


def test_a_typed_mapper_runs(typed_place: Place, load: Callable[[str], Any]) -> None:
    job = load("typed_job_of_test").Double()
    schema = [{"name": "n", "type": "int64", "required": True}]
    typed_place.client.remove(f"{typed_place.folder}/in")
    typed_place.client.create("table", f"{typed_place.folder}/in", attributes={"schema": schema})
    numbers(typed_place.client, f"{typed_place.folder}/in", 5)
    result = typed_place.start("map", job, environment={"KEY": "hunter22"}).wait()
    assert [row["n"] for row in typed_place.rows()] == [0, 2, 4, 6, 8]
    assert (result.rows_in, result.rows_out) == (5, 5)


def test_a_typed_map_reduce_runs_given_as_classes(typed_place: Place, load: Callable[[str], Any]) -> None:
    module = load("typed_job_of_test")
    schema = [{"name": "n", "type": "int64", "required": True}]
    typed_place.client.create("table", f"{typed_place.folder}/typed", attributes={"schema": schema})
    write(typed_place.client, f"{typed_place.folder}/typed", [{"n": number} for number in range(10)])
    typed_place.start("map_reduce", module.ByParity, module.Sum, input_table=f"{typed_place.folder}/typed").wait()
    assert sorted((row["k"], row["n"]) for row in typed_place.rows()) == [(0, 20), (1, 25)]


def test_a_typed_job_that_cannot_start_leaves_no_output(typed_place: Place, load: Callable[[str], Any]) -> None:
    typed_place.cluster.fault("start_operation", "901")
    with pytest.raises(ClusterError):
        typed_place.start("map", load("typed_job_of_test").Double())
    assert not typed_place.client.exists(f"{typed_place.folder}/out")
