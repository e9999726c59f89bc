"""What a target's key covers: each ingredient changes it, and nothing else does."""

from __future__ import annotations

import dataclasses
import os
import shutil
from pathlib import Path
from typing import Any

import pytest

from tests.planning import SRC, link, plan
from tests.support import Pipeline
from ytbuild.base import shipped
from ytbuild.graph.target import (
    EXEMPT_FIELDS,
    Member,
    TargetInputs,
    archive_key,
    encode_member,
    fields,
    target_key,
)

pytestmark = pytest.mark.quick

MEMBER = Member("lib/x.py", False, 3, b"d" * 16, "", "/home/me/lib/x.py")
LINK = Member("lib/l.py", False, 0, b"", "x.py", "")
INPUTS = TargetInputs("path:lib", b"rules", (LINK, MEMBER))

# Another value for every field there is: a field that is added must be added here too.
OTHER_MEMBER_VALUES: dict[str, Any] = {
    "arcname": "lib/y.py",
    "executable": True,
    "size": 4,
    "digest": b"e" * 16,
    "link": "y.py",
    "origin": "/home/you/lib/x.py",
}
OTHER_INPUTS_VALUES: dict[str, Any] = {
    "name": "path:lib2",
    "rules": b"other rules",
    "members": (MEMBER,),
}


def _key(*members: Member, name: str = "path:lib", rules: bytes = b"rules") -> bytes:
    return target_key(TargetInputs(name, rules, members))


@pytest.mark.parametrize("name", Member._fields)
def test_a_field_of_a_member_is_hashed_or_declared_exempt(name: str) -> None:
    changed = MEMBER._replace(**{name: OTHER_MEMBER_VALUES[name]})
    assert changed != MEMBER
    assert (_key(changed) == _key(MEMBER)) is (name in EXEMPT_FIELDS), name


@pytest.mark.parametrize("name", [field.name for field in dataclasses.fields(TargetInputs)])
def test_a_field_of_a_target_is_hashed_or_declared_exempt(name: str) -> None:
    changed = dataclasses.replace(INPUTS, **{name: OTHER_INPUTS_VALUES[name]})
    assert changed != INPUTS
    assert (target_key(changed) == target_key(INPUTS)) is (name in EXEMPT_FIELDS), name


def test_every_exempt_field_exists_and_says_why() -> None:
    known = {*Member._fields, *(field.name for field in dataclasses.fields(TargetInputs))}
    assert set(EXEMPT_FIELDS) <= known
    assert all(EXEMPT_FIELDS.values())


def test_the_key_hashes_exactly_what_its_fields_list() -> None:
    kinds = [(field.kind, field.label) for field in fields(INPUTS)]
    assert kinds == [("schema", ""), ("name", ""), ("rules", ""), ("member", "lib/l.py"), ("member", "lib/x.py")]


def test_equal_inputs_give_equal_keys() -> None:
    assert _key(MEMBER, LINK) == _key(MEMBER._replace(), LINK._replace())


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ((MEMBER._replace(arcname="a/bc"),), (MEMBER._replace(arcname="ab/c"),)),
        ((MEMBER._replace(arcname="ab", link="c"),), (MEMBER._replace(arcname="a", link="bc"),)),
        ((MEMBER._replace(arcname="a1:b"),), (MEMBER._replace(arcname="a", link="b"),)),
        ((MEMBER._replace(arcname="a-3", size=3),), (MEMBER._replace(arcname="a", size=33),)),
        ((MEMBER._replace(arcname="ax"),), (MEMBER._replace(arcname="a", executable=True),)),
        ((MEMBER._replace(size=1, digest=b"6" * 16),), (MEMBER._replace(size=16, digest=b"6" * 15),)),
        ((MEMBER, LINK), (MEMBER,)),
        ((MEMBER, MEMBER), (MEMBER,)),
        ((), (MEMBER,)),
    ],
)
def test_inputs_that_look_alike_joined_have_different_keys(one: tuple[Member, ...], two: tuple[Member, ...]) -> None:
    assert _key(*one) != _key(*two)


def test_a_name_cannot_run_into_the_rules() -> None:
    assert _key(name="path:a", rules=b"bc") != _key(name="path:ab", rules=b"c")


def test_members_have_different_encodings_unless_they_are_equal() -> None:
    members = [MEMBER, LINK]
    members += [MEMBER._replace(**{name: value}) for name, value in OTHER_MEMBER_VALUES.items() if name != "origin"]
    assert len({encode_member(member) for member in members}) == len(members)


def test_the_archive_s_key_covers_names_keys_and_order_of_targets() -> None:
    keys = [
        archive_key([]),
        archive_key([("a", b"1")]),
        archive_key([("b", b"1")]),
        archive_key([("a", b"2")]),
        archive_key([("a", b"1"), ("b", b"2")]),
        archive_key([("b", b"2"), ("a", b"1")]),
        archive_key([("a1", b""), ("b", b"2")]),
    ]
    assert len(set(keys)) == len(keys)


def _keys(pipeline: Pipeline) -> dict[str, bytes]:
    """Return the key of every target."""
    return {target.name: target.key for target in plan(pipeline).targets}


