"""Documents without interpolations are not given to OmegaConf: they must read as if they were."""

from __future__ import annotations

import pytest
import yaml
from omegaconf import OmegaConf

from ytbuild.config import yaml_plain

DOCUMENTS = [
    "a: 1\nb: [1, 2.5, 1e3, -1.5E-3, +.inf, .5, 1_000, 0x1f, 0o17, 017, 1:30]\n",
    "a: 2020-01-01\nb: 2020-01-01T10:00:00Z\n",
    "a: yes\nb: no\nc: on\nd: null\ne: ~\nf:\ng: 'yes'\nh: \"1\"\n",
    "a: &x {b: 1}\nc: *x\nd:\n  <<: *x\n  e: 2\n",
    "1: one\ntrue: two\n'3': three\n",
    "text: |\n  several\n  lines\nfolded: >\n  several\n  lines\n",
    "deep: {list: [{a: [{b: {c: [null, '']}}]}]}\n",
    "é: ü\n'odd key \\t': 1\nurl: http://a:1/b\ntime: 12:30:45\n",
    "e: 1e3\nf: 1e\ng: e1\nh: 1.e3\ni: 1.5e\nj: -1e+3\nk: 1E5\nl: 12e03\n",
    "{}\n",
]


@pytest.mark.parametrize("text", DOCUMENTS)
def test_a_document_reads_as_omegaconf_reads_it(text: str) -> None:
    ours = yaml_plain.load(text)
    assert repr(ours) == repr(OmegaConf.to_container(OmegaConf.create(text)))


@pytest.mark.parametrize(
    "text", ["a: 1\na: 2\n", "a: {b: 1, b: 2}\n", "a: [\n", "a: b: c\n", "\t- a\n", "a: !!python/x 1\n"]
)
def test_what_omegaconf_refuses_is_refused(text: str) -> None:
    with pytest.raises(yaml.YAMLError):
        OmegaConf.create(text)
    with pytest.raises(yaml.YAMLError):
        yaml_plain.load(text)
