"""`ytbuild init`."""

from __future__ import annotations

import os
import shlex

import click

from ytbuild.base import files, shipped
from ytbuild.base.errors import UsageError
from ytbuild.base.text import plural, quote
from ytbuild.cli.options import Options, common_options

_FILES = {
    "configs/config.yaml": "configs/config.yaml",
    "stages/rows/config.yaml": "stages/rows/config.yaml",
    "stages/rows/stage.py": "stages/rows/stage.py",
    "stages/greet/config.yaml": "stages/greet/config.yaml",
    "stages/greet/src/mapper.py": "stages/greet/src/mapper.py",
    ".ytignore": "ytignore",
    ".gitignore": "gitignore",
}


@click.command("init")
@click.argument("directory", metavar="DIR")
@common_options
@click.pass_obj
def command(options: Options, directory: str) -> None:
    """Make a pipeline in DIR that builds and runs at once.

    Files that are there already are kept as they are, so it can be run again.
    """
    directory = os.path.join(options.directory, directory) if options.directory != "." else directory
    if os.path.lexists(directory) and not os.path.isdir(directory):
        raise UsageError(f"{quote(directory)} is not a directory", "give a new folder, or one to add a pipeline to")
    created = 0
    for name, template in _FILES.items():
        path = os.path.join(directory, name)
        if os.path.lexists(path):
            options.reporter.line(f"kept    {quote(path)}")
            continue
        with files.translated(path):
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with files.replacing(path) as file:
                file.write(shipped.rule(f"init/{template}"))
        options.reporter.line(f"created {quote(path)}")
        created += 1
    options.reporter.line(f"{plural(created, 'file')} created; next: cd {shlex.quote(directory)} && ytbuild run")
