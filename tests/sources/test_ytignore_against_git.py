"""`.ytignore` against git's own engine, on random trees: not one file may be judged differently.

`pytest --ignore-sets 2000 --ignore-seed 7 tests/sources/test_ytignore_against_git.py` tries more, or others.
"""

from __future__ import annotations

import os
import random
import subprocess
from pathlib import Path

import pytest

from tests.support import clean_environment
from ytbuild.base.errors import SourceError
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.sources.ignore_rules import BuiltinRules
from ytbuild.sources.source_tree import Source
from ytbuild.sources.tree_scanner import TreeScanner

# None of these is caught by rules/*.ytignore or by the names that are always left out.
NAMES = (
    *("a", "b", "c", "foo", "bar", "foobar", "x.py", "é", "xé", "t ", "t", " s", "!x", "#y"),
    *("*", "?", "1", "0", "]", "a]", "b[", "-", "[a", "\\a", "\\", "a^", "A", "a\tb", "a\nb", "a\x7f", "ß"),
)
ATOMS = (
    *("a", "b", "foo", "bar", "foobar", "x.py", "é", "A", "0", "1", "-"),
    *("*", "?", "**", "***", "*.py", "f*", "*o*", "a**", "**b", "a**b", "?é", "??", "*/", "foo*bar"),
    *("[ab]", "[!a]", "[^b]", "[a-f]*", "[]a]", "[!]a]", "[\\]]", "[a", "[a-]", "[-a]", "[--0]", "[z-a]", "[a-c"),
    *("[[:alpha:]]", "[[:digit:]]*", "[[:punct:]]", "[![:alnum:]]*", "[[:upper:]a]", "[[:space:]]*", "[[:nope:]]"),
    *("[[:alpha:]", "[[:alpha]]", "[a[:digit:]-z]", "[\\a]", "[a\\-z]", "*[[:cntrl:]]*", "[[:xdigit:]]", "b["),
    *("\\*", "\\?", "\\!x", "\\#y", "\\a", "\\\\", "\\\\a", "\\", "foo\\", "\\[a", "\\ s", "!x", "#y"),
    *(" s", "t ", "t\\ ", "t\\  ", "t  ", "a\t", "a\tb"),
)


def _line(rng: random.Random) -> str:
    text = "/".join(rng.choice(ATOMS) for _ in range(rng.choice([1, 1, 1, 2, 2, 3])))
    text = ("/" if rng.random() < 0.2 else "") + text
    text += "/" if rng.random() < 0.3 else ""
    text += "/**" if rng.random() < 0.15 else ""
    text = ("**/" if rng.random() < 0.05 else "") + text
    text = ("!" if rng.random() < 0.3 else "") + text
    text = ("#" if rng.random() < 0.05 else "") + text
    text += " " * rng.choice([0] * 8 + [1, 2])
    return "" if rng.random() < 0.05 else text


def _ignore_file(rng: random.Random) -> bytes:
    end = rng.choice(["\n", "\n", "\r\n"])
    text = end.join(_line(rng) for _ in range(rng.randrange(1, 7)))
    text += end if rng.random() < 0.8 else ""
    text = ("\ufeff" if rng.random() < 0.1 else "") + text
    return text.encode()


def _make_tree(rng: random.Random, root: Path) -> list[str]:
    """Fill `root` with files, folders and ignore files; return the folders."""
    folders = [""]
    for _ in range(rng.randrange(15, 45)):
        path = os.path.join(rng.choice(folders), rng.choice(NAMES))
        if (root / path).exists():
            continue
        if rng.random() < 0.4 and path.count("/") < 4:
            (root / path).mkdir()
            folders.append(path)
        else:
            (root / path).touch()
    for folder in folders:
        if folder == "" or rng.random() < 0.3:
            (root / folder / ".ytignore").write_bytes(_ignore_file(rng))
    return folders


def _kept_by_git(root: Path, repository: Path) -> set[str]:
    git = ["git", "-c", "core.excludesFile=/dev/null", f"--git-dir={repository}", f"--work-tree={root}"]
    listed = subprocess.run(
        [*git, "ls-files", "-o", "-z", "--exclude-per-directory=.ytignore"],
        cwd=root,
        env=clean_environment(GIT_CONFIG_NOSYSTEM="1", GIT_CONFIG_GLOBAL="/dev/null"),
        stdout=subprocess.PIPE,
        check=True,
    ).stdout
    names = {os.fsdecode(name) for name in listed.split(b"\0") if name}
    return {name for name in names if os.path.basename(name) != ".ytignore"}


def _kept_by_us(root: Path, below: str = "") -> set[str]:
    """Return what ships of the folder `below`, as paths relative to `root`, which is the pipeline."""
    scanner = TreeScanner(str(root), FingerprintIndex(str(root / ".build")), BuiltinRules())
    source = Source(str(root / below) if below else str(root), "x", str(root), False, below or ".")
    tree = scanner.scan(source)
    if below:
        try:
            scanner.check_not_ignored(tree)
        except SourceError:
            return set()
    return {os.path.join(below, entry.relative) for entry in tree.files()}


def _report(seed: int, root: Path, below: str, ours: set[str], gits: set[str]) -> str:
    files = "".join(f"\n  {path.relative_to(root)}: {path.read_bytes()!r}" for path in root.rglob(".ytignore"))
    return f"seed {seed}, source {below!r}: only ours {ours - gits}, only git's {gits - ours}{files}"


