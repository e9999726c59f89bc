r"""The grammar of Cypress paths, kind by kind; where it has the official client's, the two agree."""

from __future__ import annotations

import random
from typing import Any

import pytest
from yt.wrapper import escape_ypath_literal
from yt.ypath.rich import RichYPath

from tests.cluster.paths import parse_steps
from ytbuild.base.errors import CypressPathError, TableError
from ytbuild.config import cypress_path
from ytbuild.config.cypress_path import CypressPath, node_path, parse, parse_output


def problem(text: object, use: Any = parse) -> str:
    """Return what is wrong with a text."""
    with pytest.raises(CypressPathError) as caught:
        use(text)
    assert isinstance(caught.value, TableError) and caught.value.hint
    assert caught.value.message == f"{text!r} {caught.value.problem}"
    return caught.value.problem


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("//tmp", ("tmp",)),
        ("//tmp/me/data", ("tmp", "me", "data")),
        ("//tmp/данные", ("tmp", "данные")),
        ("//tmp/a b.c-d:e=f,g", ("tmp", "a b.c-d:e=f,g")),
        ("//tmp/...", ("tmp", "...")),
        ("//tmp/.hidden", ("tmp", ".hidden")),
        ('//tmp/a#b]c}d<e>f"g', ("tmp", 'a#b]c}d<e>f"g')),
        ("//tmp/ padded ", ("tmp", " padded ")),
    ],
)
def test_a_plain_path_is_its_own_spelling(text: str, names: tuple[str, ...]) -> None:
    assert parse(text) == CypressPath(names)
    assert node_path(text) == parse(text).node == str(parse(text)) == text


@pytest.mark.parametrize(
    ("text", "name", "spelling"),
    [
        (r"//tmp/\x41", "A", "//tmp/A"),
        (r"//tmp/a\@b", "a@b", r"//tmp/a\@b"),
        (r"//tmp/a\x40b", "a@b", r"//tmp/a\@b"),
        (r"//tmp/\&", "&", r"//tmp/\&"),
        (r"//tmp/\*", "*", r"//tmp/\*"),
        (r"//tmp/\[1]", "[1]", r"//tmp/\[1]"),
        (r"//tmp/\{a}", "{a}", r"//tmp/\{a}"),
        (r"//tmp/a\\b", "a\\b", r"//tmp/a\\b"),
        (r"//tmp/a\/b", "a/b", r"//tmp/a\x2fb"),
        (r"//tmp/a\x2Fb", "a/b", r"//tmp/a\x2fb"),
        (r"//tmp/\xd0\xb6", "ж", "//tmp/ж"),
        ("//tmp/a\x1b\n", "a\x1b\n", r"//tmp/a\x1b\x0a"),
        ("//tmp/a\x7f\x9b", "a\x7f\x9b", r"//tmp/a\x7f\xc2\x9b"),
        ("//tmp/a\u202eb", "a\u202eb", r"//tmp/a\xe2\x80\xaeb"),
        (r"//tmp/\\x41", r"\x41", r"//tmp/\\x41"),
    ],
)
def test_escapes_have_one_spelling(text: str, name: str, spelling: str) -> None:
    assert parse(text).names == ("tmp", name)
    assert node_path(text) == spelling and parse(spelling) == parse(text)


@pytest.mark.parametrize(
    ("text", "attributes", "columns", "ranges"),
    [
        ("<append=%true>//t", "<append=%true>", "", ""),
        ("<append=%true>  //t", "<append=%true>", "", ""),
        ('<a=">";b=<c=1>2>//t', '<a=">";b=<c=1>2>', "", ""),
        (r'<a="\">">//t', r'<a="\">">', "", ""),
        ("<>//t", "<>", "", ""),
        ("//t{a,b}", "", "{a,b}", ""),
        ("//t{}", "", "{}", ""),
        ('//t{"}"}', "", '{"}"}', ""),
        ("//t[#10:#20]", "", "", "[#10:#20]"),
        ("//t[:]", "", "", "[:]"),
        ('//t[("]",8):(xyz,5),#1]', "", "", '[("]",8):(xyz,5),#1]'),
        ("<ranges=[{}]>//t{a}[#1]", "<ranges=[{}]>", "{a}", "[#1]"),
    ],
)
def test_attributes_columns_and_ranges_are_kept_as_text(
    text: str, attributes: str, columns: str, ranges: str
) -> None:
    path = parse(text)
    assert path == CypressPath(("t",), attributes, columns, ranges) and not path.is_plain
    assert path.node == "//t" and str(path) == f"{attributes}//t{columns}{ranges}"
    assert problem(text, node_path) == "has attributes, columns or ranges"


