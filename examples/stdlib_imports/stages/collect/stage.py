"""Writes a row for each source file of this interpreter's standard library."""

import os
import sysconfig

from ytbuild import BaseStage

LEFT_OUT = {"site-packages", "dist-packages", "__pycache__", "test"}


def source_files(root):
    for folder, folders, files in os.walk(root):
        folders[:] = sorted(name for name in folders if name not in LEFT_OUT)
        for name in sorted(files):
            if name.endswith(".py"):
                yield os.path.relpath(os.path.join(folder, name), root)


def module_name(path):
    parts = path.removesuffix(".py").split(os.sep)
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


class Collect(BaseStage):
    def run(self, debug):
        root = sysconfig.get_paths()["stdlib"]
        paths = list(source_files(root))
        self.deps.yt_client.write_table(self.config.client.output_table, self.rows(root, paths))
        self.logger.info("%d source files of the standard library", len(paths))
        return debug

    def rows(self, root, paths):
        for path in paths:
            with open(os.path.join(root, path), encoding="utf-8", errors="replace") as file:
                yield {"module": module_name(path), "path": path, "source": file.read()}
