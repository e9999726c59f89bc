"""The reference pages against the code: whatever a reader may use is there, and nothing else."""

from __future__ import annotations

import contextlib
import inspect
import io
import json
import re
import secrets
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import click
import pytest

import ytbuild
from tests.cluster.job_support import json_rows
from tests.cluster.running import Cluster
from tests.docs import console, pages
from tests.docs.interface import COMMAND_NAMES, command, error_classes, options
from tests.support import STAGE_CONFIG, Pipeline
from ytbuild.backends.base import Client, OperationHandle, Resources
from ytbuild.backends.dev.backend import DevBackend
from ytbuild.backends.prod.backend import ProdBackend
from ytbuild.base import shipped
from ytbuild.build import BuildResult, BuiltTarget
from ytbuild.cli.main import cli, exit_code
from ytbuild.config import access
from ytbuild.config import pipeline as pipeline_config
from ytbuild.config import prod as prod_config
from ytbuild.config import stage as stage_config
from ytbuild.config.documents import Documents
from ytbuild.diff import DiffResult
from ytbuild.graph import rules
from ytbuild.run import operation_settings as settings
from ytbuild.run.pipeline import RunResult
from ytbuild.run.planned_run import PlannedRun, PlannedStage
from ytbuild.upload import UploadPlan, UploadResult

CONFIGURATION = pages.read(pages.REFERENCE / "configuration.md")
ARCHIVE = pages.read(pages.REFERENCE / "archive.md")
IGNORE_RULES = pages.read(pages.REFERENCE / "ignore-rules.md")
PYTHON_API = pages.read(pages.REFERENCE / "python-api.md")
ERRORS = pages.read(pages.REFERENCE / "errors.md")


# configuration.md


def known_rules() -> rules.Rules:
    """Return the rules that ship with ytbuild."""
    return rules.load(Documents(""))


def keys_of(module: object) -> set[str]:
    """Return the keys in all constants of a module that list some."""
    lists = [value for name, value in vars(module).items() if name.endswith("_KEYS")]
    assert lists
    return {key for keys in lists for key in keys}


def last_parts(text: str) -> set[str]:
    """Return the last component of every dotted key that stands as code in a text."""
    return {code.rsplit(".", 1)[-1] for code in pages.code_spans(text)}


def test_every_key_of_the_pipeline_is_described() -> None:
    text = pages.section(CONFIGURATION, "## The pipeline: `configs/config.yaml`")
    described = {cells[0].strip("`").rsplit(".", 1)[-1] for cells in pages.rows(text)}
    # These hold the keys below them.
    assert keys_of(pipeline_config) - {"dev", "pickling", "prod"} == described


@pytest.mark.parametrize("page", ["configuration.md", "prod.md"])
def test_the_settings_of_prod_have_their_defaults(page: str) -> None:
    rows = {cells[0].strip("`"): cells for cells in pages.rows(pages.read(pages.REFERENCE / page))}
    prefix = "pipeline.prod." if page == "configuration.md" else ""
    default = prod_config.ProdConfig()
    for key in prod_config.PROD_KEYS:
        assert rows[prefix + key][2] == str(getattr(default, key) or "none"), key


def test_resources_have_their_defaults() -> None:
    table = pages.rows(pages.section(CONFIGURATION, "### Keys that have an effect in prod"))
    said = {cells[0].strip("`"): cells[3].strip("`") for cells in table}
    for key, value in vars(Resources()).items():
        name, value = ("memory_limit_gb", value >> 30) if key == "memory_limit" else (key, value)
        assert said[f"resources.{name}"] == ("none" if value is None else str(value)), key


def test_names_that_are_read_from_the_environment_are_described() -> None:
    text = pages.section(CONFIGURATION, "### Names that ytbuild reads")
    names = {access.PROXY, access.TOKEN, access.TOKEN_PATH, *settings.DOCKER_AUTH.values()}
    assert {code for cells in pages.rows(text) for code in pages.code_spans(cells[0])} == names


def test_every_key_of_an_operation_is_described() -> None:
    own = {key for rule in known_rules().operations.values() for key in rule.keys}
    wanted = (keys_of(stage_config) | own) - {"resources"}
    text = pages.section(CONFIGURATION, "## Operations")
    passed_on = pages.section(CONFIGURATION, "### Keys that go on to the cluster's spec")
    assert wanted <= last_parts(text.replace(passed_on, ""))


