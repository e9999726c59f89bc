"""Passwords and tokens in `requirements.txt`: the file ships as it is, so they must not be in it."""

from __future__ import annotations

import re

from ytbuild.base.errors import CredentialsError
from ytbuild.base.text import quote

_USER_INFO = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]*)://(?P<user>[^/\s@#?]*)@")
# pip puts the variable's value there when the job runs; the file holds only its name.
_VARIABLE = re.compile(r"\$\{[A-Z0-9_]+\}")


def check_no_credentials(path: str, label: str) -> None:
    """Raise `CredentialsError`, naming the line and not its content, for a URL with credentials in it.

    `user@` alone is no secret where the scheme is ssh; `${NAME}` is a variable that pip reads
    (https://pip.pypa.io/en/stable/reference/requirements-file-format/#using-environment-variables).
    """
    with open(path, encoding="utf-8", errors="replace") as file:
        for number, line in enumerate(file, 1):
            for match in _USER_INFO.finditer(line):
                _, colon, password = match["user"].partition(":")
                ssh = match["scheme"].lower().endswith("ssh")
                secret = password if colon else "" if ssh else match["user"]
                if _VARIABLE.sub("", secret):
                    raise CredentialsError(
                        f"{quote(label)}:{number}: a URL with credentials in it",
                        "write ${NAME} in their place: pip reads it from the environment of the job",
                    )