@pytest.fixture(scope="module")
def repository(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An empty git repository whose work tree is given with each call."""
    path = tmp_path_factory.mktemp("repository") / "git"
    subprocess.run(["git", "init", "-q", "--bare", str(path)], check=True, env=clean_environment())
    subprocess.run(["git", "--git-dir", str(path), "config", "core.bare", "false"], check=True)
    return path


def _seeds(request: pytest.FixtureRequest) -> range:
    first = request.config.getoption("--ignore-seed")
    return range(first, first + request.config.getoption("--ignore-sets"))


def test_random_ignore_files_leave_out_what_git_leaves_out(
    request: pytest.FixtureRequest, tmp_path: Path, repository: Path
) -> None:
    differences = []
    for seed in _seeds(request):
        root = tmp_path / str(seed)
        root.mkdir()
        _make_tree(random.Random(seed), root)
        ours, gits = _kept_by_us(root), _kept_by_git(root, repository)
        if ours != gits:
            differences.append(_report(seed, root, "", ours, gits))
    assert not differences, "\n".join(differences[:3])


def test_random_ignore_files_above_a_source_count_as_in_git(
    request: pytest.FixtureRequest, tmp_path: Path, repository: Path
) -> None:
    differences = []
    for seed in _seeds(request)[::2]:
        rng = random.Random(seed)
        root = tmp_path / str(seed)
        root.mkdir()
        below = rng.choice(_make_tree(rng, root)[1:] or [""])
        if not below:
            continue
        ours = _kept_by_us(root, below)
        gits = {name for name in _kept_by_git(root, repository) if name.startswith(below + "/")}
        if ours != gits:
            differences.append(_report(seed, root, below, ours, gits))
    assert not differences, "\n".join(differences[:3])


# name, .ytignore, a file, whether it ships
CASES: list[tuple[str, bytes, str, bool]] = [
    ("a name without a slash counts at every depth", b"data\n", "a/b/data", False),
    ("a slash at the beginning anchors", b"/data\n", "a/data", True),
    ("a slash in the middle anchors too", b"a/data\n", "b/a/data", True),
    ("a slash at the end means directories only", b"data/\n", "data", True),
    ("a directory that is left out takes its files along", b"data/\n", "a/data/x", False),
    ("a star stops at a slash", b"/a/*.csv\n", "a/b/x.csv", True),
    ("two stars cross slashes", b"/a/**/x.csv\n", "a/b/c/x.csv", False),
    ("two stars also match no directory at all", b"/a/**/x.csv\n", "a/x.csv", False),
    ("stars beside other characters are one star", b"/a/x**.csv\n", "a/xy/z.csv", True),
    ("the last line that matches decides", b"*.csv\n!x.csv\n", "x.csv", True),
    ("an earlier negation loses", b"!x.csv\n*.csv\n", "x.csv", False),
    ("nothing comes back below a directory that is left out", b"a/\n!a/x.csv\n", "a/x.csv", False),
    ("a directory brought back brings its files", b"/*\n!/a/\n", "a/x.csv", True),
    ("a comment is no pattern", b"#x\n", "#x", True),
    ("an escaped hash is one", b"\\#x\n", "#x", False),
    ("an escaped exclamation mark is no negation", b"\\!x\n", "!x", False),
    ("an escaped star is no wildcard", b"\\*\n", "x", True),
    ("spaces at the end do not count", b"x.csv  \n", "x.csv", False),
    ("an escaped space at the end counts", b"x\\ \n", "x ", False),
    ("a carriage return before the line's end does not count", b"x.csv\r\n", "x.csv", False),
    ("a byte order mark does not count", b"\xef\xbb\xbfx.csv\n", "x.csv", False),
    ("the last line may lack its end", b"y\nx.csv", "x.csv", False),
    ("a class of characters", b"x.[ch]\n", "x.h", False),
    ("a class turned around", b"x.[!ch]\n", "x.h", True),
    ("a POSIX class", b"x[[:digit:]].csv\n", "x7.csv", False),
    ("a bracket that is not closed matches nothing", b"x[1\n", "x[1", True),
    ("a question mark is one byte, not one letter", b"?.csv\n", "é.csv", True),
    ("letters keep their case", b"X.CSV\n", "x.csv", True),
]


@pytest.mark.parametrize(("patterns", "path", "ships"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_rule_means_what_it_means_in_git(
    tmp_path: Path, repository: Path, patterns: bytes, path: str, ships: bool
) -> None:
    root = tmp_path / "root"
    (root / path).parent.mkdir(parents=True)
    (root / path).touch()
    (root / ".ytignore").write_bytes(patterns)
    assert _kept_by_us(root) == ({path} if ships else set())
    assert _kept_by_git(root, repository) == _kept_by_us(root)


def test_a_deeper_ignore_file_wins_over_one_above_it(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / ".ytignore").write_text("*.csv\n")
    (tmp_path / "a" / ".ytignore").write_text("!x.csv\n")
    (tmp_path / "a" / "x.csv").touch()
    (tmp_path / "x.csv").touch()
    assert _kept_by_us(tmp_path) == {"a/x.csv"}


def test_a_line_of_a_deeper_ignore_file_is_anchored_where_the_file_lies(tmp_path: Path) -> None:
    (tmp_path / "a" / "a").mkdir(parents=True)
    (tmp_path / "a" / ".ytignore").write_text("/x.csv\n")
    for path in ("x.csv", "a/x.csv", "a/a/x.csv"):
        (tmp_path / path).touch()
    assert _kept_by_us(tmp_path) == {"x.csv", "a/a/x.csv"}