def test_every_kind_has_its_row_with_its_legs_and_scripts() -> None:
    table = {cells[0].strip("`"): cells for cells in pages.rows(pages.section(CONFIGURATION, "## Operations"))}
    for kind, rule in known_rules().operations.items():
        codes = pages.code_spans(table[kind][2])
        for leg in rule.legs:
            assert leg.name in codes
            assert leg.setting in codes
            order = [codes.index(script) for script in leg.scripts]
            if len(order) > 1:
                assert order == sorted(order), f"{leg.name}: the scripts are not in their order"


def test_the_kinds_that_take_a_key_are_those_of_the_rules() -> None:
    table = pages.rows(pages.section(CONFIGURATION, "### Keys that have an effect in dev and in prod"))
    for cells in table:
        key, kinds = cells[0].strip("`"), set(pages.code_spans(cells[1]))
        takers = {kind for kind, rule in known_rules().operations.items() if key in rule.keys}
        if takers:
            assert kinds == takers, key


def test_the_keys_for_the_clusters_spec_are_those_of_the_rules() -> None:
    text = pages.section(CONFIGURATION, "### Keys that go on to the cluster's spec")
    everywhere, *each = re.split(r"^- In ", text, flags=re.MULTILINE)[1:]
    assert everywhere.startswith("every kind")
    said = {}
    for item in each:
        kind, *keys = pages.code_spans(item)
        said[kind] = set(keys) | set(pages.code_spans(everywhere))
    passed_on = {kind: set(rule.passed_on) for kind, rule in known_rules().operations.items()}
    assert passed_on.pop("yql") == set()
    assert said == passed_on


def test_the_keys_without_effect_are_those_that_a_run_warns_of() -> None:
    text = pages.section(CONFIGURATION, "## Operations")
    without, in_dev = set(ProdBackend.ignored_keys), set(DevBackend.ignored_keys)
    sentence = next(line for line in text.splitlines() if line.startswith("Two keys are known and have no effect"))
    assert without <= set(pages.code_spans(sentence))
    (sentence,) = re.findall(r"In dev `ytbuild run` warns when[^.]*", text)
    assert in_dev - without == set(pages.code_spans(sentence)) - {"ytbuild run"}


def test_every_mode_is_described() -> None:
    (row,) = [cells for cells in pages.rows(CONFIGURATION) if cells[0] == "`pipeline.mode`"]
    assert set(pipeline_config._MODES) <= set(pages.code_spans(" ".join(row[1:])))


# errors.md


def test_every_error_has_its_row_with_its_exit_code() -> None:
    said = {cells[0].strip("`"): int(cells[1]) for cells in pages.rows(ERRORS)}
    assert said == {error.__name__: error.exit_code for error in error_classes()}


def test_every_row_says_when_and_what_to_do() -> None:
    assert all(len(cells) == 4 and all(cells) for cells in pages.rows(ERRORS))


def test_no_page_names_an_error_that_does_not_exist() -> None:
    known = {error.__name__ for error in error_classes()} | {"ModuleNotFoundError", "ValueError"}
    for page in pages.all_pages():
        names = re.findall(r"\b[A-Z]\w*Error\b", pages.prose(pages.read(page)))
        assert set(names) <= known, pages.shown(page)


# ignore-rules.md


@pytest.mark.parametrize(
    "name", ["default.ytignore", "secrets.ytignore", "secrets-in-modules.ytignore", "private-keys.ytignore"]
)
def test_every_ignore_rule_is_described(name: str) -> None:
    lines = [line for line in shipped.rule(name).decode().splitlines() if line and not line.startswith("#")]
    assert lines
    assert {line.removeprefix("!") for line in lines} <= set(pages.code_spans(IGNORE_RULES))


def test_every_name_that_never_ships_is_described() -> None:
    from ytbuild.sources.directory_listing import ALWAYS_LEFT_OUT
    from ytbuild.sources.source_tree import NEVER_SHIPPED

    text = pages.section(IGNORE_RULES, "## Names that never ship")
    assert ALWAYS_LEFT_OUT | set(NEVER_SHIPPED) | {".pyc"} == set(pages.code_spans(text))


# archive.md


def test_every_field_of_the_manifest_is_described(pipeline: Pipeline) -> None:
    pipeline.build()
    manifest = json.loads((pipeline.root / ".build/manifest.json").read_text())
    said = [cells[0].strip("`") for cells in pages.rows(pages.section(ARCHIVE, "## Manifest"))]
    assert said == list(manifest)


