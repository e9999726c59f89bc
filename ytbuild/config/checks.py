"""Checks that every configuration section shares: known keys, and values of the kind they should be."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from ytbuild.base.errors import ConfigError, UnknownKeyError, closest
from ytbuild.base.text import quote
from ytbuild.config.documents import place

NAME_RULE = "ASCII letters, digits, '_', '.' and '-', the first a letter, a digit or '_'"

_MAX_ROW_WEIGHT = 128 << 20
_WEIGHT_UNITS = {"K": 1 << 10, "M": 1 << 20, "G": 1 << 30}


def is_name(name: str) -> bool:
    """Tell whether a name may become part of file names: `[A-Za-z0-9_][A-Za-z0-9_.-]*`."""
    return name.isascii() and bool(name) and name[0] not in ".-" and all(c.isalnum() or c in "_.-" for c in name)


def row_weight(value: Any) -> int | None:
    """Return a `max_row_weight`, such as `64M`, in bytes; None for what is none or above YTsaurus's limit, 128M."""
    text = str(value).strip().upper()
    digits, unit = (text[:-1], _WEIGHT_UNITS[text[-1]]) if text[-1:] in _WEIGHT_UNITS else (text, 1)
    if isinstance(value, bool) or not (digits.isascii() and digits.isdigit() and len(digits) < 20):
        return None
    weight = int(digits) * unit
    return weight if 0 < weight <= _MAX_ROW_WEIGHT else None


@dataclass(frozen=True)
class Section:
    """A mapping inside a YAML file, and where it stands; every complaint names file, line and key."""

    path: str
    label: str
    keys: tuple[str, ...]
    values: dict[str, Any]

    def error(self, key: str, problem: str, hint: str) -> ConfigError:
        """Return the error for one key of this section."""
        where = place(self.path, self.label, (*self.keys, key))
        return ConfigError(f"{where}: {_dotted(*self.keys, key)} {problem}", hint)

    def check_known(self, known: Collection[str]) -> None:
        """Raise `UnknownKeyError` for the first key that is not in `known`."""
        for key in self.values:
            if key not in known:
                where = place(self.path, self.label, (*self.keys, key))
                hint = closest(str(key), known) or f"the keys of {_dotted(*self.keys)} are {', '.join(sorted(known))}"
                raise UnknownKeyError(f"{where}: unknown key {_dotted(*self.keys, str(key))}", hint)

    def section(self, key: str) -> Section:
        """Return the mapping under `key`, empty when it is absent; raises `ConfigError` when it is no mapping."""
        value = self.values.get(key)
        if value is None:
            value = {}
        if not isinstance(value, dict):
            raise self.error(key, "is not a mapping", "write `key: value` lines below it")
        return Section(self.path, self.label, (*self.keys, key), {str(name): item for name, item in value.items()})

    def text(self, key: str) -> str | None:
        """Return the text under `key`, None when it is absent; raises `ConfigError` for anything else."""
        value = self.values.get(key)
        if value is None:
            return None
        if not isinstance(value, str) or not value.strip():
            raise self.error(key, f"is {value!r}, not a text", "give one text")
        return value

    def flag(self, key: str) -> bool:
        """Return the truth value under `key`, false when it is absent; raises `ConfigError` for anything else."""
        value = self.values.get(key)
        if value is not None and not isinstance(value, bool):
            raise self.error(key, f"is {value!r}", "it is true or false")
        return value is True

    def texts(self, key: str) -> tuple[str, ...]:
        """Return a list of texts; a single text counts as a list of one, blanks are dropped."""
        value = self.values.get(key)
        if value is None:
            return ()
        items = [value] if isinstance(value, str) else value
        if not isinstance(items, list) or not all(isinstance(item, str) for item in items):
            raise self.error(key, f"is {value!r}, not a list of texts", "for example [first, second]")
        return tuple(item.strip() for item in items if item.strip())


def _dotted(*keys: str) -> str:
    return ".".join(quote(key) for key in keys if key)
