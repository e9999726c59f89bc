"""`configs/config.yaml` as a typed, validated value."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from ytbuild.base.errors import ConfigError, CypressPathError, StageError, closest
from ytbuild.base.text import quote
from ytbuild.config.checks import NAME_RULE, Section, is_name
from ytbuild.config.cypress_path import node_path
from ytbuild.config.documents import Documents, read
from ytbuild.config.prod import PROD_KEYS, ProdConfig, prod_config

DEFAULT_CONFIG = os.path.join("configs", "config.yaml")

_OWN_SECTIONS = ("stages", "pipeline")
_TOP_LEVEL_KEY = re.compile(rb"^([A-Za-z_][A-Za-z0-9_]*)[ \t]*:", re.MULTILINE)
_STAGES_KEYS = ("enabled_stages",)
_PIPELINE_KEYS = ("mode", "build_folder", "dev", "upload_modules", "upload_paths", "pickling", "prod")
_DEV_KEYS = ("python",)
_PICKLING_KEYS = ("ignore_system_modules", "disable_module_upload")
_UPLOAD_PATH_KEYS = ("source", "target")
_MODES = ("dev", "prod")


@dataclass(frozen=True)
class UploadPath:
    """One entry of `pipeline.upload_paths`, as written; `target` is filled in from `source` when absent."""

    source: str
    target: str


@dataclass(frozen=True)
class PipelineConfig:
    """What ytbuild reads of a pipeline's configuration.

    `directory` is the pipeline's folder, absolute and free of links; `path` is the configuration file.
    """

    directory: str
    path: str
    label: str
    enabled_stages: tuple[str, ...]
    mode: str
    build_folder: str | None
    dev_python: str | None
    upload_modules: tuple[str, ...]
    upload_paths: tuple[UploadPath, ...]
    warnings: tuple[str, ...] = ()
    prod: ProdConfig = field(default_factory=ProdConfig)

    @property
    def lacks_build_folder(self) -> bool:
        """Whether the code of stages has nowhere to go: a cluster keeps it in `build_folder`."""
        return self.mode == "prod" and self.build_folder is None

    @property
    def build_dir(self) -> str:
        """The local store's folder."""
        return os.path.join(self.directory, ".build")

    @property
    def dev_dir(self) -> str:
        """Where dev keeps its tables, sandboxes and logs."""
        return os.path.join(self.directory, ".dev")


def locate(directory: str, config: str | None) -> tuple[str, str]:
    """Return the pipeline's real directory and its configuration file.

    `config` is relative to the pipeline's directory, as on the command line. Raises `ConfigError` when there is
    no pipeline there.
    """
    root = os.path.realpath(directory)
    if not os.path.isdir(root):
        raise ConfigError(f"{quote(directory)} is not a directory", "give the pipeline's folder with -C DIR")
    path = os.path.join(root, config or DEFAULT_CONFIG)
    if not os.path.isfile(path):
        raise ConfigError(
            f"{quote(config or DEFAULT_CONFIG)} does not exist in {quote(root)}",
            _closest_file(root, config)
            or "run ytbuild in a pipeline's folder, give one with -C DIR, or make one with `ytbuild init DIR`",
        )
    return root, path


def _closest_file(root: str, config: str | None) -> str:
    """Return a hint with the file whose name is closest to a wrong `--config`; empty when there is none."""
    if config is None:
        return ""
    folder = os.path.dirname(config)
    try:
        names = os.listdir(os.path.join(root, folder))
    except OSError:
        return ""
    return closest(config, (os.path.join(folder, other) for other in names if other.endswith((".yaml", ".yml"))))


def load(directory: str, config: str | None, overrides: tuple[str, ...], documents: Documents) -> PipelineConfig:
    """Read and check the configuration of the pipeline in `directory`.

    `overrides` are `key=value` texts that win over the file. Raises `ConfigError` with the file, the line and
    the key for whatever is wrong.
    """
    root, path = locate(directory, config)
    label = config or DEFAULT_CONFIG
    values = documents.mapping(path, label, _OWN_SECTIONS, overrides)
    top = Section(path, label, (), values)
    stages, pipeline = top.section("stages"), top.section("pipeline")
    stages.check_known(_STAGES_KEYS)
    pipeline.check_known(_PIPELINE_KEYS)
    dev, pickling, prod = (pipeline.section(name) for name in ("dev", "pickling", "prod"))
    dev.check_known(_DEV_KEYS)
    pickling.check_known(_PICKLING_KEYS)
    prod.check_known(PROD_KEYS)
    return PipelineConfig(
        directory=root,
        path=path,
        label=label,
        enabled_stages=_enabled_stages(root, stages),
        mode=_mode(pipeline),
        build_folder=_build_folder(pipeline),
        dev_python=dev.text("python"),
        upload_modules=_upload_modules(pipeline),
        upload_paths=_upload_paths(pipeline),
        warnings=tuple(_odd_sections(path, label, overrides)),
        prod=prod_config(prod, {key: pickling.flag(key) for key in _PICKLING_KEYS}),
    )


