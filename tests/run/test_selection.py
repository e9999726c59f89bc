"""Which stages run: names, `--from`, `--mode`; and what `--keep-sandboxes` keeps."""

from __future__ import annotations

import pytest

from tests.run.stages import failed, put, ran
from tests.support import Pipeline


@pytest.fixture
def three(pipeline: Pipeline) -> Pipeline:
    """Stages one, two and three, each with a vanilla job; a fourth is not enabled."""
    for name in ("one", "two", "three", "four"):
        pipeline.write(f"stages/{name}/config.yaml", "client: {operations: {vanilla: {}}}\n")
        pipeline.write(f"stages/{name}/src/vanilla.py", "import time\nprint(time.time_ns())\n")
    pipeline.configure("mode: dev", "[one, two, three]")
    return pipeline


def order(pipeline: Pipeline) -> list[str]:
    """Return the stages that ran, in the order in which they did."""
    logs = {path.name.split(".")[0]: int(path.read_text()) for path in pipeline.root.glob(".dev/*.log")}
    return sorted(logs, key=lambda name: logs[name])


@pytest.mark.parametrize(
    ("arguments", "stages"),
    [
        ((), ["one", "two", "three"]),
        (("two",), ["two"]),
        (("three", "one"), ["one", "three"]),
        (("--from", "two"), ["two", "three"]),
        (("-o", "stages.enabled_stages=[three,two]"), ["three", "two"]),
        (("-o", "stages.enabled_stages=[three,one]", "--from", "one"), ["one"]),
    ],
)
def test_the_chosen_stages_run_in_the_pipelines_order(
    three: Pipeline, arguments: tuple[str, ...], stages: list[str]
) -> None:
    assert ran(three, *arguments).count("\nstage ") == len(stages)
    assert order(three) == stages


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("tow",), "did you mean 'two'?"),
        (("one", "tow"), "did you mean 'two'?"),
        (("--from", "tow"), "did you mean 'two'?"),
        (("four",), "'four' is not enabled in configs/config.yaml"),
        (("--from", "zzz"), "enabled: one, two, three"),
        (("one", "--from", "two"), "exclude each other"),
        (("--mode", "porduction"), "'dev', 'prod'"),
        (("--mode", "prod"), "pipeline"),
        (("-o", "pipeline.mode=prod"), "pipeline"),
        (("--form", "two"), "--from"),
    ],
)
def test_a_wrong_choice_is_refused_before_anything_is_built(
    three: Pipeline, arguments: tuple[str, ...], said: str
) -> None:
    assert said in three.refused("run", *arguments)
    assert not (three.root / ".dev").exists()


def test_an_unknown_enabled_stage_is_refused_before_anything_is_built(three: Pipeline) -> None:
    three.configure("mode: dev", "[one, tow]")
    assert "did you mean 'two'?" in three.refused("run")


def test_the_mode_of_the_command_line_wins(three: Pipeline) -> None:
    three.configure("mode: prod\nbuild_folder: //t/build", "[one, two, three]")
    ran(three, "--mode", "dev", "one")
    assert order(three) == ["one"]


def test_a_stage_that_is_not_chosen_need_not_be_able_to_run(three: Pipeline) -> None:
    three.write("stages/two/config.yaml", "client: {operations: {map: {}}}\n")
    ran(three, "three")
    assert order(three) == ["three"]


def test_the_chosen_stages_do_not_change_the_archive(three: Pipeline) -> None:
    ran(three, "one")
    first = three.archive().read_bytes()
    ran(three, "three")
    assert three.archive().read_bytes() == first and "stages/two/src/vanilla.py" in three.names()


def test_a_failed_stage_stops_those_after_it(three: Pipeline) -> None:
    three.write("stages/two/src/vanilla.py", "raise SystemExit(1)\n")
    assert "stage two" in failed(three)
    assert (three.root / ".dev/one.vanilla.log").exists() and not (three.root / ".dev/three.vanilla.log").exists()


def test_sandboxes_are_kept_when_asked(pipeline: Pipeline) -> None:
    put(pipeline, "input", [{"n": 1}])
    ran(pipeline, "--keep-sandboxes")
    sandbox = next(pipeline.root.glob(".dev/operations/*/sandbox.*.0"))
    assert (sandbox / "stages/first/src/mapper.py").exists()
    assert sandbox.with_name(f"{sandbox.name}.repeat.sh").exists()


def test_kept_sandboxes_are_replaced_by_the_next_run(pipeline: Pipeline) -> None:
    put(pipeline, "input", [{"n": 1}])
    pipeline.write("stages/first/src/extra.py", "")
    ran(pipeline, "--keep-sandboxes")
    (pipeline.root / "stages/first/src/extra.py").unlink()
    ran(pipeline, "--keep-sandboxes")
    assert len(list(pipeline.root.glob(".dev/operations/*/sandbox.*.0"))) == 1
    assert not list(pipeline.root.glob(".dev/operations/**/extra.py"))
