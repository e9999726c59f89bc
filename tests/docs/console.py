"""Runs the ```console blocks of a Markdown file and compares what they print with what the file says they print.

A line that begins with `$ ` is a command; the lines after it, up to the next command or the end of the block, are
what it prints to stdout and stderr together. They are compared literally, except for `…`: within a line it stands
for any text, and a line of its own stands for any number of lines. All blocks of a file run in one bash, so folders
and variables last from one command to the next. A command must end with 0, unless an `error: ` line is among what it
is said to print, or the next command is `echo $?`.

A block of another language whose first line says `title="some/path"` is a file: it is written before the next
command, below the folder that the shell is in.
"""

from __future__ import annotations

import re
import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from tests.support import clean_environment, fork_server

PROMPT = "$ "
ANYTHING = "…"

_FENCE = re.compile(r"```(?P<language>\w*)(?P<rest>[^`]*)\Z")
_TITLE = re.compile(r'\btitle="(?P<path>[^"]+)"')
_TALKS = re.compile(r"\bytbuild upload\b|--mode prod\b|--remote\b|^yt ")
_MARK = "end of command 6f1c"
_TIMEOUT = 120


@dataclass(frozen=True)
class Block:
    """A fenced block: its language, the rest of the line that opens it, where it begins, and its lines."""

    language: str
    info: str
    line: int
    lines: tuple[str, ...]


@dataclass(frozen=True)
class Command:
    """One command with its place in the file and the lines that it is said to print."""

    line: int
    text: str
    expected: tuple[str, ...]


@dataclass(frozen=True)
class File:
    """One file that a reader is told to write."""

    line: int
    path: str
    content: str


@dataclass(frozen=True)
class Outcome:
    """What a command did."""

    status: int
    output: str


Step = Command | File


def blocks(text: str) -> list[Block]:
    """Return the fenced blocks of a Markdown text, in their order."""
    found: list[Block] = []
    opened: tuple[str, str, int] | None = None
    lines: list[str] = []
    for number, line in enumerate(text.splitlines(), 1):
        if opened is None:
            match = _FENCE.match(line)
            if match:
                opened, lines = (match["language"], match["rest"], number), []
        elif line == "```":
            found.append(Block(*opened, tuple(lines)))
            opened = None
        else:
            lines.append(line)
    assert opened is None, f"the block that begins in line {opened[2]} has no end"
    return found


def commands(block: Block) -> list[Command]:
    """Return the commands of a console block."""
    found: list[Command] = []
    for number, line in enumerate(block.lines, block.line + 1):
        if line.startswith(PROMPT):
            found.append(Command(number, line.removeprefix(PROMPT), ()))
        else:
            assert found, f"line {number}: a console block begins with a command"
            last = found[-1]
            found[-1] = Command(last.line, last.text, (*last.expected, line))
    return found


def steps(text: str) -> list[Step]:
    """Return what a reader of a Markdown text does: the commands that run, and the files that are written."""
    found: list[Step] = []
    for block in blocks(text):
        title = _TITLE.search(block.info)
        if block.language == "console":
            found += commands(block)
        elif title:
            found.append(File(block.line, title["path"], "\n".join(block.lines) + "\n"))
    return found


def matches(expected: tuple[str, ...], output: str) -> bool:
    """Tell whether a command printed what it is said to print."""
    pattern = "".join(
        r"(?:[^\n]*\n)*" if line == ANYTHING else r"[^\n]*".join(map(re.escape, line.split(ANYTHING))) + r"\n"
        for line in expected
    )
    return re.fullmatch(pattern, output) is not None


def needs_cluster(todo: list[Step]) -> bool:
    """Tell whether a step talks to a cluster."""
    return any(isinstance(step, Command) and _TALKS.search(step.text) for step in todo)


def run(
    todo: list[Step], folder: Path, *, installed: bool = False, **variables: str
) -> list[tuple[Command, Outcome]]:
    """Run steps in one shell that starts in `folder`, and return what every command did.

    `ytbuild` is the one of tests/forkserver.py, or the `installed` one. `variables` are in the shell's environment,
    beside the few that every shell has.
    """
    script = ["exec 2>&1 </dev/null"]
    for step in todo:
        if isinstance(step, File):
            script.append(f'mkdir -p "$(dirname {shlex.quote(step.path)})"')
            script.append(f"printf %s {shlex.quote(step.content)} > {shlex.quote(step.path)}")
        else:
            script.append(f"eval {shlex.quote(step.text)}")
            # The next command finds `$?` as this one left it.
            script.append(f"_status=$?; printf '\\n{_MARK} %d\\n' $_status; (exit $_status)")
    environment = clean_environment(**variables)
    commands = [str(Path(sys.executable).parent), environment["PATH"]]
    environment["PATH"] = ":".join(commands if installed else [str(fork_server().commands), *commands])
    done = subprocess.run(
        ["bash", "--noprofile", "--norc", "-c", "\n".join(script)],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=_TIMEOUT,
    )
    parts = re.split(rf"\n{_MARK} (\d+)\n", done.stdout)
    outcomes = [Outcome(int(parts[at + 1]), _whole_lines(parts[at])) for at in range(0, len(parts) - 1, 2)]
    wanted = [step for step in todo if isinstance(step, Command)]
    assert len(outcomes) == len(wanted), f"the shell ended early:\n{parts[-1]}{done.stderr}"
    return list(zip(wanted, outcomes, strict=True))


def _whole_lines(output: str) -> str:
    return output + "\n" if output and not output.endswith("\n") else output


def failures(results: list[tuple[Command, Outcome]], name: str) -> list[str]:
    """Return what is not as the text says, as messages that name the line of the file called `name`."""
    found: list[str] = []
    for index, (command, outcome) in enumerate(results):
        place = f"{name}:{command.line}: $ {command.text}"
        if not matches(command.expected, outcome.output):
            expected = "".join(f"{line}\n" for line in command.expected)
            found.append(f"{place}\n--- the file says\n{expected}--- it printed\n{outcome.output}")
        following = results[index + 1][0].text if index + 1 < len(results) else ""
        excused = following == "echo $?" or any(line.startswith("error: ") for line in command.expected)
        if outcome.status and not excused:
            found.append(f"{place}\nended with {outcome.status}:\n{outcome.output}")
    return found
