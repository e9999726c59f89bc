"""The `ytbuild` command: global options, lazily loaded commands, and what errors end in."""

from __future__ import annotations

import contextlib
import importlib
import os
import sys
from typing import TYPE_CHECKING

import click

from ytbuild import __version__
from ytbuild.base import signals
from ytbuild.base.errors import ClusterError, UsageError, YtbuildError, closest
from ytbuild.base.text import quote
from ytbuild.cli.options import Options, common_options

if TYPE_CHECKING:
    from ytbuild.run.stage_registry import PipelineScript

_COMMANDS = {
    "build": "bring .build up to date with the sources",
    "diff": "show what a build would change",
    "init": "make a pipeline that builds and runs",
    "ls": "list what is in the archive, or what was left out",
    "run": "build, then run the pipeline's stages",
    "table": "show a table's first rows, or count them",
    "upload": "send to the cluster what it lacks of the archive",
}


class LazyGroup(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Return the names of the commands."""
        return sorted(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import a command's module and return the command."""
        if cmd_name not in _COMMANDS:
            return None
        module = importlib.import_module(f"ytbuild.cli.{cmd_name}")
        command = module.command
        assert isinstance(command, click.Command)
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl(sorted(_COMMANDS.items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command that is called; an unknown one is an error that names the closest."""
        if args and args[0] not in _COMMANDS and not args[0].startswith("-"):
            hint = closest(args[0], _COMMANDS) or f"the commands are {', '.join(sorted(_COMMANDS))}"
            raise click.UsageError(f"there is no command {args[0]!r}; {hint}", ctx)
        return super().resolve_command(ctx, args)


@click.command(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"]})
@common_options
@click.version_option(__version__, prog_name="ytbuild")
@click.pass_context
def cli(context: click.Context) -> None:
    """Build, diff and run the code of YTsaurus pipelines."""
    context.ensure_object(Options)


def run(arguments: list[str] | None = None, script: PipelineScript | None = None) -> None:
    """Run the command line and exit: 0 done, 1 it failed, 2 wrong usage or configuration, 130 interrupted.

    `script` is the `pipeline.py` that runs, which may register its stages itself.
    """
    if sys.getfilesystemencoding() != "utf-8" and not sys.flags.utf8_mode:
        # Members' names are UTF-8 whatever the locale; in another one Python would read them differently.
        os.environ["PYTHONUTF8"] = "1"
        os.execv(sys.executable, [sys.executable, *sys.orig_argv[1:]])
    signals.install()
    try:
        code = exit_code(arguments, script)
    except BrokenPipeError:
        # Whoever reads the output has seen enough; without this the interpreter complains when it flushes.
        with contextlib.suppress(OSError):
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        code = 1
    sys.exit(code)


def exit_code(arguments: list[str] | None = None, script: PipelineScript | None = None) -> int:
    """Do what `run` does, as often as one likes in one process, and return the exit code.

    Raises `BrokenPipeError` when nobody reads the output any more.
    """
    options = Options(script)
    try:
        code = cli.main(arguments, prog_name="ytbuild", standalone_mode=False, obj=options)
        sys.stdout.flush()
        return int(code or 0)
    except YtbuildError as error:
        _keep_said(options, error)
        options.reporter.failed(error)
        return error.exit_code
    except click.ClickException as error:
        if type(error).__name__ == "NoArgsIsHelpError":
            click.echo(error.format_message(), err=True)
            return error.exit_code
        command = error.ctx.command_path if isinstance(error, click.UsageError) and error.ctx else "ytbuild"
        options.reporter.failed(UsageError(error.format_message(), f"see `{command} --help`"))
        return error.exit_code
    except (KeyboardInterrupt, click.Abort) as interrupted:
        options.reporter.interrupted(getattr(interrupted.__cause__ or interrupted, "__notes__", ()))
        return 130
    except BrokenPipeError:
        raise
    except Exception:
        options.reporter.always("this is a bug in ytbuild, please report it with the lines below")
        raise


def _keep_said(options: Options, error: YtbuildError) -> None:
    """Write the whole of what a cluster said into `.build/log`, where there is a build; the hint tells of it."""
    folder = os.path.normpath(os.path.join(options.directory, ".build", "log"))
    if not (isinstance(error, ClusterError) and error.said and os.path.isdir(folder)):
        return
    import time

    path = os.path.join(folder, f"cluster-{time.strftime('%Y%m%d-%H%M%S')}-{os.getpid()}.log")
    with contextlib.suppress(OSError):
        with open(path, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(f"{error.message}\n\n{error.said}\n")
        error.hint = "\n".join(filter(None, [error.hint, f"all that the cluster said is in {quote(path)}"]))
