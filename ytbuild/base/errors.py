"""The errors that ytbuild expects: each names the thing, says what to do, and carries an exit code.

Exit codes: 1, it failed; 2, wrong usage or configuration. Whatever is no `YtbuildError` is a bug and keeps
its traceback.
"""

from __future__ import annotations

from collections.abc import Iterable


class YtbuildError(Exception):
    """An expected failure.

    `message` names the thing that is wrong, `hint` says what to do about it (it may be empty), and
    `exit_code` is what the process ends with.
    """

    exit_code = 1

    def __init__(self, message: str, hint: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.hint = hint


class UsageError(YtbuildError):
    """The command line or the pipeline's files ask for something that cannot be."""

    exit_code = 2


class ConfigError(UsageError):
    """A YAML file is missing, unreadable, or holds a wrong value."""


class UnknownKeyError(ConfigError):
    """A configuration key that nothing reads: most often a typing error."""


class SecretsFileError(ConfigError):
    """`secrets.env` does not parse, or lacks a name that an operation asks for."""


class StageError(UsageError):
    """A stage's name is not allowed, or there is no such stage."""


class ScriptError(UsageError):
    """A configured script does not exist or lies outside the stage's `src/`."""


class TypedJobError(UsageError):
    """A TypedJob where there can be none: in dev, without the package that it needs, or one that does not pickle."""


class TargetNameError(UsageError):
    """A target would land where it must not: outside, over a reserved name, over the standard library."""


class TargetConflictError(UsageError):
    """Two sources claim one target, or one target lies inside another."""


class ContainmentError(UsageError):
    """A source lies outside the pipeline, or in a part of it that never ships."""


class SourceError(UsageError):
    """A source is missing, empty, or of a kind that cannot be archived."""


class SymlinkError(SourceError):
    """A symbolic link dangles, leaves the pipeline, or points to something that is left out."""


class SpecialFileError(SourceError):
    """A fifo, a socket or a device lies in a source."""


class FileNameError(SourceError):
    """A file name that is not valid UTF-8 cannot be a member of the archive."""


class IgnoreFileError(SourceError):
    """A `.ytignore` cannot be read: shipping everything instead would be worse than stopping."""


class CredentialsError(SourceError):
    """`requirements.txt` holds a password or token in a URL."""


class ModuleLookupError(UsageError):
    """A name in `upload_modules` is not importable from a folder or a file."""


class UnknownTargetError(UsageError):
    """There is no target of that name."""


class ChangedWhileBuildingError(YtbuildError):
    """A source changed between being hashed and being packed."""


class StoreError(YtbuildError):
    """`.build` cannot be written: no space, no permission."""


class ArchiveError(YtbuildError):
    """An archive is cut, corrupt, or not one of ytbuild's."""


class OperationFailed(YtbuildError):
    """An operation ended without success; nothing that failed ends in exit code 0."""


class JobFailed(OperationFailed):
    """A job of an operation failed; `said` is the end of what it wrote to stderr."""

    def __init__(self, message: str, hint: str = "", said: str = "") -> None:
        super().__init__(message, hint)
        self.said = said


class TableError(YtbuildError):
    """A table is missing, or its rows are not what a table can hold."""


class CypressPathError(TableError):
    """A text is no Cypress path, or one of another kind than its use takes; `problem` says what is wrong with it."""

    def __init__(self, text: object, problem: str, hint: str) -> None:
        super().__init__(f"{text!r} {problem}", hint)
        self.problem = problem


class QueryError(YtbuildError):
    """A YQL query that dev cannot run, or that failed."""


class ClusterError(YtbuildError):
    """The cluster refused or failed a request, or could not be reached.

    `codes` are the error codes anywhere in its answer (YTsaurus docs, "Error codes"), empty when there was none;
    `said` is the whole answer, for the log. `transient` tells that the same request may work a moment later, and
    `repeated` that it was tried again already, for as long as the configuration says.
    """

    def __init__(
        self,
        message: str,
        hint: str = "",
        codes: frozenset[int] = frozenset(),
        said: str = "",
        transient: bool = False,
        repeated: bool = True,
    ) -> None:
        super().__init__(message, hint)
        self.codes = codes
        self.said = said
        self.transient = transient
        self.repeated = repeated


class UploadError(YtbuildError):
    """What lies on the cluster after an upload is not what was sent."""


class LockedError(YtbuildError):
    """Another process holds what this one needs."""


def closest(name: str, known: Iterable[str]) -> str:
    """Return `did you mean 'x'?` for the known name closest to `name`, or an empty string."""
    import difflib

    near = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean '{near[0]}'?" if near else ""
