"""What a job's variables become in a spec: public ones, secrets in the vault, and the command that promotes those."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping
from typing import Any

from ytbuild.backends.base import OperationSpec

ALLOW_REQUESTS = "YT_ALLOW_HTTP_REQUESTS_TO_YT_FROM_JOB"
"""The official client refuses to work inside a job unless this is `1`."""

DOCKER_AUTH = "docker_auth"
MASK = "***"

_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*\Z", re.ASCII)


def public_environment(spec: OperationSpec) -> dict[str, str]:
    """Return the variables that anybody may see on the operation's page; a secret is never one of them."""
    named = {*spec.public_names, ALLOW_REQUESTS} - set(spec.secret_names)
    chosen = {name: value for name, value in spec.environment.items() if name in named}
    return {ALLOW_REQUESTS: "0", **chosen, "YT_STAGE_NAME": spec.stage}


def entries(spec: OperationSpec) -> dict[str, Any]:
    """Return the secure vault: the variables that are not public, the registry's login, what the block adds.

    The block's own entries win: `secure_vault`, `secure_vault_variable`, and those in `spec`.
    """
    public = public_environment(spec)
    secrets: dict[str, Any] = {name: value for name, value in spec.environment.items() if name not in public}
    if spec.resources.docker_image and spec.docker_auth:
        secrets[DOCKER_AUTH] = dict(spec.docker_auth)
    raw = spec.passed_on.get("spec")
    more = raw.get("secure_vault") if isinstance(raw, Mapping) else None
    single = _mapping(spec.passed_on.get("secure_vault_variable"))
    variables = {str(name): str(value) for name, value in single.items()}
    return secrets | dict(spec.secure_vault) | variables | dict(_mapping(more))


def promoted(entries: Mapping[str, Any]) -> tuple[str, ...]:
    """Return the names of those entries of a vault that jobs see as variables of that name.

    The cluster gives each job an entry that is no list or mapping as `YT_SECURE_VAULT_<name>`.
    """
    return tuple(sorted(name for name, value in entries.items() if _VARIABLE.match(name) and _is_single(value)))


def command(text: str, names: tuple[str, ...]) -> str:
    """Return the command of a leg, in which these entries of the vault have their plain names.

    Only names stand in it, never a value: anybody may read an operation's spec.
    """
    exports = [f'export {name}="${{YT_SECURE_VAULT_{name}-}}"' for name in names]
    return f"bash -c {shlex.quote('; '.join([*exports, text]))}"


def masked(entries: Mapping[str, Any]) -> dict[str, str]:
    """Return a vault without its values."""
    return dict.fromkeys(entries, MASK)


def _is_single(value: Any) -> bool:
    return isinstance(value, str | int | float)


def _mapping(value: Any) -> Mapping[Any, Any]:
    return value if isinstance(value, Mapping) else {}
