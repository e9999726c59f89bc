"""The operation blocks that stage code hands to the drivers: plain dicts, blocks without a kind, wrong ones."""

from __future__ import annotations

import pytest

from tests.run.stages import code, failed, get, operation, put, ran, refused
from tests.support import Pipeline

TABLES = "  input_table: //t/input\n  output_table: //t/output\n"
PLAIN = "{'input_table': '//t/input', 'output_table': '//t/output'}"


def prints(pipeline: Pipeline, script: str) -> None:
    """Write a mapper that says its own name."""
    pipeline.write(f"stages/first/src/{script}", f'print(\'{{"by": "{script}"}}\')\n')


@pytest.fixture
def prepared(pipeline: Pipeline) -> Pipeline:
    """A stage with a mapper and an input table."""
    put(pipeline, "input", [{"n": 1}])
    return pipeline


def test_a_plain_dict_is_a_block(prepared: Pipeline) -> None:
    code(prepared, f"run_map(self.context, {PLAIN})")
    ran(prepared)
    assert get(prepared, "output") == [{"n": 1}]


def test_a_block_that_the_stage_has_merged_is_a_block(prepared: Pipeline) -> None:
    code(
        prepared,
        "from omegaconf import OmegaConf\n"
        "run_map(self.context, OmegaConf.merge(blocks.map, {'output_table': '//t/merged'}))",
    )
    ran(prepared)
    assert get(prepared, "merged") == [{"n": 1}]


def test_what_the_stage_changes_in_a_block_counts(prepared: Pipeline) -> None:
    code(prepared, "blocks.map.output_table = '//t/changed'\nrun_map(self.context, blocks.map)")
    ran(prepared)
    assert get(prepared, "changed") == [{"n": 1}]


@pytest.mark.parametrize("value", ["None", "'map'"])
def test_what_is_no_mapping_is_refused(prepared: Pipeline, value: str) -> None:
    code(prepared, f"run_map(self.context, {value})")
    assert "self.config.client.operations.<name>" in refused(prepared)


def test_a_block_without_a_kind_is_of_the_kind_that_is_called(prepared: Pipeline) -> None:
    operation(prepared, "work:\n" + TABLES)
    code(prepared, "run_map(self.context, blocks.work)")
    ran(prepared)
    assert get(prepared, "output") == [{"n": 1}]


def test_a_block_of_another_kind_is_refused_with_the_driver_to_call(prepared: Pipeline) -> None:
    operation(prepared, "work:\n  kind: map\n" + TABLES)
    code(prepared, "run_reduce(self.context, blocks.work)")
    said = refused(prepared)
    assert "stages/first/config.yaml:5: client.operations.work.kind is 'map'" in said and "call run_map" in said


def test_an_unknown_key_of_a_dict_is_refused_with_the_closest(prepared: Pipeline) -> None:
    code(prepared, "run_map(self.context, {'input_tabel': '//t/a', 'output_table': '//t/b'})")
    said = refused(prepared)
    assert "input_tabel" in said and "did you mean 'input_table'?" in said


def test_a_key_of_another_kind_is_refused_in_a_block_without_a_kind(prepared: Pipeline) -> None:
    operation(prepared, "work:\n" + TABLES + "  map_job_count: 2\n")
    code(prepared, "run_map(self.context, blocks.work)")
    said = refused(prepared)
    assert "stages/first/config.yaml:7" in said and "client.operations.work.map_job_count" in said


def test_an_unknown_resource_is_refused_with_the_closest(prepared: Pipeline) -> None:
    code(prepared, "run_map(self.context, {'input_table': '//t/a', 'resources': {'job_cuont': 2}})")
    assert "did you mean 'job_count'?" in refused(prepared)


@pytest.mark.parametrize("key", ["input_table", "output_table"])
def test_a_dict_without_a_table_is_refused(prepared: Pipeline, key: str) -> None:
    code(prepared, f"block = {PLAIN}\ndel block['{key}']\nrun_map(self.context, block)")
    assert f"{key} is missing" in refused(prepared)


@pytest.mark.parametrize("path", ["//t/input[#1:#3]", "t/input"])
def test_a_path_that_is_no_whole_tables_is_refused(prepared: Pipeline, path: str) -> None:
    code(prepared, f"run_map(self.context, {{'input_table': '//t/input', 'output_table': {path!r}}})")
    assert "output_table is " in refused(prepared)


