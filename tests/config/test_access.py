"""Which cluster and which token: the order of the places, and that no token shows."""

from __future__ import annotations

from pathlib import Path

import pytest

from ytbuild.base.errors import ConfigError, SecretsFileError
from ytbuild.config import access

pytestmark = pytest.mark.quick

PROXY = {"YT_PROXY": "cluster.example.com"}


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


def token_in(path: Path, text: str | bytes) -> str:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text.encode() if isinstance(text, str) else text)
    return str(path)


def test_the_environment_wins() -> None:
    found = access.find({"YT_PROXY": "a", "YT_TOKEN": "file"}, {"YT_PROXY": "b", "YT_TOKEN": "variable"})
    assert (found.proxy, found.token) == ("b", "variable")
    assert (found.proxy_origin, found.token_origin) == ("YT_PROXY in the environment", "YT_TOKEN in the environment")


def test_the_secrets_file_is_next() -> None:
    found = access.find({"YT_PROXY": "a", "YT_TOKEN": "file"}, {"YT_PROXY": "", "YT_TOKEN": "  "})
    assert (found.proxy, found.token) == ("a", "file")
    assert (found.proxy_origin, found.token_origin) == ("configs/secrets.env", "configs/secrets.env")


def test_then_the_file_that_is_named(home: Path) -> None:
    token_in(home / ".yt" / "token", "default")
    path = token_in(home / "token", " named\n")
    found = access.find({"YT_TOKEN_PATH": "no"}, PROXY | {"YT_TOKEN_PATH": path})
    assert (found.token, found.token_origin) == ("named", path)


def test_the_name_may_stand_in_the_secrets_file(home: Path) -> None:
    token_in(home / "token", "named")
    assert access.find({"YT_TOKEN_PATH": "~/token"}, PROXY).token == "named"


def test_then_the_token_in_the_home_folder(home: Path) -> None:
    token_in(home / ".yt" / "token", "default")
    found = access.find({}, PROXY)
    assert (found.token, found.token_origin) == ("default", "~/.yt/token")


def test_without_a_token_there_is_none() -> None:
    assert access.find({}, PROXY).token is None


def test_an_empty_token_file_is_none(home: Path) -> None:
    token_in(home / ".yt" / "token", "\n")
    assert access.find({}, PROXY).token is None


def test_without_an_address_it_says_where_one_belongs() -> None:
    with pytest.raises(ConfigError) as caught:
        access.find({}, {"YT_TOKEN": "x"})
    assert "add a line YT_PROXY=" in caught.value.hint


@pytest.mark.parametrize("proxy", ["a", "a.b:80", "http://a:80", "https://a.b", "127.0.0.1:1", "[::1]:80"])
def test_an_address_is_taken_as_it_is(proxy: str) -> None:
    assert access.find({}, {"YT_PROXY": proxy}).proxy == proxy


@pytest.mark.parametrize("proxy", ["http://", "host:port", "host:99999", "two words", "//", "a\x1b[31m"])
def test_what_is_no_address_is_refused(proxy: str) -> None:
    with pytest.raises(ConfigError, match=r"YT_PROXY \(YT_PROXY in the environment\) is no address") as caught:
        access.find({}, {"YT_PROXY": proxy})
    assert caught.value.message.isprintable()


def test_a_password_in_the_address_is_refused_and_not_shown() -> None:
    with pytest.raises(ConfigError) as caught:
        access.find({}, {"YT_PROXY": "http://me:secret@host"})
    assert "secret" not in caught.value.message + caught.value.hint


@pytest.mark.parametrize("token", ["two words", "line\nbreak", "токен", "a\x00b"])
def test_a_token_that_cannot_be_one_is_refused_and_not_shown(token: str) -> None:
    with pytest.raises(SecretsFileError, match="YT_TOKEN in the environment holds no token") as caught:
        access.find({}, PROXY | {"YT_TOKEN": token})
    assert token not in caught.value.message


def test_a_named_file_that_is_missing_is_an_error(home: Path) -> None:
    with pytest.raises(SecretsFileError, match="cannot read the token from"):
        access.find({}, PROXY | {"YT_TOKEN_PATH": str(home / "no")})


def test_a_token_file_that_is_no_text_is_an_error(home: Path) -> None:
    token_in(home / ".yt" / "token", b"\xff")
    with pytest.raises(SecretsFileError, match=r"cannot read the token from ~/\.yt/token"):
        access.find({}, PROXY)


def test_no_representation_shows_the_token() -> None:
    assert "secret" not in repr(access.find({}, PROXY | {"YT_TOKEN": "secret"}))
