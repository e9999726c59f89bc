"""A stage's `requirements.txt`, installed once per content into a folder under `.build`."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence

from xxhash import xxh3_128_hexdigest

from ytbuild.base import cachefile, children, files, locks
from ytbuild.base.cancellation import Cancellation
from ytbuild.base.errors import OperationFailed
from ytbuild.base.framing import framed
from ytbuild.base.text import tail
from ytbuild.jobenv.interpreter import version

_SCHEMA = "requirements-1"
_PIP = ("-m", "pip", "install", "--no-input", "--disable-pip-version-check", "--quiet")
_NETWORK = ("SSL_CERT_FILE", "SSL_CERT_DIR", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE", "NETRC", "SSH_AUTH_SOCK")
_FOLDERS = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_CONFIG_DIRS")
_COMPILERS = ("CC", "CXX", "CPPFLAGS", "CFLAGS", "CXXFLAGS", "LDFLAGS", "CPATH", "LIBRARY_PATH", "PKG_CONFIG_PATH")
# pip's own form of a variable in a requirements file (its documentation, "Using environment variables").
_VARIABLE = re.compile(rb"\$\{([A-Z0-9_]+)\}")
_PATH = re.compile(rb"/|^\s*-(?:[rcef]|-requirement|-constraint|-editable|-find-links)|\.(?:whl|zip|tgz|tar\.\w+)\b")


def install(requirements: str, python: str, build_dir: str, archive: str, cancellation: Cancellation) -> str:
    """Return the folder with the packages that a requirements file names, installing them unless they are there.

    They go into a folder of their own, never into anybody's environment. A path in the file means what it means in a
    job: something in the archive. Raises `OperationFailed` with pip's last words when pip fails, and `Cancelled`;
    what was begun is removed then.
    """
    with open(requirements, "rb") as file:
        content = file.read()
    parts = [
        python.encode(),
        version(python, cancellation).encode(),
        content,
        archive.encode() if _names_a_path(content) else b"",
    ]
    parent = os.path.join(build_dir, "requirements")
    folder = os.path.join(parent, xxh3_128_hexdigest(framed(parts)))
    if not _is_intact(folder):
        with files.temporary_folder(parent) as place:
            fresh = _installed(requirements, python, archive, place, cancellation)
            with locks.locked_folder(parent):
                # Another run may have been faster, and its jobs read there already.
                if not _is_intact(folder):
                    files.rename_over(fresh, folder)
    os.utime(folder)
    return _packages(folder)


def _installed(requirements: str, python: str, archive: str, place: str, cancellation: Cancellation) -> str:
    """Install what a requirements file names somewhere below `place`; return the folder of the installation."""
    folder, sandbox, temporary = (os.path.join(place, name) for name in ("installation", "sandbox", "tmp"))
    for each in (sandbox, temporary, _packages(folder)):
        os.makedirs(each)
    problem = _failure(["tar", "-xzf", archive], sandbox, children.inherited(), cancellation)
    if problem:
        raise OperationFailed(f"tar could not unpack {archive}: it {problem}", "build again")
    stage = os.path.basename(os.path.dirname(requirements))
    path = f"stages/{stage}/requirements.txt"
    # What pip leaves behind when it is killed goes with the folder.
    environment = _environment(os.path.join(sandbox, path)) | {"TMPDIR": temporary}
    command = [python, *_PIP, "--target", _packages(folder), "-r", path]
    problem = _failure(command, sandbox, environment, cancellation)
    if problem:
        raise OperationFailed(
            f"pip could not install {requirements}: it {problem}",
            "correct the file, or make the packages available to pip on this machine",
        )
    cachefile.save(os.path.join(folder, "files"), _SCHEMA, _listing(_packages(folder)))
    return folder


def _failure(command: Sequence[str], sandbox: str, environment: Mapping[str, str], cancellation: Cancellation) -> str:
    """Run a command in the sandbox; return how it failed and what it said last, an empty text when it did not."""
    log = f"{sandbox}.log"
    with open(log, "wb") as file:
        status = children.run(
            command, cwd=sandbox, environment=environment, stdout=file, stderr=file, cancellation=cancellation
        )
    return f"{status.problem}\n{tail(log)}" if status.problem else ""


def _environment(requirements: str) -> dict[str, str]:
    """Return pip's variables: a package's build is somebody else's code, and must not see tokens and secrets."""
    with open(requirements, "rb") as file:
        named = [match.decode() for match in _VARIABLE.findall(file.read())]
    settings = [name for name in os.environ if name.startswith("PIP_") or name.lower().endswith("_proxy")]
    return children.inherited(*settings, *_NETWORK, *_FOLDERS, *_COMPILERS, *named)


def _packages(folder: str) -> str:
    return os.path.join(folder, "packages")


def _is_intact(folder: str) -> bool:
    """Tell whether an installation has all its files, as they were written; others may have come since."""
    recorded = cachefile.load(os.path.join(folder, "files"), _SCHEMA)
    return isinstance(recorded, dict) and recorded.items() <= _listing(_packages(folder)).items()


def _listing(folder: str) -> dict[str, tuple[int, int]]:
    """Return the size in bytes and the mtime in nanoseconds of every file below a folder, by relative path."""
    paths = [os.path.join(parent, name) for parent, _, names in os.walk(folder) for name in names]
    entries = [(path, os.lstat(path)) for path in paths]
    return {path[len(folder) + 1 :]: (entry.st_size, entry.st_mtime_ns) for path, entry in entries}


def _names_a_path(content: bytes) -> bool:
    """Tell whether a line names a local file or folder, whose content then counts too."""
    lines = [line.split(b"#")[0] for line in content.splitlines()]
    return any(b"file:" in line or (b"://" not in line and _PATH.search(line)) for line in lines)
