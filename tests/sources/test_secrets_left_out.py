"""Secrets stay out of archives: files by their names and contents, and passwords in requirements.txt."""

from __future__ import annotations

import pytest

from tests.planning import SRC, members, plan, refused, warnings
from tests.support import Pipeline

PRIVATE_KEY = "-----BEGIN RSA PRIVATE KEY-----\nMIIE\n-----END RSA PRIVATE KEY-----\n"
CERTIFICATE = "-----BEGIN CERTIFICATE-----\nMIID\n-----END CERTIFICATE-----\n"

SECRET_NAMES = [
    *("secrets.env", ".env", ".env.production", "id_rsa", "id_rsa_backup", "id_dsa", "id_ecdsa", "id_ed25519"),
    *(".netrc", ".pgpass", ".pypirc", ".git-credentials", ".htpasswd", "x.kdbx", "x.p12", "x.pfx"),
]
SECRET_FOLDERS = [".ssh/config", ".aws/credentials", ".gnupg/x.gpg"]
HARMLESS_NAMES = [".env.example", ".env.sample", ".env.template", "id_rsa.pub", "id_rsa_tools.py", "env", "x.env"]


@pytest.mark.parametrize("name", SECRET_NAMES + SECRET_FOLDERS)
def test_a_stage_leaves_out_the_secret(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"{SRC}/deep/{name}", "secret")
    assert f"{SRC}/deep/{name}" not in members(pipeline)


@pytest.mark.parametrize("name", SECRET_NAMES + SECRET_FOLDERS)
def test_an_upload_path_leaves_out_the_secret(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"lib/{name}", "secret")
    pipeline.write("lib/x.py")
    pipeline.configure("upload_paths: [{source: lib}]")
    assert list(members(pipeline, "path:lib")) == ["lib/x.py"]


@pytest.mark.parametrize("name", SECRET_NAMES)
def test_a_warning_names_the_secret_that_is_left_out(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"{SRC}/deep/{name}", "content")
    said = warnings(pipeline)
    assert f"{SRC}/deep/{name}" in said and f"!{name}" in said
    assert "content" not in said


@pytest.mark.parametrize("name", SECRET_FOLDERS)
def test_a_warning_names_the_secret_folder_that_is_left_out(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"{SRC}/{name}")
    assert f"{SRC}/{name.split('/')[0]}" in warnings(pipeline)