def test_every_entry_of_the_build_folder_is_described(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/requirements.txt")
    pipeline.write(".dev/input.jsonl", '{"a": 1}\n')
    pipeline.run("run", check=True)
    pipeline.run("build", "--extract", check=True)
    table = pages.rows(pages.section(ARCHIVE, "## `.build`"))
    said = {code.split("/")[0] for cells in table for code in pages.code_spans(cells[0])}
    assert said == {entry.name for entry in (pipeline.root / ".build").iterdir()}


def uploaded(pipeline: Pipeline, cluster: Cluster) -> Any:
    """Upload a pipeline with an archive above 32 MiB; return a client of the cluster."""
    client = cluster.client()
    client.remove("//tmp/test/build", recursive=True, force=True)
    pipeline.configure("build_folder: //tmp/test/build")
    pipeline.write("stages/first/src/noise.bin", secrets.token_bytes(33 << 20))
    pipeline.run("upload", check=True, **cluster.environment)
    return client


def test_every_entry_of_build_folder_is_described_with_its_attributes(pipeline: Pipeline, cluster: Cluster) -> None:
    client = uploaded(pipeline, cluster)
    text = pages.section(ARCHIVE, "## `build_folder` on a cluster")
    said = {cells[0].strip("`") for cells in pages.rows(text)}
    found = {path.split("/")[0] for path in said if "_" not in path}
    assert {str(name) for name in client.list("//tmp/test/build")} == found
    for folder in ("archives", "manifests", "segments"):
        path = f"//tmp/test/build/{folder}"
        path += "/" + str(client.list(path)[0])
        path += "/" + str(client.list(path)[0]) if folder == "segments" else ""
        own = {*client.get(f"{path}/@user_attribute_keys"), "expiration_timeout"}
        assert {path for path in said if "_" in path} == {str(name) for name in own}, folder
    assert client.get("//tmp/test/build/source.tar.gz&/@type") == "link"


def test_every_variable_of_a_job_on_a_cluster_is_described(pipeline: Pipeline, cluster: Cluster) -> None:
    client = cluster.client()
    client.remove("//tmp/test", recursive=True, force=True)
    client.create("table", "//tmp/test/input", recursive=True)
    client.write_table("//tmp/test/input", [{"a": 1}], format=json_rows())
    code = 'import json, os\nprint(json.dumps({"names": sorted(os.environ)}))\n'
    pipeline.write("stages/first/src/mapper.py", code)
    pipeline.configure("build_folder: //tmp/test/build")
    more = "      env: {PUBLIC: 1, HIDDEN: 2}\n      environment_public_keys: PUBLIC\n"
    pipeline.write("stages/first/config.yaml", STAGE_CONFIG + more)
    pipeline.run("run", "--mode", "prod", check=True, **cluster.environment)
    (row,) = client.read_table("//tmp/test/output", format=json_rows())
    said = {
        code
        for cells in pages.rows(pages.section(ARCHIVE, "## Jobs on a cluster"))
        for code in pages.code_spans(cells[0])
    }
    ours = {
        "YT_SECURE_VAULT_<NAME>" if name == "YT_SECURE_VAULT_HIDDEN" else "<NAME>" if name == "HIDDEN" else name
        for name in row["names"]
        # bash sets some itself, and the cluster the others.
        if name not in ("PWD", "SHLVL", "_", "HOME", "PATH", "LC_CTYPE", "YT_SECURE_VAULT", "PUBLIC")
        and not re.match("YT_(JOB|OPERATION|TASK|NODE|START|FIRST)_", name)
    }
    assert ours == said - {"environment_public_keys"}


def test_every_entry_of_the_dev_folder_is_described(pipeline: Pipeline) -> None:
    pipeline.write(".dev/input.jsonl", '{"a": 1}\n')
    pipeline.run("run", check=True)
    table = pages.rows(pages.section(ARCHIVE, "## Jobs in dev"))
    said = {code.split("/")[0] for cells in table for code in pages.code_spans(cells[0])}
    said |= {"first.map.log", "input.jsonl", "output.jsonl"}
    assert {entry.name for entry in (pipeline.root / ".dev").iterdir()} <= said


def test_every_variable_of_a_dev_job_is_described(pipeline: Pipeline) -> None:
    code = 'import json, os\nprint(json.dumps({"names": sorted(os.environ)}))\n'
    pipeline.write("stages/first/src/mapper.py", code)
    pipeline.write("stages/first/requirements.txt")
    pipeline.write(".dev/input.jsonl", "{}\n")
    pipeline.run("run", check=True, TZ="UTC", LC_ALL="C.UTF-8", UNKNOWN="1")
    names = json.loads((pipeline.root / ".dev/output.jsonl").read_text())["names"]
    table = pages.rows(pages.section(ARCHIVE, "### Environment"))
    said = {code for cells in table for code in pages.code_spans(cells[0])}
    # bash sets these three itself.
    assert set(names) - {"PWD", "SHLVL", "_"} <= said


# python-api.md


def test_the_public_names_are_described() -> None:
    text = pages.prose(PYTHON_API)
    for name in set(ytbuild.__all__) - {"__version__"}:
        assert f"`ytbuild.{name}`" in text


WORKSPACE = pages.section(PYTHON_API, "## `ytbuild.Workspace`")


def members(result: type) -> set[str]:
    """Return the fields and properties of a result."""
    properties = {name for name, value in vars(result).items() if isinstance(value, property)}
    return {name for name in (*result.__dataclass_fields__, *properties) if not name.startswith("_")}  # type: ignore[attr-defined]


def test_the_methods_of_a_workspace_are_described_with_their_parameters() -> None:
    said = {}
    for cells in pages.rows(WORKSPACE):
        if "(" in cells[0]:
            name, _, parameters = cells[0].strip("`)").partition("(")
            said[name] = parameters
    for name, method in vars(ytbuild.Workspace).items():
        if inspect.isfunction(method) and not name.startswith("_"):
            own = list(inspect.signature(method).parameters.values())[1:]
            plain = [str(value.replace(annotation=inspect.Parameter.empty)) for value in own]
            assert plain == [part for part in said.pop(name).split(", ") if part not in ("*", "")], name
    assert not said


@pytest.mark.parametrize(
    ("row", "result"),
    [("a build", BuildResult), ("an upload", UploadResult), ("a planned upload", UploadPlan), ("a run", RunResult)],
)
def test_the_members_of_a_result_are_described(row: str, result: type) -> None:
    (text,) = (cells[1] for cells in pages.rows(WORKSPACE) if cells[0] == row)
    text, _, of_a_target = text.partition("(each with ")
    rest = of_a_target.partition(")")
    assert set(pages.code_spans(text + rest[2])) == members(result)
    assert set(pages.code_spans(rest[0])) == (members(BuiltTarget) if of_a_target else set())


def test_the_members_of_a_diff_and_a_planned_run_are_described() -> None:
    said = {cells[0].partition("(")[0]: set(pages.code_spans(cells[1])) for cells in pages.rows(WORKSPACE)}
    assert members(DiffResult) <= said["`diff"]
    internal = {"plan", "secrets", "backend", "registry", "operations", "skipped"}
    assert members(PlannedRun) - internal <= said["`plan_run"]
    assert members(PlannedStage) - {"config"} <= said["`plan_run"]


def test_the_fields_of_run_options_are_described() -> None:
    known = members(ytbuild.RunOptions)
    assert {cells[0].strip("`") for cells in pages.rows(WORKSPACE)} >= known
    assert known == {"stages", "first", "archive", "strict", "keep_sandboxes", "script"}


def test_the_example_of_a_workspace_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert exit_code(["-q", "init", "hello"]) == 0
    example = PYTHON_API.partition("## `ytbuild.Workspace`")[2].partition("```python\n")[2].partition("```")[0]
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(example, "python-api.md", "exec"), {})
    lines = printed.getvalue().splitlines()
    assert "A stages/greet/src/mapper.py" in lines
    assert lines[-2].endswith(" files, 4 targets built")
    assert lines[-1].startswith("there is no table //tmp/hello/names ")


