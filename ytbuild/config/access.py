"""Which cluster to talk to, and with which token: where each was found is part of the answer."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from ytbuild.base.errors import ConfigError, SecretsFileError
from ytbuild.base.text import quote
from ytbuild.config.secrets import SECRETS_FILE

PROXY, TOKEN, TOKEN_PATH = "YT_PROXY", "YT_TOKEN", "YT_TOKEN_PATH"

DEFAULT_TOKEN_FILE = os.path.join("~", ".yt", "token")


@dataclass(frozen=True)
class ClusterAccess:
    """A proxy's address, a token, which is None when there is none, and where they were found."""

    proxy: str
    proxy_origin: str
    token: str | None = field(repr=False)
    token_origin: str

    @property
    def label(self) -> str:
        """How messages name the cluster and where its address came from."""
        return f"{self.proxy} (from {self.proxy_origin})"


def find(secrets: Mapping[str, str], environment: Mapping[str, str]) -> ClusterAccess:
    """Return what `YT_PROXY` and `YT_TOKEN` say; the environment wins over `secrets`.

    The token also comes from the file that `YT_TOKEN_PATH` names, or from `~/.yt/token`, as with the official
    client; without any the cluster is asked without one, which some clusters allow. Raises `ConfigError` when there
    is no proxy, and `SecretsFileError`, without its text, for a token that cannot be one.
    """
    proxy, proxy_origin = _value(PROXY, secrets, environment)
    if not proxy:
        raise ConfigError(
            "there is no cluster to talk to: YT_PROXY is not set",
            f"add a line {PROXY}=<address of its proxy> to {SECRETS_FILE}, or export it",
        )
    if not _is_address(proxy):
        label = "" if "@" in proxy else f": {quote(proxy)}"
        raise ConfigError(f"{PROXY} ({proxy_origin}) is no address{label}", "write a host, or host:port")
    token, token_origin = _value(TOKEN, secrets, environment)
    if not token:
        token, token_origin = _token_file(secrets, environment)
    if token is not None and not (token.isascii() and token.isprintable() and " " not in token):
        raise SecretsFileError(f"{token_origin} holds no token: it has spaces or odd characters", "copy it once more")
    return ClusterAccess(proxy, proxy_origin, token, token_origin)


def _value(name: str, secrets: Mapping[str, str], environment: Mapping[str, str]) -> tuple[str | None, str]:
    if environment.get(name, "").strip():
        return environment[name].strip(), f"{name} in the environment"
    if secrets.get(name, "").strip():
        return secrets[name].strip(), SECRETS_FILE
    return None, "nowhere"


def _is_address(proxy: str) -> bool:
    try:
        parts = urlsplit(proxy if "//" in proxy else f"//{proxy}")
        # Reading the port is what checks it. A password would be shown wherever the address is.
        return bool(parts.hostname and parts.port != 0) and proxy.isprintable() and not set(" @") & set(proxy)
    except ValueError:
        return False


def _token_file(secrets: Mapping[str, str], environment: Mapping[str, str]) -> tuple[str | None, str]:
    named, _ = _value(TOKEN_PATH, secrets, environment)
    path = named or DEFAULT_TOKEN_FILE
    try:
        with open(os.path.expanduser(path), encoding="utf-8") as file:
            token = file.read().strip()
    except (OSError, UnicodeDecodeError) as error:
        if named is None and isinstance(error, FileNotFoundError):
            return None, "nowhere"
        raise SecretsFileError(
            f"cannot read the token from {path}", f"correct {TOKEN_PATH}, or set {TOKEN}"
        ) from None
    return token or None, path