def _odd_sections(path: str, label: str, overrides: tuple[str, ...]) -> Iterator[str]:
    """Give a warning for each top-level key that looks like a misspelt one of ours; all others are the user's."""
    places = {key.decode(): quote(label) for key in _TOP_LEVEL_KEY.findall(read(path, label))}
    for override in overrides:
        places[override.split("=")[0].split(".")[0].strip()] = f"-o {override}"
    for key in places.keys() - set(_OWN_SECTIONS):
        from difflib import get_close_matches

        near = get_close_matches(key, _OWN_SECTIONS, n=1, cutoff=0.8)
        if near:
            yield f"{places[key]}: ytbuild does not read the section {key!r}; did you mean {near[0]!r}?"


def _enabled_stages(root: str, stages: Section) -> tuple[str, ...]:
    names = stages.texts("enabled_stages")
    if not names:
        raise stages.error("enabled_stages", "is missing or empty", "list the stages to run, in their order")
    for name in names:
        if names.count(name) > 1:
            raise stages.error("enabled_stages", f"names the stage {name!r} twice", "list each stage once")
        check_stage_name(name)
        if not os.path.isdir(os.path.join(root, "stages", name)):
            raise StageError(
                f"there is no stage {name!r}: stages/{name}/ does not exist",
                closest(name, stage_names(root)) or "create the folder, or remove the name from enabled_stages",
            )
    return names


def check_stage_name(name: str) -> None:
    """Raise `StageError` for a name that is not `[A-Za-z0-9_][A-Za-z0-9_.-]*`."""
    if not is_name(name):
        raise StageError(
            f"'{quote(name)}' is not a stage name",
            f"use {NAME_RULE}",
        )


def stage_names(root: str) -> list[str]:
    """Return the names of all stages in a pipeline, sorted."""
    folder = os.path.join(root, "stages")
    if not os.path.isdir(folder):
        return []
    with os.scandir(folder) as entries:
        return sorted(entry.name for entry in entries if entry.is_dir() and not entry.name.startswith((".", "__")))


def _mode(pipeline: Section) -> str:
    mode = (pipeline.text("mode") or "dev").strip().lower()
    if mode not in _MODES:
        raise pipeline.error("mode", f"is {mode!r}", closest(mode, _MODES) or "it is dev or prod")
    return mode


def _build_folder(pipeline: Section) -> str | None:
    folder = pipeline.text("build_folder")
    try:
        return None if folder is None else node_path(folder.removesuffix("/"))
    except CypressPathError as error:
        raise pipeline.error("build_folder", f"is {folder!r}, which {error.problem}", error.hint) from None


def _upload_modules(pipeline: Section) -> tuple[str, ...]:
    names = pipeline.texts("upload_modules")
    for name in names:
        if not all(part.isidentifier() for part in name.split(".")):
            raise pipeline.error("upload_modules", f"names {name!r}", "list importable names, such as mypackage")
    return tuple(dict.fromkeys(names))


def _upload_paths(pipeline: Section) -> tuple[UploadPath, ...]:
    value = pipeline.values.get("upload_paths")
    if value is None:
        return ()
    if not isinstance(value, list):
        raise pipeline.error("upload_paths", "is not a list", "write `- {source: ./lib, target: lib}` lines")
    return tuple(_upload_path(pipeline, index, item) for index, item in enumerate(value))


def _upload_path(pipeline: Section, index: int, item: Any) -> UploadPath:
    if not isinstance(item, dict):
        raise pipeline.error(
            "upload_paths", f"has {item!r} as item {index + 1}", "write {source: ./lib, target: lib}"
        )
    name = f"upload_paths[{index}]"
    entry = Section(pipeline.path, pipeline.label, (*pipeline.keys, name), {str(key): item[key] for key in item})
    entry.check_known(_UPLOAD_PATH_KEYS)
    source = entry.text("source")
    if source is None:
        raise entry.error("source", "is missing", "give the folder or file to ship, relative to the pipeline")
    target = entry.values.get("target")
    if target is None:
        target = os.path.basename(os.path.normpath(source))
    elif not isinstance(target, str):
        raise entry.error("target", f"is {target!r}, not a text", "give the name that it has in the archive")
    return UploadPath(source, target)
