"""The script beside a kept sandbox that runs its job again."""

from __future__ import annotations

import os
import shlex
from collections.abc import Collection, Mapping

_VAULT = "YT_SECURE_VAULT_"


def path(sandbox: str) -> str:
    """Return the script of a sandbox."""
    return f"{sandbox}.repeat.sh"


def write(sandbox: str, command: str, environment: Mapping[str, str], secret_names: Collection[str]) -> None:
    """Write the script: the same command in the same environment; for the values of secrets it asks by name."""
    lines = ["#!/bin/bash", "# Runs this job again as ytbuild did.", f"cd {shlex.quote(sandbox)} || exit"]
    secret = sorted(secret_names)
    hidden = {*secret, *(_VAULT + name for name in secret)}
    lines += [f': "${{{name}?set it to run this job again}}"' for name in secret]
    kept = " ".join(
        f"{name}={shlex.quote(value)}" for name, value in sorted(environment.items()) if name not in hidden
    )
    passed = " ".join(f'{name}="${name}" {_VAULT}{name}="${name}"' for name in secret)
    lines.append(f"exec env -i {kept} {passed} /bin/bash -c {shlex.quote(command)}")
    script = path(sandbox)
    with open(script, "w", encoding="utf-8", errors="surrogateescape") as file:
        file.write("\n".join(lines) + "\n")
    os.chmod(script, 0o755)