def test_the_command_prints_the_warning_in_every_build(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/.env", "secret")
    for _ in range(2):
        said = pipeline.run("build", check=True).stderr
        assert "warning: " in said and f"{SRC}/.env" in said


def test_no_secret_is_in_the_archive_s_bytes(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/.env", "secret")
    pipeline.write("configs/secrets.env", "TOKEN=secret\n")
    pipeline.build()
    assert not [name for name in pipeline.names() if "env" in name]


@pytest.mark.parametrize("name", HARMLESS_NAMES)
def test_a_harmless_name_ships(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"{SRC}/{name}")
    assert f"{SRC}/{name}" in members(pipeline) and not warnings(pipeline)


def test_a_secret_that_an_ignore_line_leaves_out_needs_no_warning(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/.env")
    pipeline.write(".ytignore", ".env\n")
    assert not warnings(pipeline)


@pytest.mark.parametrize("line", ["!.env", "!/deep/.env", "!deep/.env"])
def test_an_exact_line_brings_a_secret_back(pipeline: Pipeline, line: str) -> None:
    pipeline.write(f"{SRC}/deep/.env")
    pipeline.write(f"{SRC}/.ytignore", f"{line}\n")
    assert f"{SRC}/deep/.env" in members(pipeline) and not warnings(pipeline)


def test_an_exact_line_may_escape_a_character(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/id_rsa[1]")
    pipeline.write(f"{SRC}/.ytignore", "!id_rsa\\[1\\]\n")
    assert f"{SRC}/id_rsa[1]" in members(pipeline)


@pytest.mark.parametrize("line", ["!*.env", "!*", "!.e*", "!**/.env", "!.en[v]", "!.en?", "!/*/.env"])
def test_a_line_with_a_wildcard_brings_no_secret_back(pipeline: Pipeline, line: str) -> None:
    pipeline.write(f"{SRC}/deep/.env")
    pipeline.write(f"{SRC}/.ytignore", f"{line}\n")
    assert f"{SRC}/deep/.env" not in members(pipeline)
    assert f"{SRC}/deep/.env" in warnings(pipeline)


def test_the_last_line_that_matches_must_be_the_exact_one(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/.env")
    pipeline.write(f"{SRC}/.ytignore", "!.env\n.env\n")
    assert f"{SRC}/.env" not in members(pipeline)


@pytest.mark.parametrize("name", ["site.pem", "site.key", "deep/site.pem"])
def test_a_file_with_a_private_key_is_left_out_with_a_warning(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"{SRC}/{name}", CERTIFICATE + PRIVATE_KEY)
    assert f"{SRC}/{name}" not in members(pipeline)
    assert f"{SRC}/{name}" in warnings(pipeline)


@pytest.mark.parametrize("kind", ["", "EC ", "OPENSSH ", "ENCRYPTED "])
def test_every_kind_of_private_key_is_recognised(pipeline: Pipeline, kind: str) -> None:
    pipeline.write(f"{SRC}/site.pem", f"-----BEGIN {kind}PRIVATE KEY-----\r\nMIIE\r\n")
    assert f"{SRC}/site.pem" not in members(pipeline)


@pytest.mark.parametrize("name", ["cacert.pem", "words.key"])
def test_a_certificate_ships(pipeline: Pipeline, name: str) -> None:
    pipeline.write(f"{SRC}/{name}", CERTIFICATE * 3)
    assert f"{SRC}/{name}" in members(pipeline) and not warnings(pipeline)


def test_a_certificate_that_becomes_a_private_key_is_left_out_from_then_on(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/site.pem", CERTIFICATE)
    pipeline.build()
    pipeline.write(f"{SRC}/site.pem", PRIVATE_KEY)
    pipeline.build()
    assert f"{SRC}/site.pem" not in pipeline.names()


def test_an_exact_line_brings_a_private_key_back(pipeline: Pipeline) -> None:
    pipeline.write(f"{SRC}/site.pem", PRIVATE_KEY)
    pipeline.write(f"{SRC}/.ytignore", "!/site.pem\n")
    assert f"{SRC}/site.pem" in members(pipeline)


@pytest.mark.parametrize("name", ["secrets.env", ".env", "id_rsa", "id_ed25519"])
def test_a_module_leaves_out_the_secret(pipeline: Pipeline, name: str) -> None:
    pipeline.write("ours/__init__.py")
    pipeline.write(f"ours/deep/{name}")
    pipeline.configure("upload_modules: [ours]")
    assert f"ours/deep/{name}" not in members(pipeline, "module:ours")
    assert f"ours/deep/{name}" in warnings(pipeline)


@pytest.mark.parametrize("name", ["site.pem", "site.key", "x.p12", ".netrc", ".htpasswd", "id_card.py"])
def test_a_module_ships_what_only_the_long_list_takes_for_a_secret(pipeline: Pipeline, name: str) -> None:
    pipeline.write("ours/__init__.py")
    pipeline.write(f"ours/{name}", PRIVATE_KEY)
    pipeline.configure("upload_modules: [ours]")
    assert f"ours/{name}" in members(pipeline, "module:ours") and not warnings(pipeline)


@pytest.mark.parametrize("source", [".env", "keys/id_rsa", ".aws", ".ssh/config", "site.pem"])
def test_a_secret_as_upload_path_is_refused(pipeline: Pipeline, source: str) -> None:
    pipeline.write(f"{source}/x" if source == ".aws" else source, PRIVATE_KEY)
    pipeline.configure(f"upload_paths: [{{source: {source}, target: data}}]")
    assert source in refused(pipeline)


def _requires(pipeline: Pipeline, line: str) -> None:
    pipeline.write("stages/first/requirements.txt", f"# packages\nsix\n{line}\n")


CREDENTIALS = [
    "https://user:s3cret@host/simple",
    "https://s3cret@host/simple",
    "git+https://user:s3cret@host/x.git",
    "git+ssh://git:s3cret@host/x.git",
    "http://user:s3cret@host:8080/x.whl",
    "HTTPS://user:s3cret@host/x.whl",
    "https://user:p%40s3cret@host/x.whl",
    "https://${USER}:s3cret@host/x.whl",
    "https://user:s3cret${TOKEN}@host/x.whl",
    "https://user:s3cr@et@host/x.whl",
]


@pytest.mark.parametrize("url", CREDENTIALS)
def test_credentials_in_requirements_txt_are_refused_with_their_line(pipeline: Pipeline, url: str) -> None:
    _requires(pipeline, f"package @ {url}")
    said = refused(pipeline)
    assert "stages/first/requirements.txt:3" in said
    assert "s3c" not in said


@pytest.mark.parametrize("before", ["", "-e ", "-f ", "-i", "--extra-index-url=", "--find-links ", "# ", "package@"])
def test_credentials_are_found_wherever_the_url_stands(pipeline: Pipeline, before: str) -> None:
    _requires(pipeline, f"{before}https://user:s3cret@host/simple")
    assert "stages/first/requirements.txt:3" in refused(pipeline)


def test_credentials_in_requirements_txt_end_the_real_command(pipeline: Pipeline) -> None:
    _requires(pipeline, "--index-url https://user:s3cret@host/simple")
    said = pipeline.refused()
    assert "stages/first/requirements.txt:3" in said and "s3cret" not in said


HARMLESS_LINES = [
    "package @ https://host/x.whl",
    "--index-url https://${TOKEN}@host/simple",
    "--index-url https://${USER}:${TOKEN}@host/simple",
    "--index-url https://:${TOKEN}@host/simple",
    "git+ssh://git@host/x.git",
    "git+ssh://git@host:2222/x.git@v1.0",
    "ssh://git@host/x.git",
    "package @ https://host/x@1.0/y.whl",
    "package @ git+https://host/x.git@main",
    "mail@example.org",
    "package==1.0  # see https://host/user@page",
]


@pytest.mark.parametrize("line", HARMLESS_LINES)
def test_a_line_of_requirements_txt_without_credentials_is_no_error(pipeline: Pipeline, line: str) -> None:
    _requires(pipeline, line)
    assert "stages/first/requirements.txt" in members(pipeline)


def test_requirements_txt_that_is_not_utf8_is_searched_all_the_same(pipeline: Pipeline) -> None:
    pipeline.write("stages/first/requirements.txt", b"# caf\xe9\nx @ https://user:s3cret@host/x.whl\n")
    assert "stages/first/requirements.txt:2" in refused(pipeline)


def test_credentials_that_come_later_are_found_in_the_next_build(pipeline: Pipeline) -> None:
    _requires(pipeline, "six")
    pipeline.build()
    _requires(pipeline, "x @ https://user:s3cret@host/x.whl")
    assert "stages/first/requirements.txt:3" in pipeline.refused()


def test_the_secrets_of_the_configuration_change_no_key(pipeline: Pipeline) -> None:
    before = plan(pipeline).key
    pipeline.write("configs/secrets.env", "TOKEN=1\n")
    assert plan(pipeline).key == before
