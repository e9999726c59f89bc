"""Simple documents are not given to OmegaConf: they read as if they were; all others are left to it."""

from __future__ import annotations

import random
from pathlib import Path

import pytest
import yaml
from omegaconf import OmegaConf
from omegaconf.errors import OmegaConfBaseException

from tests.house import ROOT
from ytbuild.base.errors import ConfigError
from ytbuild.config.documents import Documents
from ytbuild.config.yaml_plain import NotSimpleError, simple_value

SIMPLE = [
    "a: 1\nb: [1, 2.5, -3, -0.5, 0, 123456789012345678901234567890]\n",
    "a: true\nb: false\nc: null\nd: ~\ne:\nf: 'yes'\ng: \"1\"\nh: '1e3'\n",
    "text: |\n  several\n  lines\nfolded: >\n  several\n  lines\n",
    "deep: {list: [{a: [{b: {c: [null, '']}}]}]}\n",
    "é: ü\n'odd key \\t': 1\nurl: http://a:1/b\nsize: 64M\npath: //tmp/me\n",
    "# a comment\na: b  # another\n",
    "a: {}\nb: []\n",
    "{}\n",
]
NOT_SIMPLE = [
    "a: 1e3\nb: 1E5\nc: -1e+3\n",
    "a: +1\nb: 017\nc: 0x1f\nd: 1_000\ne: 1:30\nf: 0o17\n",
    "a: 1_000.5\nb: .5\nc: 5.\nd: .inf\ne: 1.e3\nf: 1.5e\n",
    "a: 2020-01-01\nb: 2020-01-01T10:00:00Z\n",
    "a: yes\nb: no\nc: on\n",
    "a: True\nb: FALSE\n",
    "a: &x {b: 1}\nc: *x\n",
    "a: &x {b: 1}\nd:\n  <<: *x\n  e: 2\n",
    "base: &b {lr: 1}\ntuned: &t\n  <<: *b\n  lr: 2\nother:\n  <<: *t\n  d: 3\n",
    "1: one\ntrue: two\n'3': three\n",
    "time: 12:30:45\n",
    "=: 1\n",
    "a: !!str 1\n",
    "a: " + "[" * 30 + "]" * 30 + "\n",
]
WRONG = [
    "a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "a: [\n", "a: b: c\n", "\t- a\n", "a: !!python/x 1\n", "a: &x [*x]\n",
    "a: 1\n---\nb: 2\n", "a: !!map [b]\n", "a: !!int b\n",
]  # fmt: skip
NO_MAPPING = [("- a\n", ["a"]), ("text\n", "text"), ("", None), ("5\n", 5), ("# nothing\n", None)]


def is_simple(data: bytes) -> bool:
    """Tell whether a document is read without OmegaConf."""
    try:
        simple_value(data)
    except NotSimpleError:
        return False
    return True


def by_omegaconf(text: str) -> object:
    """Return what OmegaConf makes of a document."""
    return OmegaConf.to_container(OmegaConf.create(text))


@pytest.mark.parametrize("text", SIMPLE)
def test_a_simple_document_reads_as_omegaconf_reads_it(text: str) -> None:
    assert repr(simple_value(text.encode())) == repr(by_omegaconf(text))


@pytest.mark.parametrize("text", NOT_SIMPLE)
def test_what_is_not_simple_is_left_to_omegaconf(text: str) -> None:
    assert not is_simple(text.encode())


@pytest.mark.parametrize(("text", "value"), NO_MAPPING)
def test_what_is_no_mapping_is_simple_too(text: str, value: object) -> None:
    assert simple_value(text.encode()) == value


@pytest.mark.parametrize("text", WRONG)
def test_what_omegaconf_refuses_is_not_simple(text: str) -> None:
    with pytest.raises((yaml.YAMLError, OmegaConfBaseException, ValueError)):
        OmegaConf.create(text)
    assert not is_simple(text.encode())


@pytest.mark.parametrize("data", [b"a: \xff\n", "a: 1\n".encode("utf-16")])
def test_what_is_not_utf8_is_not_simple(data: bytes) -> None:
    assert not is_simple(data)


@pytest.mark.parametrize("text", NOT_SIMPLE)
def test_what_is_not_simple_is_read_all_the_same(text: str, tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("job:\n" + "".join(f"  {line}\n" for line in text.splitlines()))
    values = Documents(str(tmp_path)).mapping(str(path), "config.yaml", ("job",))
    assert repr(values["job"]) == repr(by_omegaconf(text))


PIECES = (
    *("a", "b", "key", ": ", ":", "- ", ", ", "\n", "\n  ", "\n    ", "{", "}", "[", "]", "'", '"', "#", " # "),
    *("&x ", "*x", "<<", "1", "0", "-", "+", ".", "e3", "_", "true", "yes", "null", "~", "!!str ", "!!int ", "|\n"),
    *(">\n", "? ", "=", "ü", "12:30", "2020-01-01", "0x", "\\n", "@", "%", "`", "\t"),
)


@pytest.mark.parametrize("seed", range(50))
def test_whatever_is_read_as_simple_is_what_omegaconf_reads(seed: int) -> None:
    source = random.Random(seed)
    for _ in range(100):
        text = "a: " + "".join(source.choices(PIECES, k=source.randint(1, 12)))
        if is_simple(text.encode()):
            assert repr(simple_value(text.encode())) == repr(by_omegaconf(text)), text


def test_the_configurations_of_examples_and_rules_are_simple() -> None:
    paths = [*ROOT.glob("examples/**/config.yaml"), *ROOT.glob("rules/**/*.yaml")]
    simple = [path for path in paths if is_simple(path.read_bytes())]
    assert {path for path in paths if path.is_relative_to(ROOT / "rules")} <= set(simple)
    assert len(simple) > 0.8 * len(paths)


@pytest.mark.parametrize("overrides", [(), ("job.one=1",)])
def test_many_entries_are_read_with_and_without_overrides(overrides: tuple[str, ...], tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("job:\n" + "".join(f"  k{number}: {number}\n" for number in range(6000)))
    values = Documents(str(tmp_path)).mapping(str(path), "config.yaml", ("job",), overrides)
    assert len(values["job"]) == 6000 + len(overrides)


def test_a_document_that_is_too_deep_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "config.yaml"
    path.write_text("job: " + "[" * 500 + "]" * 500)
    with pytest.raises(ConfigError, match="recursion"):
        Documents(str(tmp_path)).mapping(str(path), "config.yaml", ("job",))
