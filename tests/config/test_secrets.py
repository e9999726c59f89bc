"""`configs/secrets.env`: what a line may look like, and that no complaint shows what a line holds."""

from __future__ import annotations

from pathlib import Path

import pytest

from ytbuild.base.errors import SecretsFileError
from ytbuild.config import secrets


def _load(folder: Path, text: str | bytes) -> dict[str, str]:
    (folder / "configs").mkdir(exist_ok=True)
    (folder / "configs" / "secrets.env").write_bytes(text.encode() if isinstance(text, str) else text)
    return secrets.load(str(folder))


LINES = [
    ("a plain value", "A=b", {"A": "b"}),
    ("spaces around", "  A = b  ", {"A": "b"}),
    ("an equals sign in the value", "A=b=c==", {"A": "b=c=="}),
    ("double quotes", 'A="b c"', {"A": "b c"}),
    ("single quotes", "A='b c'", {"A": "b c"}),
    ("spaces within quotes", 'A=" b "', {"A": " b "}),
    ("quotes within quotes", "A='\"b\"'", {"A": '"b"'}),
    ("one quote only", 'A="b', {"A": '"b'}),
    ("quotes in the middle", 'A=b"c"d', {"A": 'b"c"d'}),
    ("a quote as the whole value", "A='", {"A": "'"}),
    ("an empty value", "A=", {"A": ""}),
    ("an empty value in quotes", 'A=""', {"A": ""}),
    ("export", "export A=b", {"A": "b"}),
    ("export and a tab", "export\tA=b", {"A": "b"}),
    ("a name that begins with export", "exported=b", {"exported": "b"}),
    ("a comment", "# A=b\nC=d", {"C": "d"}),
    ("a comment after spaces", "  # A=b\nC=d", {"C": "d"}),
    ("a hash in the value", "A=b#c", {"A": "b#c"}),
    ("blank lines", "\n\n  \nA=b\n\n", {"A": "b"}),
    ("a byte order mark", "\ufeffA=b", {"A": "b"}),
    ("carriage returns", "A=b\r\nC=d\r\n", {"A": "b", "C": "d"}),
    ("no end of the last line", "A=b\nC=d", {"A": "b", "C": "d"}),
    ("the last of two wins", "A=b\nA=c", {"A": "c"}),
    ("no variables are filled in", "A=$HOME/${B}", {"A": "$HOME/${B}"}),
    ("backslashes stay", "A=b\\nc", {"A": "b\\nc"}),
    ("letters beyond ASCII", "A=пароль", {"A": "пароль"}),
    ("separators that are no line's end", "A=b\u2028c\x0cd\x85e", {"A": "b\u2028c\x0cd\x85e"}),
    ("an empty file", "", {}),
]


@pytest.mark.parametrize(("text", "expected"), [line[1:] for line in LINES], ids=[line[0] for line in LINES])
def test_secrets_env_is_read_with(tmp_path: Path, text: str, expected: dict[str, str]) -> None:
    assert _load(tmp_path, text) == expected


@pytest.mark.parametrize(
    "line", ["s3cret", "s3-cret=x", "3s3cret=x", "=s3cret", "s3 cret=x", "export s3cret", "é=s3cret"]
)
def test_a_bad_line_is_named_by_its_number_and_not_shown(tmp_path: Path, line: str) -> None:
    with pytest.raises(SecretsFileError) as caught:
        _load(tmp_path, f"# comment\n\nA=b\n{line}\n")
    assert "configs/secrets.env:4" in caught.value.message
    assert "s3" not in caught.value.message + caught.value.hint


def test_an_error_keeps_no_trace_of_the_content_in_its_causes(tmp_path: Path) -> None:
    with pytest.raises(SecretsFileError) as caught:
        _load(tmp_path, b"A=s3cret\xff\n")
    assert caught.value.__cause__ is None and caught.value.__suppress_context__
    assert "UTF-8" in caught.value.message


def test_a_missing_file_holds_no_secrets(tmp_path: Path) -> None:
    assert secrets.load(str(tmp_path)) == {}


def test_a_directory_in_its_place_is_an_error_by_name(tmp_path: Path) -> None:
    (tmp_path / "configs" / "secrets.env").mkdir(parents=True)
    with pytest.raises(SecretsFileError, match=r"configs/secrets\.env"):
        secrets.load(str(tmp_path))


def test_the_environment_wins_over_the_file() -> None:
    assert secrets.choose(["A"], {"A": "file"}, {"A": "environment"}) == {"A": "environment"}


def test_only_the_secrets_asked_for_are_chosen() -> None:
    assert secrets.choose(["A"], {"A": "1", "B": "2"}, {"C": "3"}) == {"A": "1"}


def test_a_secret_may_be_empty() -> None:
    assert secrets.choose(["A"], {"A": ""}, {}) == {"A": ""}


def test_a_secret_without_a_value_is_an_error_by_name() -> None:
    with pytest.raises(SecretsFileError, match="NOWHERE") as caught:
        secrets.choose(["A", "NOWHERE"], {"A": "s3cret"}, {})
    assert "s3cret" not in caught.value.message + caught.value.hint
