"""YAML files as plain values, resolved by OmegaConf, and remembered by their content.

Importing OmegaConf takes longer than scanning 10,000 files, so what a file resolved to is kept in
`.build/fingerprints.config`, keyed by its bytes and the overrides. One that reads the environment is resolved anew.
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator
from typing import Any

from xxhash import xxh3_128_digest

from ytbuild.base import cachefile
from ytbuild.base.cachefile import dumps
from ytbuild.base.errors import ConfigError
from ytbuild.base.files import read_regular
from ytbuild.base.text import quote
from ytbuild.config.yaml_plain import NotSimpleError, simple_value

_SCHEMA = "config-1"
_FILE_NAME = "fingerprints.config"
_ENVIRONMENT_RESOLVER = b"oc.env"
_NODES = "max_yaml_expanded_nodes"
_MOST_NODES = 100_000


class Documents:
    """Reads YAML files; `build_dir` is where the resolved values are remembered."""

    def __init__(self, build_dir: str) -> None:
        self._path = os.path.join(build_dir, _FILE_NAME)
        stored = cachefile.load(self._path, _SCHEMA)
        self._known: dict[bytes, Any] = stored if isinstance(stored, dict) else {}
        self._used: dict[bytes, Any] = {}

    def mapping(
        self, path: str, label: str, sections: tuple[str, ...], overrides: tuple[str, ...] = ()
    ) -> dict[str, Any]:
        """Return the mapping in a YAML file, interpolations resolved, `overrides` (`a.b=1`) applied.

        `sections` are the dotted keys that are needed. The others belong to the user's own code, which may know
        resolvers and variables that are not known here; they may be left out of the result.

        Raises `ConfigError` when the file is missing, is not YAML, is no mapping or does not resolve.
        """
        data = read(path, label)
        texts = [data, *(override.encode("utf-8", "surrogateescape") for override in overrides)]
        if any(_ENVIRONMENT_RESOLVER in text for text in texts):
            # Not remembered: what it takes from the environment may be a secret.
            return _resolve(data, label, sections, overrides)
        key = xxh3_128_digest(dumps((sections, texts)))
        if key not in self._used:
            self._used[key] = self._known.get(key) or _resolve(data, label, sections, overrides)
        values = self._used[key]
        assert isinstance(values, dict)
        return values

    def constant(self, data: bytes) -> dict[str, Any]:
        """Return the mapping in YAML text that ytbuild itself ships, which is simple."""
        key = xxh3_128_digest(b"constant" + data)
        if key not in self._used:
            self._used[key] = self._known.get(key) or simple_value(data)
        values = self._used[key]
        assert isinstance(values, dict)
        return values

    def save(self) -> None:
        """Remember what was read; raises `StoreError` when the file cannot be written."""
        if self._used.keys() - self._known.keys():
            cachefile.save(self._path, _SCHEMA, self._used)
            self._known = dict(self._used)


def read(path: str, label: str) -> bytes:
    """Return the content of a configuration file; raises `ConfigError` when it cannot be read."""
    try:
        return read_regular(path)
    except FileNotFoundError:
        raise ConfigError(
            f"{quote(label)} does not exist",
            "create it, or run `ytbuild init DIR` to see a pipeline that works",
        ) from None
    except OSError as error:
        raise ConfigError(f"cannot read {quote(label)}: {error.strerror}", "check the path") from error


def line_of(path: str, keys: tuple[str, ...]) -> int | None:
    """Return the line (from 1) in which the key at the end of `keys` stands, for an error message.

    A key such as `upload_paths[1]` means the second item of the list under it.
    """
    import yaml

    try:
        with open(path, "rb") as file:
            node = yaml.compose(file, Loader=yaml.SafeLoader)
    except (OSError, yaml.YAMLError):
        return None
    line = None
    for key in keys:
        name, _, index = key.removesuffix("]").partition("[")
        value = _under(node, name)
        if value is None:
            return line
        line, node = value
        if index and isinstance(node, yaml.SequenceNode) and int(index) < len(node.value):
            node = node.value[int(index)]
            line = node.start_mark.line + 1
    return line


def _under(node: Any, key: str) -> tuple[int, Any] | None:
    """Return (line, value) of a key in a mapping node."""
    import yaml

    if isinstance(node, yaml.MappingNode):
        for name, value in node.value:
            if name.value == key:
                return name.start_mark.line + 1, value
    return None


def place(path: str, label: str, keys: tuple[str, ...]) -> str:
    """Return `configs/config.yaml:7`, or the file's name alone where the line is not known."""
    line = line_of(path, keys)
    return f"{quote(label)}:{line}" if line else quote(label)