def test_the_members_of_deps_are_described() -> None:
    said = {cells[0].strip("`") for cells in pages.rows(pages.section(PYTHON_API, "## `deps`"))}
    assert said == {f"deps.{name}" for name in ytbuild.StageDependencies.__dataclass_fields__}


def test_the_methods_of_the_client_are_described_with_their_parameters() -> None:
    said = {}
    for cells in pages.rows(pages.section(PYTHON_API, "## `deps.yt_client`")):
        name, _, parameters = cells[0].strip("`)").partition("(")
        said[name] = parameters
    # An operation's spec is made by the executor, and `run_map` and the others are the public way to it.
    methods = {name for name, value in vars(Client).items() if inspect.isfunction(value) and not name.startswith("_")}
    assert set(said) == methods - {"start_operation"}
    for name, parameters in said.items():
        signature = inspect.signature(getattr(Client, name))
        plain = [
            str(value.replace(annotation=inspect.Parameter.empty)).replace(" ", "")
            for value in list(signature.parameters.values())[1:]
        ]
        assert plain == [part for part in parameters.split(", ") if part != "*"], name


def test_the_members_of_a_handle_are_described() -> None:
    text = pages.section(PYTHON_API, "## Running operations")
    said = {cells[0].strip("`").partition("(")[0] for cells in pages.rows(text)}
    members = {name for name in vars(OperationHandle) if not name.startswith("_")}
    # The run itself asks for these two.
    assert members - {"spec", "progress"} <= said


