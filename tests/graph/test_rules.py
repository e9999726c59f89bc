"""The rules on operations against the installed client: what is passed on must exist there."""

from __future__ import annotations

from pathlib import Path

import pytest
import yaml

from ytbuild.base import shipped
from ytbuild.config.documents import Documents
from ytbuild.graph import rules

BUILDERS = {
    "map": "MapSpecBuilder",
    "map_reduce": "MapReduceSpecBuilder",
    "reduce": "ReduceSpecBuilder",
    "sort": "SortSpecBuilder",
    "vanilla": "VanillaSpecBuilder",
}

# Methods of the builders that are no settings of a spec: plumbing, and what ytbuild fills in itself.
NOT_SETTINGS = {
    "build", "get_finalizer", "get_input_table_paths", "get_output_table_paths", "get_toucher", "prepare",
    "supports_user_job_spec", "mapper", "reducer", "reduce_combiner", "task", "tasks", "input_table_paths",
    "output_table_paths", "output_table_path", "job_count", "map_job_count", "max_failed_job_count", "pool",
    "secure_vault", "sort_by", "reduce_by",
}  # fmt: skip


@pytest.mark.parametrize("kind", sorted(BUILDERS))
def test_the_keys_passed_on_are_those_that_the_client_knows(kind: str, tmp_path: Path) -> None:
    import yt.wrapper

    builder = getattr(yt.wrapper, BUILDERS[kind])
    known = {name for name in dir(builder) if not name.startswith(("_", "begin_"))} - NOT_SETTINGS
    assert rules.load(Documents(str(tmp_path))).operations[kind].passed_on == known


def test_what_all_kinds_pass_on_stands_once(tmp_path: Path) -> None:
    passed_on = [
        rule.passed_on for kind, rule in rules.load(Documents(str(tmp_path))).operations.items() if kind in BUILDERS
    ]
    common = yaml.safe_load(shipped.rule("operations/common.yaml"))["passed_on"]
    assert frozenset(common) == frozenset.intersection(*passed_on) and len(common) == len(set(common))
    own = [yaml.safe_load(shipped.rule(f"operations/{kind}.yaml"))["passed_on"] for kind in BUILDERS]
    assert not any(set(keys) & set(common) for keys in own)


def test_a_query_passes_nothing_on(tmp_path: Path) -> None:
    assert rules.load(Documents(str(tmp_path))).operations["yql"].passed_on == frozenset()


def test_every_kind_has_a_builder(tmp_path: Path) -> None:
    # A query is no operation of the scheduler.
    assert set(rules.load(Documents(str(tmp_path))).operations) == {*BUILDERS, "yql"}
