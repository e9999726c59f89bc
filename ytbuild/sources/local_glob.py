"""Which files of a local folder an upload takes."""

from __future__ import annotations

import fnmatch
import os

from ytbuild.base.errors import SourceError
from ytbuild.base.text import quote
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.sources.ignore_rules import BuiltinRules
from ytbuild.sources.source_tree import Source
from ytbuild.sources.tree_scanner import TreeScanner


def glob_files(pipeline_dir: str, local_dir: str, pattern: str) -> list[tuple[str, str]]:
    """Return the files of a folder as (relative path, path), sorted, that the ignore rules of sources let pass.

    `local_dir` is relative to the pipeline; the file's name, or its relative path, must fit `pattern`, a pattern of
    shell wildcards. Raises `SourceError` when it is no folder.
    """
    path = os.path.realpath(os.path.join(pipeline_dir, local_dir))
    if not os.path.isdir(path):
        raise SourceError(
            f"{quote(local_dir)} is not a folder", "give a folder, relative to the pipeline's or absolute"
        )
    top = pipeline_dir if path.startswith(pipeline_dir + "/") else path
    # An index that nobody saves: uploads are no part of a build.
    scanner = TreeScanner(pipeline_dir, FingerprintIndex(os.path.join(path, ".build")), BuiltinRules())
    tree = scanner.scan(Source(path, os.path.basename(path), top, False, local_dir))
    return [
        (entry.relative, entry.path)
        for entry in tree.files()
        if fnmatch.fnmatchcase(entry.relative, pattern)
        or fnmatch.fnmatchcase(entry.relative.rsplit("/", 1)[-1], pattern)
    ]