# All pages


def test_the_pages_exist() -> None:
    for name in ("tutorial", "how-to"):
        assert (pages.DOCS / f"{name}.md").is_file()
    names = {page.stem for page in pages.REFERENCE.glob("*.md")}
    assert {"commands", "configuration", "archive", "ignore-rules", "errors", "python-api", "prod"} <= names


@pytest.mark.parametrize("page", pages.all_pages(), ids=pages.shown)
def test_every_relative_link_leads_somewhere(page: Any) -> None:
    for link in pages.links(pages.read(page)):
        if re.match(r"[a-z][a-z0-9+.-]*:", link):
            continue
        path, _, anchor = link.partition("#")
        aim = (page.parent / path).resolve() if path else page
        assert aim.exists(), f"{pages.shown(page)}: {link}"
        assert aim.is_relative_to(pages.ROOT.resolve()) or not path, f"{pages.shown(page)}: {link} leaves the project"
        if anchor:
            assert anchor in pages.anchors(pages.read(aim)), f"{pages.shown(page)}: {link}"


@pytest.mark.parametrize("page", pages.all_pages(), ids=pages.shown)
def test_a_file_to_write_is_named_in_the_text_above_it(page: Any) -> None:
    """A block's title is for the tests: not everything that shows Markdown shows it."""
    text = pages.read(page)
    lines = pages.prose(text).splitlines()
    for step in console.steps(text):
        if isinstance(step, console.File):
            above = "\n".join(lines[: step.line]).rstrip().rpartition("\n\n")[2]
            assert f"`{step.path}`" in above, f"{pages.shown(page)}:{step.line}"


def command_lines(text: str) -> Iterator[list[str]]:
    """Give the words after `ytbuild` of every command line that a page shows, in a console block or as code."""
    lines = [step.text for step in console.steps(text) if isinstance(step, console.Command)]
    lines += [code for code in pages.code_spans(text) if code.startswith("ytbuild ")]
    for line in lines:
        tokens = shlex.shlex(line, posix=True, punctuation_chars=True)
        tokens.whitespace_split = True
        words: list[str] = []
        for word in [*tokens, ";"]:
            if set(word) <= set("&|;"):
                while words and re.match(r"\w+=", words[0]):
                    del words[0]
                if words[:1] == ["ytbuild"]:
                    yield words[1:]
                words = []
            else:
                words.append(word)


@pytest.mark.parametrize("page", pages.all_pages(), ids=pages.shown)
def test_no_page_names_a_command_or_an_option_that_does_not_exist(page: Any) -> None:
    with_value = {
        spelling
        for parameter in cli.params
        if isinstance(parameter, click.Option) and not parameter.is_flag
        for spelling in parameter.opts
    }
    for words in command_lines(pages.read(page)):
        known, name, takes_value = options(cli), None, False
        for word in words:
            if takes_value:
                takes_value = False
            elif word.startswith("-"):
                assert word.partition("=")[0] in known, f"{pages.shown(page)}: ytbuild {' '.join(words)}"
                takes_value = word in with_value
            elif name is None:
                name = word
                # COMMAND is what pages write for any of them.
                assert name in (*COMMAND_NAMES, "COMMAND"), f"{pages.shown(page)}: ytbuild {' '.join(words)}"
                known = known if name == "COMMAND" else options(command(name))