def test_a_missing_input_table_is_named_and_nothing_starts(prepared: Pipeline) -> None:
    code(prepared, "run_map(self.context, {'input_table': '//t/nothing', 'output_table': '//t/output'})")
    said = failed(prepared)
    assert "there is no table //t/nothing" in said and "Traceback" not in said
    assert not (prepared.root / ".dev/output.jsonl").exists() and not list(prepared.root.glob(".dev/*.log"))


def test_interpolations_in_a_block_are_resolved(prepared: Pipeline) -> None:
    operation(
        prepared,
        "folder: {input_table: //t/input}\nmap:\n  input_table: ${client.operations.folder.input_table}\n"
        "  output_table: //t/out${job.factor}\n  env: {FACTOR: '${job.factor}'}",
    )
    code(prepared, 'run_map(self.context, blocks.map, job=\'echo "{\\\\"env\\\\": $FACTOR}"\')')
    ran(prepared)
    assert get(prepared, "out2") == [{"env": 2}]


def test_interpolations_in_a_declared_operation_are_resolved(prepared: Pipeline) -> None:
    operation(prepared, "map:\n  input_table: //t/input\n  output_table: //t/out${job.factor}")
    ran(prepared)
    assert get(prepared, "out2") == [{"n": 1}]


@pytest.mark.parametrize("value", ["${job.nothing}", "???"])
def test_a_value_that_is_not_there_is_refused(prepared: Pipeline, value: str) -> None:
    operation(prepared, f"work:\n  input_table: //t/input\n  output_table: {value}")
    code(prepared, "run_map(self.context, blocks.work)")
    assert "stages/first/config.yaml" in refused(prepared)


def test_two_operations_of_one_kind_run_their_own_scripts(prepared: Pipeline) -> None:
    for script in ("one.py", "two.py"):
        prints(prepared, script)
    operation(
        prepared,
        "a:\n  kind: map\n  script: one.py\n  input_table: //t/input\n  output_table: //t/a\n"
        "b:\n  kind: map\n  script: two.py\n  input_table: //t/input\n  output_table: //t/b",
    )
    code(prepared, "run_map(self.context, blocks.b)\nrun_map(self.context, blocks.a)")
    ran(prepared)
    assert (get(prepared, "a"), get(prepared, "b")) == ([{"by": "one.py"}], [{"by": "two.py"}])


def test_two_blocks_of_one_script_run_it(prepared: Pipeline) -> None:
    prints(prepared, "mapper.py")
    operation(
        prepared,
        "a:\n  kind: map\n  input_table: //t/input\n  output_table: //t/a\n"
        "b:\n  kind: map\n  input_table: //t/a\n  output_table: //t/b",
    )
    code(prepared, "run_map(self.context, blocks.a)\nrun_map(self.context, blocks.b)")
    ran(prepared)
    assert get(prepared, "b") == [{"by": "mapper.py"}]


def test_a_script_of_a_block_that_no_build_saw_is_refused(prepared: Pipeline) -> None:
    prints(prepared, "special.py")
    operation(prepared, "work:\n  script: special.py\n" + TABLES)
    code(prepared, "run_map(self.context, blocks.work)")
    said = refused(prepared)
    assert "special.py" in said and "with kind: map" in said


def test_a_script_that_another_block_declares_can_be_named(prepared: Pipeline) -> None:
    prints(prepared, "special.py")
    operation(
        prepared, "known:\n  kind: map\n  script: special.py\n" + TABLES + "work:\n  script: special.py\n" + TABLES
    )
    code(prepared, "run_map(self.context, blocks.work)")
    ran(prepared)
    assert get(prepared, "output") == [{"by": "special.py"}]


def test_a_block_without_a_script_does_not_run_that_of_another_block(prepared: Pipeline) -> None:
    prints(prepared, "mapper.py")
    prints(prepared, "special.py")
    operation(prepared, "known:\n  kind: map\n  script: special.py\n" + TABLES + "work:\n" + TABLES)
    code(prepared, "run_map(self.context, blocks.work)")
    result = prepared.run("run")
    assert result.returncode == 2 or get(prepared, "output") == [{"by": "mapper.py"}]


def test_a_block_without_a_script_in_a_stage_without_one_is_refused(prepared: Pipeline) -> None:
    (prepared.root / "stages/first/src/mapper.py").rename(prepared.root / "stages/first/src/other.py")
    operation(prepared, "work:\n" + TABLES)
    code(prepared, "run_map(self.context, blocks.work)")
    assert "create stages/first/src/mapper.py" in refused(prepared)
