"""Simple YAML, read without OmegaConf, whose import takes longer than reading any configuration.

Simple is what every reader of YAML takes for the same: mappings with texts for keys, lists, texts, `true` and
`false`, null, and numbers written in digits. Whatever else there is (aliases, merge keys, dates, `yes`, `1e3`, `017`,
a key twice) is for OmegaConf, whose rules are its own and differ from version to version.
"""

from __future__ import annotations

import re
from typing import Any

# OmegaConf has limits for deeper and longer documents.
_DEEPEST = 20
_MOST_NODES = 50_000

_TAG = "tag:yaml.org,2002:"
_INTEGER = re.compile(r"-?(?:0|[1-9][0-9]*)\Z")
_FRACTION = re.compile(r"-?[0-9]+\.[0-9]+\Z")
# OmegaConf takes some of these for numbers that are none in YAML 1.1.
_LIKE_A_NUMBER = re.compile(r"[-+.0-9][-+.:_0-9a-fxoinA-FXOIN]*\Z")
_FLAGS = {"true": True, "false": False}


class NotSimpleError(Exception):
    """A document is one for OmegaConf, or no YAML."""


def simple_value(data: bytes) -> Any:
    """Return the value of a YAML document, None for an empty one; raises `NotSimpleError`."""
    import yaml

    try:
        node = yaml.compose(data.decode("utf-8"), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader))
    except (UnicodeDecodeError, yaml.YAMLError, RecursionError):
        raise NotSimpleError from None
    return None if node is None else _value(node, set(), 0)


def _value(node: Any, seen: set[Any], depth: int) -> Any:
    """Return the value of a node; `seen` are those before it: an alias is the same node once more."""
    if node in seen or len(seen) > _MOST_NODES or depth > _DEEPEST:
        raise NotSimpleError
    seen.add(node)
    if (node.id, node.tag) == ("sequence", f"{_TAG}seq"):
        return [_value(item, seen, depth + 1) for item in node.value]
    if (node.id, node.tag) != ("mapping", f"{_TAG}map"):
        return _scalar(node)
    values: dict[str, Any] = {}
    for key_node, value_node in node.value:
        key = _value(key_node, seen, depth + 1)
        if not isinstance(key, str) or key in values:
            raise NotSimpleError
        values[key] = _value(value_node, seen, depth + 1)
    return values


def _scalar(node: Any) -> Any:
    tag, text = node.tag.removeprefix(_TAG), node.value
    if node.id != "scalar":
        raise NotSimpleError
    if tag == "str" and (node.style or not _LIKE_A_NUMBER.match(text)):
        return text
    if tag == "null":
        return None
    if tag == "bool" and text in _FLAGS:
        return _FLAGS[text]
    if tag == "int" and _INTEGER.match(text):
        return int(text)
    if tag == "float" and _FRACTION.match(text):
        return float(text)
    raise NotSimpleError
