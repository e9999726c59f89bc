"""The runner of console blocks itself: it notices whatever is not as the text says."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.docs import console

TEXT = """\
# A title

```console
$ echo one; echo two >&2
one
two
$ mkdir folder; cd folder; export NAME=value
```

```yaml title="inner/file.yaml"
key: 'it''s'
```

```python
print("not run")
```

```console
$ pwd; echo $NAME; cat inner/file.yaml
…/folder
value
key: 'it''s'
$ seq 5
1
…
5
$ (exit 3)
$ echo $?
3
$ printf 'error: no newline'; false
error: …
```
"""


def failures(text: str, folder: Path) -> list[str]:
    """Run a text and return what is not as it says."""
    return console.failures(console.run(console.steps(text), folder), "text.md")


def test_what_is_as_the_text_says_passes(tmp_path: Path) -> None:
    assert failures(TEXT, tmp_path) == []


@pytest.mark.parametrize(
    ("right", "wrong"),
    [
        ("one\ntwo\n", "one\n"),
        ("\nvalue\n", "\nvalu\n"),
        ("1\n…\n5\n", "1\n…\n6\n"),
        ("1\n…\n5\n", "1\n"),
        ("…/folder\n", "/folder\n"),
        ("$ echo $?\n3\n", ""),
        ("error: …\n", "…\n"),
        ("error: …\n", "error: \n"),
    ],
)
def test_what_is_not_as_the_text_says_fails(tmp_path: Path, right: str, wrong: str) -> None:
    assert TEXT.count(right) == 1
    assert len(failures(TEXT.replace(right, wrong), tmp_path)) == 1


def test_a_shell_that_ends_early_is_noticed(tmp_path: Path) -> None:
    with pytest.raises(AssertionError, match="ended early"):
        failures("```console\n$ exit 0\n$ echo more\n```\n", tmp_path)


def test_variables_reach_the_shell(tmp_path: Path) -> None:
    ((_, outcome),) = console.run([console.Command(1, "echo $NAME", ())], tmp_path, NAME="value")
    assert outcome.output == "value\n"


@pytest.mark.parametrize(
    "text", ["ytbuild upload -q", "ytbuild run --mode prod", "yt list //tmp", "ytbuild diff --remote"]
)
def test_a_command_that_talks_to_a_cluster_is_noticed(text: str) -> None:
    assert console.needs_cluster([console.Command(1, "ytbuild run", ()), console.Command(2, text, ())])
    assert not console.needs_cluster([console.Command(1, "ytbuild run", ()), console.File(2, text, "")])


def test_a_block_without_an_end_is_noticed() -> None:
    with pytest.raises(AssertionError, match="has no end"):
        console.steps("```console\n$ echo\n")
