"""Which entries of a directory are left out, and why: ignore files, then the rules on secrets."""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

from xxhash import xxh3_128_digest

from ytbuild.base import shipped
from ytbuild.base.errors import IgnoreFileError
from ytbuild.base.files import READ
from ytbuild.base.framing import framed
from ytbuild.base.text import quote
from ytbuild.sources import ignore_file
from ytbuild.sources.ignore_file import IgnoreFile, Match, any_of

_RULE_FILES = ("default.ytignore", "secrets.ytignore", "secrets-in-modules.ytignore", "private-keys.ytignore")
_KEY_MARK = b"PRIVATE KEY-----"
_KEY_SEARCH_LIMIT = 1 << 20


class IgnoreReason(NamedTuple):
    """Why an entry is not in the archive: the line that says so, and whether it was taken for a secret."""

    file: str
    line: int
    text: str
    secret: bool

    @property
    def label(self) -> str:
        """The place and the text of the line, for a message."""
        return f"{quote(self.file)}:{self.line}: {quote(self.text)}" if self.file else f"the name {quote(self.text)}"


class BuiltinRules:
    """The ignore rules that come with ytbuild, parsed when first needed."""

    def __init__(self) -> None:
        self._texts = {name: shipped.rule(name) for name in _RULE_FILES}
        self.digest = xxh3_128_digest(framed(self._texts.values()))

    @cached_property
    def default(self) -> IgnoreFile:
        """What is left out of every archive."""
        return self._parsed("default.ytignore")

    @cached_property
    def secrets(self) -> IgnoreFile:
        """What is taken for a secret in the user's own sources."""
        return self._parsed("secrets.ytignore")

    @cached_property
    def secrets_in_modules(self) -> IgnoreFile:
        """What is taken for a secret in an uploaded module."""
        return self._parsed("secrets-in-modules.ytignore")

    @cached_property
    def private_keys(self) -> IgnoreFile:
        """What is taken for a secret when it holds a private key."""
        return self._parsed("private-keys.ytignore")

    def is_secret(self, top: str, path: str) -> bool:
        """Tell whether a file below `top` never ships unasked: by its name, its content, or a folder on its way."""
        parts = os.fsencode(os.path.relpath(path, top)).split(b"/")
        return any(
            self.secret_match(False, b"/".join(parts[:count]), path, count < len(parts)) is not None
            for count in range(1, len(parts) + 1)
        )

    def secret_match(self, is_module: bool, entry: bytes, path: str, is_directory: bool) -> Match | None:
        """Return the line that takes an entry for a secret; the file at `path` is asked for a private key."""
        named = self.secrets_in_modules if is_module else self.secrets
        match = named.match(entry, is_directory)
        if match is not None:
            return None if match.line.negated else match
        if is_module or is_directory:
            return None
        match = self.private_keys.match(entry, is_directory)
        return match if match is not None and _holds_private_key(path) else None

    def _parsed(self, name: str) -> IgnoreFile:
        return ignore_file.parse(self._texts[name], f"rules/{name}")


@dataclass(frozen=True)
class IgnoreChain:
    """The ignore files that govern a directory: its own, then those of the directories above it.

    `identity` stands for the content of all of them, so two directories with equal identities leave out equal
    entries. The files are parsed only when an entry has to be matched.
    """

    identity: bytes
    parent: IgnoreChain | None = None
    path: str = ""
    label: str = ""
    prefix: bytes = b""
    digest: bytes = b""

    def extended(self, path: str, label: str, prefix: bytes, digest: bytes) -> IgnoreChain:
        """Return the chain for a directory that holds an ignore file of its own with this content hash."""
        # The name is part of it because reasons name the file.
        name = os.fsencode(label)
        identity = xxh3_128_digest(self.identity + b"%d:%s%d:%s" % (len(prefix), prefix, len(name), name) + digest)
        return IgnoreChain(identity, self, path, label, prefix, digest)

    @cached_property
    def files(self) -> tuple[IgnoreFile, ...]:
        """The parsed files, the deepest first."""
        if self.parent is None:
            return ()
        data = ignore_file.read_bytes(self.path, self.label)
        if xxh3_128_digest(data) != self.digest[:16]:
            raise IgnoreFileError(f"{quote(self.label)} changed during the build", "run the command again")
        return (ignore_file.parse(data, self.label, self.prefix), *self.parent.files)


class IgnoreRules:
    """What one chain of ignore files and the built-in rules say of a directory's entries."""

    def __init__(self, chain: IgnoreChain, builtin: BuiltinRules, is_module: bool) -> None:
        self.builtin = builtin
        self._files = (*chain.files, builtin.default)
        self._is_module = is_module
        secrets = builtin.secrets_in_modules if is_module else builtin.secrets
        everything = (*self._files, secrets, builtin.private_keys)
        # Most entries match no line at all: one look at the name settles them.
        self._names = any_of(line.body for file in everything for line in file.lines if line.basename)
        self._paths = [(len(file.prefix), paths) for file in everything if (paths := file.paths) is not None]

    def reason(self, folder: bytes, parent: str, name: str, is_directory: bool) -> IgnoreReason | None:
        """Return why the entry `name` of the directory `parent` is left out, or None when it ships.

        `folder` is that directory relative to the outermost one that has ignore files, as bytes, with a slash at
        the end unless empty.
        """
        raw = os.fsencode(name)
        entry = folder + raw
        if self._names.fullmatch(raw) is None and not (
            self._paths and any(paths.fullmatch(entry, start) for start, paths in self._paths)
        ):
            return None
        match = next((match for file in self._files if (match := file.match(entry, is_directory)) is not None), None)
        if match is not None and not match.line.negated:
            return IgnoreReason(match.file, match.line.number, match.line.text, False)
        secret = self.builtin.secret_match(self._is_module, entry, f"{parent}/{name}", is_directory)
        if secret is None or (match is not None and match.line.literal):
            return None
        return IgnoreReason(secret.file, secret.line.number, secret.line.text, True)


def _holds_private_key(path: str) -> bool:
    try:
        with open(os.open(path, READ), "rb") as file:
            return _KEY_MARK in file.read(_KEY_SEARCH_LIMIT)
    except OSError:
        return False
