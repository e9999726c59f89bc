"""`configs/secrets.env`: `KEY=VALUE` lines, below the process environment, which wins."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping

from ytbuild.base.errors import SecretsFileError
from ytbuild.base.files import read_regular

SECRETS_FILE = os.path.join("configs", "secrets.env")

_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z")


def load(pipeline_dir: str) -> dict[str, str]:
    """Return the secrets of a pipeline; a missing file is an empty one.

    Raises `SecretsFileError`, with the line's number and never with its content, for a line that is no
    `KEY=VALUE`.
    """
    path = os.path.join(pipeline_dir, SECRETS_FILE)
    try:
        lines = read_regular(path).decode("utf-8-sig").split("\n")
    except FileNotFoundError:
        return {}
    except (OSError, UnicodeDecodeError) as error:
        reason = "not UTF-8 text" if isinstance(error, UnicodeDecodeError) else error.strerror
        raise SecretsFileError(f"cannot read {SECRETS_FILE}: {reason}", "save it as readable UTF-8 text") from None
    secrets: dict[str, str] = {}
    for number, line in enumerate(lines, 1):
        if line.strip() and not line.lstrip().startswith("#"):
            name, value = _parse(line, number)
            secrets[name] = value
    return secrets


def _parse(line: str, number: int) -> tuple[str, str]:
    name, separator, value = line.partition("=")
    words = name.split()
    name = " ".join(words[1:] if words[:1] == ["export"] and len(words) > 1 else words)
    if not separator or not _NAME.match(name):
        raise SecretsFileError(f"{SECRETS_FILE}:{number}: not KEY=VALUE", "write one NAME=value on each line")
    value = value.strip()
    if len(value) >= 2 and value[0] == value[-1] and value[0] in "'\"":
        value = value[1:-1]
    return name, value


def choose(names: Iterable[str], secrets: Mapping[str, str], environment: Mapping[str, str]) -> dict[str, str]:
    """Return the values of the named secrets; raises `SecretsFileError` for a name that has none."""
    chosen: dict[str, str] = {}
    for name in names:
        value = environment.get(name, secrets.get(name))
        if value is None:
            raise SecretsFileError(
                f"the secret {name} has no value", f"add a line {name}=… to {SECRETS_FILE}, or export it"
            )
        chosen[name] = value
    return chosen
