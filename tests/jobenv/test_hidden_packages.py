"""What a dev job must not be able to import, because a job on the cluster could not."""

from __future__ import annotations

import subprocess
import venv
from pathlib import Path

import pytest

from tests.support import Pipeline

pytestmark = pytest.mark.quick

VANILLA = "client: {operations: {vanilla: {}}}\n"
IMPORT = """\
import importlib, sys
name = "%s"
try:
    module = importlib.import_module(name)
    print("imported", module.__file__)
except ModuleNotFoundError as error:
    print("missing", error)
"""


def imported(pipeline: Pipeline, name: str) -> str:
    pipeline.write("stages/first/config.yaml", VANILLA)
    pipeline.write("stages/first/src/vanilla.py", IMPORT % name)
    pipeline.run("run", check=True)
    return (pipeline.root / ".dev/first.vanilla.log").read_text()


@pytest.fixture
def environment(tmp_path: Path, pipeline: Pipeline) -> Path:
    """A virtual environment of its own that the pipeline's jobs run in."""
    folder = tmp_path / "environment"
    venv.create(folder, symlinks=True)
    pipeline.configure(f"mode: dev\ndev: {{python: {folder}/bin/python}}")
    return folder


def site_packages(environment: Path) -> Path:
    return next(environment.glob("lib/python*/site-packages"))


def test_the_pipelines_working_tree_is_not_importable(pipeline: Pipeline) -> None:
    pipeline.write("local_thing/__init__.py")
    assert imported(pipeline, "local_thing").startswith("missing")


@pytest.mark.parametrize("style", ["pth", "finder"])
def test_an_editable_install_from_the_pipelines_tree_is_not_importable(
    pipeline: Pipeline, environment: Path, style: str
) -> None:
    pipeline.write("src/local_thing/__init__.py")
    site = site_packages(environment)
    if style == "pth":
        (site / "local_thing.pth").write_text(f"{pipeline.root}/src\n")
    else:
        (site / "editable_finder.py").write_text(FINDER.replace("@SOURCE@", f"{pipeline.root}/src/local_thing"))
        (site / "local_thing.pth").write_text("import editable_finder; editable_finder.install()\n")
    python = environment / "bin" / "python"
    assert subprocess.run([python, "-c", "import local_thing"], check=False).returncode == 0
    said = imported(pipeline, "local_thing")
    assert said.startswith("missing") and "local_thing" in said
    assert style == "pth" or "upload_modules" in said


FINDER = """\
import sys
from importlib.util import spec_from_file_location
class Finder:
    @classmethod
    def find_spec(cls, name, path=None, target=None):
        if name == "local_thing":
            return spec_from_file_location(name, "@SOURCE@/__init__.py")
def install():
    sys.meta_path.append(Finder)
"""


def test_it_is_importable_once_it_ships(pipeline: Pipeline, environment: Path) -> None:
    pipeline.write("local_thing/__init__.py")
    (site_packages(environment) / "local_thing.pth").write_text(f"{pipeline.root}\n")
    python = f"{environment}/bin/python"
    pipeline.configure(f"mode: dev\ndev: {{python: {python}}}\nupload_modules: [local_thing]")
    assert "sandbox" in imported(pipeline, "local_thing")


def test_an_installed_package_is_importable(pipeline: Pipeline, environment: Path) -> None:
    (site_packages(environment) / "installed_thing.py").write_text("")
    assert imported(pipeline, "installed_thing").startswith("imported")


def test_an_environment_inside_the_pipeline_is_importable(pipeline: Pipeline) -> None:
    venv.create(pipeline.root / ".venv", symlinks=True)
    pipeline.configure("mode: dev\ndev: {python: .venv/bin/python}")
    (site_packages(pipeline.root / ".venv") / "installed_thing.py").write_text("")
    assert imported(pipeline, "installed_thing").startswith("imported")


def test_what_only_ytbuild_needs_is_not_importable(pipeline: Pipeline) -> None:
    said = imported(pipeline, "deflate")
    assert said.startswith("missing") and "because ytbuild itself needs it" in said


def test_what_every_job_image_has_is_importable(pipeline: Pipeline) -> None:
    assert imported(pipeline, "omegaconf").startswith("imported")


def test_the_machines_own_sitecustomize_still_runs(pipeline: Pipeline, environment: Path) -> None:
    (site_packages(environment) / "sitecustomize.py").write_text("import builtins\nbuiltins.customized = 1\n")
    pipeline.write("stages/first/config.yaml", VANILLA)
    pipeline.write("stages/first/src/vanilla.py", "print(customized)\n")
    pipeline.run("run", check=True)
    assert (pipeline.root / ".dev/first.vanilla.log").read_text() == "1\n"


def test_an_unknown_interpreter_is_refused(pipeline: Pipeline) -> None:
    pipeline.configure("mode: dev\ndev: {python: /no/such/python}")
    result = pipeline.run("run")
    assert result.returncode == 2 and "/no/such/python" in result.stderr