def _resolve(data: bytes, label: str, sections: tuple[str, ...], overrides: tuple[str, ...]) -> dict[str, Any]:
    if not overrides and b"${" not in data and b"???" not in data:
        with contextlib.suppress(NotSimpleError):
            return _mapping(simple_value(data), label)
    values = _resolve_omegaconf(data, label, sections, overrides)
    try:
        dumps(values)
        plain = _is_plain(values)
    except ValueError:
        plain = False
    if not plain:
        raise ConfigError(
            f"{quote(label)}: holds what is no plain value, or an alias to itself",
            "use texts, numbers, truth values, lists and mappings",
        )
    return {str(key): value for key, value in values.items()}


def _mapping(value: Any, label: str) -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise _no_mapping(label)
    return value


def _is_plain(value: Any) -> bool:
    if isinstance(value, dict):
        return all(map(_is_plain, value)) and all(map(_is_plain, value.values()))
    if isinstance(value, list):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, bool | int | float | str | bytes)


def _resolve_omegaconf(
    data: bytes, label: str, sections: tuple[str, ...], overrides: tuple[str, ...]
) -> dict[str, Any]:
    from omegaconf import OmegaConf
    from omegaconf.errors import OmegaConfBaseException

    config = load_omegaconf(data, label, overrides)
    values: dict[str, Any] = {}
    try:
        for section in sections:
            value = OmegaConf.select(config, section, throw_on_missing=True)
            if OmegaConf.is_config(value):
                value = OmegaConf.to_container(value, resolve=True, throw_on_missing=True)
            if value is not None:
                _put(values, section.split("."), value)
        return values
    except (OmegaConfBaseException, RecursionError) as error:
        raise ConfigError(
            f"{quote(label)}: {_first_line(error)}", "give the value, or correct the interpolation"
        ) from error


def _put(values: dict[str, Any], keys: list[str], value: Any) -> None:
    for key in keys[:-1]:
        values = values.setdefault(key, {})
    values[keys[-1]] = value


def load_omegaconf(data: bytes, label: str, overrides: tuple[str, ...] = ()) -> Any:
    """Return YAML text as an OmegaConf `DictConfig`; raises `ConfigError` when it is none."""
    import io

    from omegaconf import DictConfig, OmegaConf

    # From 2.4 on OmegaConf bounds the entries of a document, by default to fewer than some pipelines have.
    bounded = _NODES in (OmegaConf.load.__kwdefaults__ or {}) and f"OMEGACONF_{_NODES}".upper() not in os.environ
    limit = {_NODES: _MOST_NODES} if bounded else {}
    with _translated(label):
        config = OmegaConf.load(io.StringIO(data.decode("utf-8")), **limit)
    if not isinstance(config, DictConfig):
        raise _no_mapping(label)
    for override in overrides:
        config = _overridden(config, override)
    return config


@contextlib.contextmanager
def _translated(label: str) -> Iterator[None]:
    """Turn what YAML readers raise into a `ConfigError` that names file, line and column."""
    import yaml

    try:
        yield
    except UnicodeDecodeError:
        raise ConfigError(f"{quote(label)}: not UTF-8 text", "save the file as UTF-8") from None
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        where = f":{mark.line + 1}:{mark.column + 1}" if mark else ""
        raise ConfigError(f"{quote(label)}{where}: {error.problem}", "correct the YAML there") from error
    except Exception as error:
        if (
            not isinstance(error, yaml.YAMLError | OSError | RecursionError)
            and type(error).__module__ != "omegaconf.errors"
        ):
            raise
        raise ConfigError(f"{quote(label)}: {_first_line(error)}", "correct the YAML") from error


def _no_mapping(label: str) -> ConfigError:
    return ConfigError(f"{quote(label)} is not a mapping", "its top level must be `key: value` lines")


def _overridden(config: Any, override: str) -> Any:
    from omegaconf import OmegaConf

    key, separator, _ = override.partition("=")
    if not separator or not key.strip():
        raise ConfigError(f"-o {override}: not KEY=VALUE", "for example -o pipeline.mode=prod")
    try:
        return OmegaConf.merge(config, OmegaConf.from_dotlist([override]))
    except Exception as error:
        raise ConfigError(f"-o {override}: {_first_line(error)}", "check the key and the value") from error


def _first_line(error: BaseException) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
