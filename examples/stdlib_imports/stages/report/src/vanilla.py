"""Writes a short report on what the job was started with, to its log."""

import os
import platform
import re
from pathlib import Path

import click
from ytjobs.config import get_config_path

title = re.search(r"title:\s*(.+)", Path(get_config_path()).read_text())[1]
sandbox = Path.cwd()
files = sorted(path.relative_to(sandbox) for path in sandbox.rglob("*") if path.is_file())

click.echo(title)
click.echo(f"Python {platform.python_version()}, job {os.environ['YT_JOB_INDEX']} of the stage {os.environ['YT_STAGE_NAME']}")
click.echo(f"click comes from {Path(click.__file__).relative_to(sandbox).parent}/, in the archive")
click.echo(f"{len(files)} files in the sandbox")
