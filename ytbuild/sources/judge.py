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
from ytbuild.sources import ytignore
from ytbuild.sources.ytignore import IgnoreFile, Match

_RULE_FILES = ("default.ytignore", "secrets.ytignore", "secrets-in-modules.ytignore", "private-keys.ytignore")
_KEY_MARK = b"PRIVATE KEY-----"
_KEY_SEARCH_LIMIT = 1 << 20


class LeftOut(NamedTuple):
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

    def _parsed(self, name: str) -> IgnoreFile:
        return ytignore.parse(self._texts[name], f"rules/{name}")


@dataclass(frozen=True)
class IgnoreChain:
    """The ignore files that govern a directory: its own, then those of the directories above it.

    `identity` stands for the content of all of them, so two directories with equal identities get equal verdicts
    for equal entries. The files are parsed only when an entry has to be judged.
    """

    identity: bytes
    parent: IgnoreChain | None = None
    path: str = ""
    label: str = ""
    prefix: bytes = b""
    digest: bytes = b""

    def extended(self, path: str, label: str, prefix: bytes, digest: bytes) -> IgnoreChain:
        """Return the chain for a directory that holds an ignore file of its own with this content hash."""
        # The name is part of it because verdicts name the file.
        name = os.fsencode(label)
        identity = xxh3_128_digest(self.identity + b"%d:%s%d:%s" % (len(prefix), prefix, len(name), name) + digest)
        return IgnoreChain(identity, self, path, label, prefix, digest)

    @cached_property
    def files(self) -> tuple[IgnoreFile, ...]:
        """The parsed files, the deepest first."""
        if self.parent is None:
            return ()
        data = ytignore.read_bytes(self.path, self.label)
        if xxh3_128_digest(data) != self.digest[:16]:
            raise IgnoreFileError(f"{quote(self.label)} changed during the build", "run the command again")
        return (ytignore.parse(data, self.label, self.prefix), *self.parent.files)


class Judge:
    """Says of a directory's entries whether they ship, by one chain of ignore files."""

    def __init__(self, chain: IgnoreChain, rules: BuiltinRules, is_module: bool) -> None:
        self._files = (*chain.files, rules.default)
        self._rules = rules
        self._is_module = is_module
        secrets = rules.secrets_in_modules if is_module else rules.secrets
        everything = (*self._files, secrets, rules.private_keys)
        # Most entries match no line at all: one look at the name settles them.
        self._names = ytignore.any_of([p.regex for file in everything for p in file.patterns if p.basename])
        self._has_paths = any(file.paths is not None for file in everything)

    def left_out(self, folder: bytes, parent: str, name: str, is_directory: bool) -> LeftOut | None:
        """Return why the entry `name` of the directory `parent` is left out, or None when it ships.

        `folder` is that directory relative to the outermost one that has ignore files, as bytes, with a slash at
        the end unless empty.
        """
        raw = os.fsencode(name)
        if not self._has_paths and (self._names is None or self._names.fullmatch(raw) is None):
            return None
        path = f"{parent}/{name}"
        entry = folder + raw
        match = self._first(entry, raw, is_directory)
        if match is not None and not match.pattern.negated:
            return LeftOut(match.file, match.pattern.line, match.pattern.text, False)
        secret = _secret(self._rules, self._is_module, entry, raw, path, is_directory)
        if secret is None or (match is not None and match.pattern.literal and match.pattern.negated):
            return None
        return LeftOut(secret.file, secret.pattern.line, secret.pattern.text, True)

    def _first(self, entry: bytes, name: bytes, is_directory: bool) -> Match | None:
        for file in self._files:
            match = file.match(entry, name, is_directory)
            if match is not None:
                return match
        return None


def is_secret(rules: BuiltinRules, top: str, path: str) -> bool:
    """Tell whether a file below `top` never ships unasked: by its name, its content, or a folder on its way."""
    parts = os.fsencode(os.path.relpath(path, top)).split(b"/")
    for count, name in enumerate(parts, 1):
        entry = b"/".join(parts[:count])
        if _secret(rules, False, entry, name, path, count < len(parts)) is not None:
            return True
    return False


def _secret(
    rules: BuiltinRules, is_module: bool, entry: bytes, name: bytes, path: str, is_directory: bool
) -> Match | None:
    named = rules.secrets_in_modules if is_module else rules.secrets
    match = named.match(entry, name, is_directory)
    if match is not None:
        return None if match.pattern.negated else match
    if is_module or is_directory:
        return None
    match = rules.private_keys.match(entry, name, is_directory)
    return match if match is not None and _holds_private_key(path) else None


def _holds_private_key(path: str) -> bool:
    try:
        with open(os.open(path, READ), "rb") as file:
            return _KEY_MARK in file.read(_KEY_SEARCH_LIMIT)
    except OSError:
        return False
