"""Which sources make up which target, and the rules on their names."""

from __future__ import annotations

import os
import re
import sys
from dataclasses import dataclass

from ytbuild.base import shipped
from ytbuild.base.errors import (
    ContainmentError,
    FileNameError,
    SourceError,
    SymlinkError,
    TargetConflictError,
    TargetNameError,
)
from ytbuild.base.text import quote
from ytbuild.config.pipeline import PipelineConfig, UploadPath
from ytbuild.config.stage import ARCHIVE_NAME, StageConfig
from ytbuild.sources import modules
from ytbuild.sources.ignore_line import escape
from ytbuild.sources.source_tree import NEVER_SHIPPED, Source

_RESERVED = ("stages", "ytjobs")
_WRAPPER_NAME = re.compile(r"operation_wrapper_.*\.sh\Z", re.DOTALL)


@dataclass(frozen=True)
class Placed:
    """A target's name and sources; `given` says where the configuration asks for it."""

    name: str
    sources: tuple[Source, ...]
    given: str

    def ignore_line(self, arcname: str) -> tuple[str, str]:
        """Return a `.ytignore` file and the line to add to it that leave the member out."""
        for source in self.sources:
            if arcname.startswith(source.arcname + "/"):
                inner = arcname[len(source.arcname) + 1 :]
                return os.path.join(source.label, ".ytignore"), f"/{escape(inner)}"
        return ".ytignore", escape(arcname.rsplit("/", 1)[-1])


def place(
    config: PipelineConfig, stages: tuple[StageConfig, ...], wrapper_names: list[str]
) -> tuple[list[Placed], list[str]]:
    """Return every target of the pipeline except `wrappers`, and warnings.

    Raises the `UsageError` of the first name or path that is not allowed.
    """
    warnings: list[str] = []
    paths = [_upload_path(config, item) for item in config.upload_paths]
    modules_and_paths = [
        Placed("module:ytjobs", (Source(shipped.YTJOBS, "ytjobs", shipped.YTJOBS, True, "ytjobs"),), "ytbuild itself")
    ]
    for name in config.upload_modules:
        if name.split(".")[0] == "ytjobs":
            warnings.append("upload_modules: ytjobs is always there, there is no need to list it")
            continue
        placed = _module(config, name)
        if placed.name not in {other.name for other in modules_and_paths}:
            modules_and_paths.append(placed)
    modules_and_paths += paths
    _check_conflicts(modules_and_paths, wrapper_names)
    return modules_and_paths + [_stage(config, stage) for stage in stages], warnings


def _stage(config: PipelineConfig, stage: StageConfig) -> Placed:
    root = f"stages/{stage.name}"
    sources = [_contained(config, stage.config_path, f"{root}/config.yaml", f"{root}/config.yaml", always=True)]
    requirements = os.path.join(stage.directory, "requirements.txt")
    if os.path.lexists(requirements):
        sources.append(_contained(config, requirements, f"{root}/requirements.txt", f"{root}/requirements.txt", True))
        if os.path.isdir(requirements):
            raise SourceError(f"{root}/requirements.txt is a directory", "pip reads a file of that name: rename it")
    if os.path.lexists(stage.source_dir):
        sources.append(_contained(config, stage.source_dir, f"{root}/src", f"{root}/src"))
        if not os.path.isdir(stage.source_dir):
            raise SourceError(f"{root}/src is not a directory", "put the stage's job code into a folder of that name")
    return Placed(f"stage:{stage.name}", tuple(sources), stage.label)


def _contained(config: PipelineConfig, path: str, arcname: str, label: str, always: bool = False) -> Source:
    real = os.path.realpath(path)
    if not os.path.exists(real):
        raise SymlinkError(f"{quote(label)} is a link that leads nowhere", "repair the link, or remove it")
    if not real.startswith(config.directory + "/"):
        raise ContainmentError(
            f"{quote(label)} leads to {quote(real)}, outside the pipeline",
            "copy it into the pipeline's folder: what lies outside cannot be part of its builds",
        )
    inside = real[len(config.directory) + 1 :]
    if inside.split("/")[0] in NEVER_SHIPPED:
        raise ContainmentError(
            f"{quote(label)} would ship {quote(inside)}: nothing ships from {inside.split('/')[0]}/",
            "move what the jobs need to another folder: secrets and configuration stay out of archives",
        )
    return Source(real, arcname, config.directory, False, label, always)