@pytest.fixture
def with_lib(pipeline: Pipeline) -> Pipeline:
    """A pipeline with a folder `lib` that ships."""
    pipeline.write("lib/a/bc.txt", "content")
    pipeline.write("lib/x.py", "x")
    pipeline.write("lib/y.py", "y")
    link(pipeline, "lib/l", "x.py")
    pipeline.configure("upload_paths: [{source: lib}]")
    return pipeline


def _edit(root: Path) -> None:
    (root / "lib/x.py").write_text("z")


def _grow(root: Path) -> None:
    (root / "lib/x.py").write_text("xx")


def _make_executable(root: Path) -> None:
    (root / "lib/x.py").chmod(0o755)


def _rename(root: Path) -> None:
    (root / "lib/x.py").rename(root / "lib/z.py")
    (root / "lib/l").unlink()
    (root / "lib/l").symlink_to("z.py")


def _move(root: Path) -> None:
    (root / "lib/ab").mkdir()
    (root / "lib/a/bc.txt").rename(root / "lib/ab/c.txt")


def _add(root: Path) -> None:
    (root / "lib/empty").touch()


def _remove(root: Path) -> None:
    (root / "lib/y.py").unlink()


def _ignore(root: Path) -> None:
    (root / ".ytignore").write_text("y.py\n")


def _retarget(root: Path) -> None:
    (root / "lib/l").unlink()
    (root / "lib/l").symlink_to("y.py")


def _follow(root: Path) -> None:
    (root / "lib/l").unlink()
    (root / "lib/l").write_text("x")


def _swap(root: Path) -> None:
    (root / "lib/x.py").write_text("y")
    (root / "lib/y.py").write_text("x")


CHANGES = [_edit, _grow, _make_executable, _rename, _move, _add, _remove, _ignore, _retarget, _follow, _swap]


@pytest.mark.parametrize("change", CHANGES, ids=[change.__name__[1:] for change in CHANGES])
def test_a_change_of_the_files_changes_the_key_of_their_target_alone(with_lib: Pipeline, change: Any) -> None:
    before = _keys(with_lib)
    change(with_lib.root)
    after = _keys(with_lib)
    assert {name for name in after if after[name] != before[name]} == {"path:lib"}


@pytest.mark.parametrize("change", CHANGES, ids=[change.__name__[1:] for change in CHANGES])
def test_a_change_of_the_files_is_seen_by_a_build_that_has_the_index(with_lib: Pipeline, change: Any) -> None:
    before = with_lib.build()["key"]
    change(with_lib.root)
    assert plan(with_lib).key != before


def test_another_target_name_changes_the_key(with_lib: Pipeline) -> None:
    before = _keys(with_lib)["path:lib"]
    with_lib.configure("upload_paths: [{source: lib, target: lib2}]")
    assert _keys(with_lib)["path:lib2"] != before


def test_another_source_with_the_same_files_keeps_the_key(with_lib: Pipeline) -> None:
    before = plan(with_lib).key
    (with_lib.root / "lib").rename(with_lib.root / "moved")
    with_lib.configure("upload_paths: [{source: moved, target: lib}]")
    assert plan(with_lib).key == before


def test_times_and_other_mode_bits_keep_the_key(with_lib: Pipeline) -> None:
    before = plan(with_lib).key
    os.utime(with_lib.root / "lib/x.py", (1, 1))
    (with_lib.root / "lib/x.py").chmod(0o606)
    (with_lib.root / "lib").chmod(0o700)
    assert plan(with_lib).key == before


def test_a_script_changes_the_key_of_its_stage_and_not_that_of_the_wrappers(pipeline: Pipeline) -> None:
    before = _keys(pipeline)
    pipeline.write(f"{SRC}/mapper.py", "# edited\n")
    after = _keys(pipeline)
    assert {name for name in after if after[name] != before[name]} == {"stage:first"}


def test_another_script_changes_the_key_of_the_wrappers(pipeline: Pipeline) -> None:
    before = _keys(pipeline)["wrappers"]
    pipeline.write(f"{SRC}/other.py")
    pipeline.write("stages/first/config.yaml", "client: {operations: {map: {script: other.py}}}\n")
    assert _keys(pipeline)["wrappers"] != before


@pytest.mark.parametrize("name", ["wrappers/python.sh", "operations/map.yaml", "operations/common.yaml"])
def test_the_text_of_a_rule_changes_the_key_of_the_wrappers(
    pipeline: Pipeline, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    before = _keys(pipeline)
    shutil.copytree(shipped.RULES, tmp_path / "rules")
    with open(tmp_path / "rules" / name, "a") as file:
        file.write("# edited\n")
    monkeypatch.setattr(shipped, "RULES", str(tmp_path / "rules"))
    after = _keys(pipeline)
    assert {target for target in after if after[target] != before[target]} == {"wrappers"}


def test_the_order_of_stages_keeps_the_key(pipeline: Pipeline) -> None:
    pipeline.write("stages/second/config.yaml", "job: {}\n")
    pipeline.configure("mode: dev", stages="[first, second]")
    before = plan(pipeline).key
    pipeline.configure("mode: dev", stages="[second, first]")
    assert plan(pipeline).key == before


def test_what_never_ships_changes_no_key(pipeline: Pipeline) -> None:
    before = plan(pipeline).key
    for path in ("configs/secrets.env", "README.md", "stages/first/stage.py", ".dev/x", f"{SRC}/__pycache__/x.pyc"):
        pipeline.write(path, "anything")
    assert plan(pipeline).key == before
