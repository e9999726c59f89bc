"""YAML without interpolations, read as OmegaConf reads it: no timestamps, `1e3` is a number, no key twice."""

from __future__ import annotations

from typing import Any

# The floats of YAML 1.2, which OmegaConf adds to those of YAML 1.1 that PyYAML knows.
_FLOAT = r"""^(?:
    [-+]?[0-9][0-9_]*\.[0-9_]*(?:[eE][-+]?[0-9]+)?
    |[-+]?[0-9][0-9_]*[eE][-+]?[0-9]+
    |\.[0-9_]+(?:[eE][-+][0-9]+)?
    |[-+]?[0-9][0-9_]*(?::[0-5]?[0-9])+\.[0-9_]*
    |[-+]?\.(?:inf|Inf|INF)
    |\.(?:nan|NaN|NAN))$"""
_FLOAT_TAG = "tag:yaml.org,2002:float"
_TIMESTAMP_TAG = "tag:yaml.org,2002:timestamp"


def load(text: str) -> Any:
    """Return the document in YAML text; raises `yaml.YAMLError`."""
    import yaml

    return yaml.load(text, Loader=_loader())


def _loader() -> Any:
    import re

    import yaml

    class Loader(getattr(yaml, "CSafeLoader", yaml.SafeLoader)):  # type: ignore[misc]
        def construct_mapping(self, node: Any, deep: bool = False) -> Any:
            seen = set()
            for key, _ in node.value:
                if not isinstance(key, yaml.ScalarNode):
                    continue
                if key.tag != "tag:yaml.org,2002:merge" and key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f"found duplicate key {key.value}", key.start_mark
                    )
                seen.add(key.value)
            return super().construct_mapping(node, deep)

    Loader.yaml_implicit_resolvers = {
        first: [(tag, regex) for tag, regex in known if tag not in (_TIMESTAMP_TAG, _FLOAT_TAG)]
        for first, known in Loader.yaml_implicit_resolvers.items()
    }
    Loader.add_implicit_resolver(_FLOAT_TAG, re.compile(_FLOAT, re.VERBOSE), list("-+0123456789."))
    return Loader
