"""`pipeline.py`: a script that runs the pipeline it lies in, with all stages or with those that it registers."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import ytbuild
from tests.run.stages import get, operation, put
from tests.support import Pipeline, clean_environment, python

pytestmark = pytest.mark.quick

DEFAULT = "from ytbuild import DefaultPipeline\nDefaultPipeline.main()\n"

REGISTERED = """\
from ytbuild import BasePipeline, StageRegistry
{imports}

class Mine(BasePipeline):
    def setup(self):
        {setup}

if __name__ == "__main__":
    Mine.main()
"""

STAGE = """\
from ytbuild import BaseStage, StageRegistry
class {name}(BaseStage):
    def run(self, debug):
        self.deps.yt_client.write_table("//t/{name}", [{{"stage": self.name}}])
"""

IMPORT_FIRST = "from stages.first.stage import First"


def script(
    pipeline: Pipeline, *arguments: str, cwd: Path | None = None, own_process: bool = False
) -> subprocess.CompletedProcess[str]:
    """Run the pipeline's `pipeline.py`."""
    path = str(pipeline.root / "pipeline.py")
    folder = cwd or pipeline.root
    return python(path, *arguments, cwd=folder, environment=clean_environment(), own_process=own_process)


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A pipeline with a `pipeline.py`, and an input table."""
    pipeline.write("pipeline.py", DEFAULT)
    put(pipeline, "input", [{"n": 1}])
    return pipeline


def registering(pipeline: Pipeline, setup: str, imports: str = IMPORT_FIRST) -> None:
    """Make `pipeline.py` one that registers stages, and give the stage a class."""
    pipeline.write("stages/first/stage.py", STAGE.format(name="First"))
    pipeline.write("pipeline.py", REGISTERED.format(imports=imports, setup=setup))


@pytest.mark.parametrize("own_process", [False, True])
def test_the_script_runs_the_pipeline(prepared: Pipeline, own_process: bool) -> None:
    assert script(prepared, own_process=own_process).returncode == 0
    assert get(prepared, "output") == [{"n": 1}]


def test_the_script_runs_its_own_pipeline_from_another_folder(prepared: Pipeline, tmp_path: Path) -> None:
    assert script(prepared, cwd=tmp_path).returncode == 0
    assert get(prepared, "output") == [{"n": 1}]
    assert not (tmp_path / ".dev").exists() and not (tmp_path / ".build").exists()


def test_the_script_says_what_the_command_says(prepared: Pipeline) -> None:
    one, other = script(prepared, "--dry-run"), prepared.run("run", "--dry-run")
    assert (one.returncode, one.stdout, one.stderr) == (0, other.stdout, other.stderr)


def test_the_script_takes_a_configuration_of_the_pipelines_folder(prepared: Pipeline, tmp_path: Path) -> None:
    prepared.write("stages/second/config.yaml", "client: {operations: {vanilla: {}}}\n")
    prepared.write("stages/second/src/vanilla.py", "print('ran')\n")
    prepared.write("configs/other.yaml", "stages: {enabled_stages: [second]}\n")
    assert script(prepared, "--config", "configs/other.yaml", cwd=tmp_path).returncode == 0
    assert (prepared.root / ".dev/second.vanilla.log").exists()
    assert not (prepared.root / ".dev/output.jsonl").exists()


def test_the_script_takes_overrides(prepared: Pipeline) -> None:
    result = script(prepared, "-o", "pipeline.mode=nonsense")
    assert result.returncode == 2 and "nonsense" in result.stderr


def test_the_script_takes_names_of_stages(prepared: Pipeline) -> None:
    result = script(prepared, "frist")
    assert result.returncode == 2 and "did you mean 'first'?" in result.stderr


def test_the_script_fails_as_the_command_does(prepared: Pipeline) -> None:
    prepared.write("stages/first/src/mapper.py", "raise SystemExit(4)\n")
    result = script(prepared)
    assert result.returncode == 1 and "exited with code 4" in result.stderr and "Traceback" not in result.stderr


def test_an_unknown_option_of_the_script_is_wrong_usage(prepared: Pipeline) -> None:
    result = script(prepared, "--nonsense")
    assert result.returncode == 2 and "Traceback" not in result.stderr


@pytest.mark.parametrize(
    "setup",
    [
        "self.set_stage_registry(StageRegistry().add_stage(First))",
        "self.set_stage_registry(StageRegistry().add_stage(First, name='first'))",
        "self.set_stage_registry(StageRegistry().add_stage(First).add_stage(First))",
        "pass",
    ],
)
def test_a_registered_stage_runs(prepared: Pipeline, tmp_path: Path, setup: str) -> None:
    registering(prepared, setup)
    result = script(prepared, cwd=tmp_path)
    assert result.returncode == 0, result.stderr
    assert get(prepared, "First") == [{"stage": "first"}]


def test_a_registered_class_runs_instead_of_the_one_in_the_file(prepared: Pipeline) -> None:
    registering(
        prepared, "self.set_stage_registry(StageRegistry().add_stage(Other, 'first'))", "from other import Other"
    )
    prepared.write("other.py", STAGE.format(name="Other"))
    assert script(prepared).returncode == 0
    assert get(prepared, "Other") == [{"stage": "first"}]
    assert not (prepared.root / ".dev/First.jsonl").exists()


def test_a_stage_without_code_needs_no_class(prepared: Pipeline) -> None:
    prepared.write("pipeline.py", REGISTERED.format(imports="", setup="self.set_stage_registry(StageRegistry())"))
    assert script(prepared).returncode == 0
    assert get(prepared, "output") == [{"n": 1}]


@pytest.mark.parametrize(
    ("setup", "said"),
    [
        ("self.set_stage_registry(StageRegistry())", "registers no class for it"),
        ("self.set_stage_registry(StageRegistry().add_stage(First, 'frist'))", "did you mean 'frist'?"),
        ("StageRegistry().add_stage(First).add_stage(type('Second', (First,), {}), 'first')", "First and Second"),
        ("StageRegistry().add_stage('first')", "derives from BaseStage"),
        ("StageRegistry().add_stage(dict)", "derives from BaseStage"),
    ],
)
def test_a_wrong_registration_is_refused(prepared: Pipeline, setup: str, said: str) -> None:
    registering(prepared, setup)
    result = script(prepared)
    assert result.returncode == 2 and said in result.stderr and "Traceback" not in result.stderr
    assert not (prepared.root / ".build").exists()


@pytest.mark.parametrize("setup", ["raise RuntimeError('mine')", "import no_such_module_here"])
def test_a_setup_that_fails_is_the_users_failure(prepared: Pipeline, setup: str) -> None:
    registering(prepared, setup)
    result = script(prepared)
    assert result.returncode == 1 and "pipeline.py" in result.stderr
    assert "bug in ytbuild" not in result.stderr


def test_the_setup_runs_once(prepared: Pipeline) -> None:
    registering(prepared, "print('setup')")
    assert script(prepared, "--dry-run").stdout.count("setup\n") == 1


def test_setup_knows_the_pipelines_folder(prepared: Pipeline, tmp_path: Path) -> None:
    registering(prepared, "print(self.pipeline_dir)")
    assert script(prepared, "--dry-run", cwd=tmp_path).stdout.startswith(f"{prepared.root}\n")


def test_only_registered_operations_of_the_config_count(prepared: Pipeline) -> None:
    operation(prepared, "map:\n  output_table: //t/output")
    registering(prepared, "self.set_stage_registry(StageRegistry().add_stage(First))")
    assert script(prepared).returncode == 0, "what a stage's own code may complete is no error"


@pytest.mark.parametrize("module", ["omegaconf", "duckdb", "yt", "msgspec", "click"])
def test_importing_ytbuild_imports_nothing_slow(module: str) -> None:
    code = (
        "import sys, ytbuild\n"
        "from ytbuild import BaseStage, DefaultPipeline, OperationFailed, StageRegistry, run_map, run_sort\n"
        f"sys.exit({module!r} in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], env=clean_environment(), check=False).returncode == 0


@pytest.mark.parametrize("name", ytbuild.__all__)
def test_every_public_name_is_there(name: str) -> None:
    assert getattr(ytbuild, name) is not None


def test_type_checkers_see_the_public_names() -> None:
    (block,) = (node for node in ast.parse(Path(ytbuild.__file__).read_text()).body if isinstance(node, ast.If))
    seen = {
        alias.asname: node.module
        for node in block.body
        if isinstance(node, ast.ImportFrom)
        for alias in node.names
        if alias.asname == alias.name
    }
    assert seen == ytbuild._PUBLIC


def test_a_name_that_is_not_public_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="run_everything"):
        _ = ytbuild.run_everything  # type: ignore[attr-defined]