def _module(config: PipelineConfig, name: str) -> Placed:
    located = modules.locate(name, config.directory)
    if f"{config.directory}/".startswith(located.path + "/"):
        raise ContainmentError(
            f"upload_modules: {name} is the pipeline's own folder, or one that holds it",
            "name a package inside the pipeline, or install it from elsewhere",
        )
    inside = located.path.startswith(config.directory + "/")
    if inside and located.path[len(config.directory) + 1 :].split("/")[0] in (*NEVER_SHIPPED, "stages"):
        raise ContainmentError(
            f"upload_modules: {name} would ship {quote(located.path[len(config.directory) + 1 :])}",
            "rename the package, or ship the right folder with upload_paths",
        )
    check_target_name(located.arcname, f"upload_modules: {name}")
    label = located.path[len(config.directory) + 1 :] if inside else located.path
    top = config.directory if inside else located.path
    source = Source(located.path, located.arcname, top, True, label)
    return Placed(f"module:{located.name}", (source,), f"upload_modules: {name}")


def _upload_path(config: PipelineConfig, item: UploadPath) -> Placed:
    given = f"upload_paths: {quote(item.source)}"
    if "\0" in item.source:
        raise SourceError(f"{given} holds a NUL character", "give the path of a folder or file")
    path = os.path.join(config.directory, item.source)
    if not os.path.lexists(path):
        raise SourceError(f"{given} does not exist", f"it is looked up in {quote(config.directory)}")
    real = os.path.realpath(path)
    if real == config.directory or config.directory.startswith(real + "/"):
        raise ContainmentError(
            f"{given} is the pipeline's own folder, or one that holds it",
            "name the subfolders that the jobs need",
        )
    if real == os.path.join(config.directory, "stages"):
        raise ContainmentError(f"{given}: stages ship by themselves", "list them in stages.enabled_stages")
    check_target_name(item.target, given)
    source = _contained(config, path, item.target, item.source)
    label = real[len(config.directory) + 1 :]
    return Placed(f"path:{item.target}", (Source(source.path, source.arcname, source.top, False, label),), given)


def check_target_name(target: str, given: str) -> None:
    """Raise `TargetNameError` for a name that a target must not have; `given` says who asks for it."""
    parts = target.split("/")
    problem = hint = ""
    if any(char in target for char in "\0\n\r"):
        problem, hint = "holds a control character", "choose another target"
    elif any(part in ("", ".", "..") for part in parts):
        problem = "is not made of plain path components"
        hint = "give a name such as lib or lib/tools: not absolute, no '..', no slash at the ends"
    elif parts[0] in _RESERVED:
        problem, hint = f"is reserved: {parts[0]}/ is ytbuild's own", "choose another target"
    elif _WRAPPER_NAME.match(parts[0]) or parts[0] == ARCHIVE_NAME:
        problem, hint = "is the name of a file that ytbuild makes", "choose another target"
    elif parts[0].split(".")[0] in sys.stdlib_module_names and _is_importable(parts):
        problem = f"would hide the standard library's {parts[0].split('.')[0]} from the jobs"
        hint = "choose another target"
    if problem:
        raise TargetNameError(f"{given}: the target '{quote(target)}' {problem}", hint)
    try:
        target.encode()
    except UnicodeEncodeError:
        raise FileNameError(f"{given}: the target is not valid UTF-8", "rename it") from None


def _is_importable(parts: list[str]) -> bool:
    return "." not in parts[0] or (len(parts) == 1 and parts[0].endswith((".py", ".so", ".pyc")))


def _check_conflicts(all_placed: list[Placed], wrapper_names: list[str]) -> None:
    taken: dict[str, str] = {}
    for placed in all_placed:
        arcname = placed.sources[0].arcname
        for other, given in taken.items():
            if arcname == other:
                raise TargetConflictError(
                    f"{given} and {placed.given} both want {quote(arcname)}/ in the archive",
                    "give one of them another target",
                )
            if arcname.startswith(other + "/") or other.startswith(arcname + "/"):
                inner, outer = sorted((arcname, other), key=len, reverse=True)
                raise TargetConflictError(
                    f"{given} and {placed.given} overlap: {quote(inner)} lies inside {quote(outer)}",
                    "give one of them another target",
                )
        taken[arcname] = placed.given
    for name in wrapper_names:
        if name in taken:
            raise TargetNameError(f"{taken[name]}: {name} is the name of a wrapper", "choose another target")