NO_PATHS = [
    (None, "is not a text"),
    (7, "is not a text"),
    (b"//tmp/x", "is not a text"),
    (["//tmp/x"], "is not a text"),
    ("", "does not begin with //"),
    ("/", "does not begin with //"),
    ("tmp/x", "does not begin with //"),
    ("/tmp/x", "does not begin with //"),
    (" //tmp/x", "does not begin with //"),
    ("cluster://tmp/x", "does not begin with //"),
    ("<append=%true>tmp/x", "does not begin with //"),
    ("<append=%true>", "does not begin with //"),
    ("#1-2-3-4", "is the id of an object"),
    ("<append=%true>#1-2-3-4", "is the id of an object"),
    ("//", "ends with a slash"),
    ("//tmp/", "ends with a slash"),
    ("//tmp//x", "has an empty name"),
    ("///tmp", "has an empty name"),
    ("//[#1]", "has an empty name"),
    ("//tmp/../t", "has the name '..'"),
    ("//tmp/..", "has the name '..'"),
    ("//tmp/./t", "has the name '.'"),
    (r"//tmp/\x2e\x2e/t", "has the name '..'"),
    ("//tmp/t/@row_count", "has '@'"),
    ("//tmp/t/@", "has '@'"),
    ("//tmp/a@b", "has '@'"),
    ("//tmp/link&", "has '&'"),
    ("//tmp/link&/t", "has '&'"),
    ("//tmp/*", "has '*'"),
    ("//tmp/a\\", r"has '\\'"),
    (r"//tmp/a\n", r"has '\\'"),
    (r"//tmp/\x4", r"has '\\'"),
    (r"//tmp/\xgg", r"has '\\'"),
    ("//tmp/a\0b", "holds a NUL character"),
    (r"//tmp/\x00", "holds a NUL character"),
    (r"//tmp/\xff", "has a name that is not UTF-8"),
    ("//tmp/\udcff", "has a name that is not UTF-8"),
    ("<append=%true//t", "has a '<' that is not closed"),
    ("//t{a", "has a '{' that is not closed"),
    ("//t[#1", "has a '[' that is not closed"),
    ("//t[(1]", "has a '[' that is not closed"),
    ("//t[#1]x", "has 'x' after its columns and ranges"),
    ("//t[#1]/x", "has '/x' after its columns and ranges"),
    ("//t[#1]{a}", "has '{a}' after its columns and ranges"),
]


@pytest.mark.parametrize(("text", "expected"), NO_PATHS)
@pytest.mark.parametrize("use", [parse, parse_output, node_path])
def test_what_is_no_path_is_refused_for_every_use(use: Any, text: object, expected: str) -> None:
    assert problem(text, use).startswith(expected)


@pytest.mark.parametrize("text", ["//t{a}", "//t[#1]", "<append=%true>//t{a}[#1]"])
def test_what_is_written_has_no_columns_and_no_ranges(text: str) -> None:
    assert problem(text, parse_output) == "has columns or ranges, and is written"


def test_what_is_written_may_have_attributes() -> None:
    assert str(parse_output("<append=%true>//t")) == "<append=%true>//t"


@pytest.mark.parametrize(
    ("relative", "expected"),
    [
        ("a.txt", "//f/a.txt"),
        ("a/b", "//f/a/b"),
        ("@a/[1]/b*", r"//f/\@a/\[1]/b\*"),
        ("back\\slash", r"//f/back\\slash"),
    ],
)
def test_a_local_files_name_is_escaped(relative: str, expected: str) -> None:
    assert cypress_path.below("//f", relative) == node_path(expected) == expected


NAMES = ("a", "Ж", "b c", *r"""@&*\/[{]}<>"#""", "\x01", "\x7f", "\u202e", "x41", "..a")


def random_names(seed: int) -> tuple[str, ...]:
    source = random.Random(seed)
    return tuple("".join(source.choices(NAMES, k=source.randint(1, 4))) for _ in range(source.randint(1, 4)))


@pytest.mark.parametrize("seed", range(200))
def test_names_survive_and_the_official_client_reads_the_same(seed: int) -> None:
    names = random_names(seed)
    path = CypressPath(names)
    official = "/" + "".join(f"/{escape_ypath_literal(name)}" for name in names)
    assert parse(path.node) == parse(official) == path
    assert path.node.count("/") == len(names) + 1
    assert RichYPath().parse(path.node) == (path.node, {})
    # The stand-in has a parser of its own.
    assert parse_steps(path.node).keys == names


@pytest.mark.parametrize("seed", range(200))
def test_random_texts_are_paths_or_refused(seed: int) -> None:
    source = random.Random(seed)
    text = "//" + "".join(source.choices('aб/\\@&*[]{}<>"#x4\0 :,', k=source.randint(0, 12)))
    try:
        path = parse(text)
    except CypressPathError:
        return
    assert parse(str(path)) == path
    assert RichYPath().parse(path.node)[0] == path.node
