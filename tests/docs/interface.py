"""What the code offers its users: commands with their options, and errors."""

from __future__ import annotations

import inspect

import click

from ytbuild.base import errors
from ytbuild.cli.main import cli

_CONTEXT = click.Context(cli)
COMMAND_NAMES = cli.list_commands(_CONTEXT)


def command(name: str) -> click.Command:
    """Return one command of the click app."""
    found = cli.get_command(_CONTEXT, name)
    assert isinstance(found, click.Command)
    return found


def options(of: click.Command) -> set[str]:
    """Return every spelling of every option of a command; click adds `-h` only when it runs."""
    spellings = {spelling for parameter in of.get_params(click.Context(of)) for spelling in parameter.opts}
    return {spelling for spelling in spellings if spelling.startswith("-")} | {"-h"}


def error_classes() -> list[type[errors.YtbuildError]]:
    """Return all expected errors."""
    found = [value for value in vars(errors).values() if inspect.isclass(value)]
    return [value for value in found if issubclass(value, errors.YtbuildError)]
