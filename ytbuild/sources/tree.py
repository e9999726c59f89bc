"""A source's files with their content hashes, taken from the index for every directory that is as it was."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from typing import NamedTuple

from xxhash import xxh3_128, xxh3_128_digest

from ytbuild.cachefile import dumps, loads
from ytbuild.errors import FileNameError, SourceError, SpecialFileError, SymlinkError
from ytbuild.sources import verdicts, ytignore
from ytbuild.sources.fingerprints import Fingerprint, FingerprintIndex, changed_ns, hash_content
from ytbuild.sources.verdicts import BuiltinRules, IgnoreChain, Judge, LeftOut
from ytbuild.sources.walk import Listing, is_always_left_out, list_folder
from ytbuild.text import quote

NEVER_SHIPPED = ("configs", ".build", ".dev", ".git")
"""Folders of the pipeline that nothing may ship from, not even through a link."""


@dataclass(frozen=True, slots=True)
class Source:
    """A file or folder of the user's and its place in the archive.

    `path` is absolute and free of links, `arcname` has no slash at the ends, `top` is the outermost directory
    whose ignore file counts (the pipeline, or the module itself), and `shown` names the source in messages.
    """

    path: str
    arcname: str
    top: str
    is_module: bool
    shown: str


class Entry(NamedTuple):
    """One file that ships; `link` is a relative link's text, and then there is no content.

    A NamedTuple, not a dataclass: there may be hundreds of thousands, and they cost a fifth to make.
    """

    relative: str
    path: str
    size: int
    executable: bool
    digest: bytes
    link: str


class Ignored(NamedTuple):
    """One entry that does not ship, relative to the source, and the reason."""

    relative: str
    is_directory: bool
    reason: LeftOut


class FolderRecord(NamedTuple):
    """What the index keeps of a directory; a plain tuple there.

    `limit` is the trust limit of the scan that wrote the record and `newest` the latest change among its entries:
    the record counts only while `newest < limit`. `payload` holds (files, links, ignored), decoded when needed.
    """

    limit: int
    newest: int
    digest: bytes
    chain: bytes
    ignore_digest: bytes
    subfolders: tuple[str, ...]
    linked: tuple[str, ...]
    payload: bytes


_FileItem = tuple[str, int, bool, bytes, Fingerprint]
_LinkItem = tuple[str, str, bool, int, bool, bytes, Fingerprint]
_IgnoredItem = tuple[str, bool, str, int, str, bool]


@dataclass(frozen=True)
class Tree:
    """The scan of one source.

    `digest` covers everything that decides its members; equal digests mean equal members.
    """

    source: Source
    digest: bytes
    chain: IgnoreChain
    folders: tuple[tuple[str, FolderRecord], ...]
    single: Entry | None = None

    def entries(self) -> list[Entry]:
        """Return what ships, sorted by the bytes of the names.

        Raises `SymlinkError` when a link inside the source leads to something that is left out.
        """
        if self.single is not None:
            return [self.single]
        found: list[Entry] = []
        links: list[tuple[str, _LinkItem]] = []
        for relative, record in self.folders:
            files, own_links, _ = loads(record.payload)
            folder = f"{self.source.path}/{relative}"
            found += [
                Entry(relative + name, folder + name, size, executable, digest, "")
                for name, size, executable, digest, _ in files
            ]
            links += [(relative, link) for link in own_links]
        if links:
            found += self._links(links, {entry.relative for entry in found})
        found.sort(key=lambda entry: entry.relative)
        return found

    def ignored(self) -> Iterator[Ignored]:
        """Give what is left out, in the order of the walk."""
        for relative, record in self.folders:
            for name, is_directory, *reason in loads(record.payload)[2]:
                yield Ignored(relative + name, is_directory, LeftOut(*reason))

    def _links(self, links: list[tuple[str, _LinkItem]], shipped: set[str]) -> Iterator[Entry]:
        root = os.path.realpath(self.source.path) + "/"
        inner = {folder + link[0] for folder, link in links if link[1].startswith(root)}
        for folder, (name, real, is_directory, size, executable, digest, _) in links:
            relative = folder + name
            shown = quote(os.path.join(self.source.shown, relative))
            if not (real + "/").startswith(root):
                if is_directory:
                    raise SymlinkError(
                        f"{shown} is a link to the directory {quote(real)}, outside its own source",
                        "add that directory to pipeline.upload_paths, or leave the link out with .ytignore",
                    )
                yield Entry(relative, real, size, executable, digest, "")
                continue
            aim = real[len(root) :]
            inside = aim + "/" if aim else ""
            whole = is_directory and any(other.startswith(inside) for other in shipped | inner)
            if not (whole or aim in shipped):
                raise SymlinkError(
                    f"{shown} is a link to {quote(aim or '.')}, which is left out of the archive",
                    "ship what it points to, or leave the link out with a line in .ytignore as well",
                )
            yield Entry(relative, "", 0, False, b"", os.path.relpath(real, os.path.join(root, folder)))


class TreeScanner:
    """Scans sources against one index; remembers which directories it has seen."""

    def __init__(self, pipeline_dir: str, index: FingerprintIndex, rules: BuiltinRules) -> None:
        self.pipeline_dir = pipeline_dir
        self.index = index
        self.rules = rules
        self.seen_folders: set[str] = set()
        self._judges: dict[bytes, Judge] = {}

    def scan(self, source: Source) -> Tree:
        """Return the tree of a source; raises a `SourceError` for whatever in it cannot be archived."""
        if not os.path.isdir(source.path):
            return self._scan_file(source)
        chain = self._outer_chain(source)
        folders: list[tuple[str, FolderRecord]] = []
        digest = xxh3_128(b"module" if source.is_module else b"source")
        real = os.path.realpath(source.path)
        stack: list[tuple[str, IgnoreChain, tuple[str, ...]]] = [("", chain, (real,))]
        while stack:
            relative, outer, trail = stack.pop()
            record, inner = self._folder(source, relative, outer, trail)
            folders.append((relative, record))
            name = os.fsencode(relative)
            digest.update(b"%d:%s" % (len(name), name) + record.digest + record.chain + record.ignore_digest)
            for name_ in reversed(record.subfolders):
                below = trail
                if name_ in record.linked:
                    below = (*trail, os.path.realpath(os.path.join(source.path, relative, name_)))
                stack.append((relative + name_ + "/", inner, below))
        return Tree(source, digest.digest(), chain, tuple(folders))

    def judge(self, chain: IgnoreChain, is_module: bool) -> Judge:
        """Return the judge for a chain of ignore files."""
        found = self._judges.get(chain.identity)
        if found is None:
            found = self._judges[chain.identity] = Judge(chain, self.rules, is_module)
        return found

    def check_not_ignored(self, tree: Tree) -> None:
        """Raise `SourceError` when a rule leaves out the source as a whole, or a directory that it lies in."""
        source = tree.source
        if source.is_module:
            return
        chains = {chain.path: chain for chain in _lineage(tree.chain)}
        chain = _lineage(tree.chain)[0]
        folder, relative = source.top, os.path.relpath(source.path, source.top)
        prefix = b""
        for name in relative.split("/"):
            chain = chains.get(os.path.join(folder, ".ytignore"), chain)
            path = os.path.join(folder, name)
            reason = self.judge(chain, False).left_out(prefix, path, name, os.path.isdir(path))
            if reason is not None or is_always_left_out(name):
                by = reason.shown if reason else f"the name {name}"
                raise SourceError(
                    f"{quote(source.shown)} is left out by {by}",
                    "remove the rule, or bring it back with a line that begins with '!'",
                )
            folder, prefix = path, prefix + os.fsencode(name) + b"/"

    def _scan_file(self, source: Source) -> Tree:
        chain = self._outer_chain(source)
        status = os.stat(source.path)
        if not stat.S_ISREG(status.st_mode):
            raise _special(source.shown, status.st_mode)
        _check_name(source.arcname, source.shown)
        hashed = self.index.hash_file(source.path, source.shown)
        executable = bool(hashed.fingerprint[0] & stat.S_IXUSR)
        entry = Entry("", source.path, hashed.fingerprint[3], executable, hashed.digest, "")
        parts = (b"file", chain.identity, hashed.digest, b"x" if executable else b"-")
        return Tree(source, xxh3_128_digest(b"".join(parts)), chain, (), entry)

    def _outer_chain(self, source: Source) -> IgnoreChain:
        """Return the chain of the directories above the source, down from the pipeline's root."""
        kind = b"module" if source.is_module else b"source"
        chain = IgnoreChain(xxh3_128_digest(kind + self.rules.digest))
        if source.is_module:
            return chain
        folder, prefix = source.top, b""
        for name in os.path.relpath(source.path, source.top).split("/"):
            chain = self._with_ignore_file(chain, folder, prefix)
            folder, prefix = os.path.join(folder, name), prefix + os.fsencode(name) + b"/"
        return chain

    def _with_ignore_file(self, chain: IgnoreChain, folder: str, prefix: bytes) -> IgnoreChain:
        path = os.path.join(folder, ".ytignore")
        if not os.path.lexists(path):
            return chain
        return chain.extended(path, self._shown(path), prefix, self._ignore_digest(path))

    def _ignore_digest(self, path: str) -> bytes:
        if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
            ytignore.read_bytes(path, self._shown(path))
        return self.index.hash_file(path, self._shown(path)).digest

    def _shown(self, path: str) -> str:
        inside = path.startswith(self.pipeline_dir + "/")
        return path[len(self.pipeline_dir) + 1 :] if inside else path

    def _folder(
        self, source: Source, relative: str, chain: IgnoreChain, trail: tuple[str, ...]
    ) -> tuple[FolderRecord, IgnoreChain]:
        path = os.path.join(source.path, relative).rstrip("/")
        key = f"module:{path}" if source.is_module else path
        listing = list_folder(path, self._shown(path))
        self.seen_folders.add(key)
        raw = self.index.folder(key)
        old = FolderRecord(*raw) if raw is not None else None
        prefix = os.fsencode(os.path.relpath(path, source.top) + "/") if path != source.top else b""
        if (
            old is not None
            and old.digest == listing.digest
            and old.chain == chain.identity
            and old.newest < old.limit
        ):
            return old, self._inner_chain(chain, path, prefix, old.ignore_digest)
        ignore_file = os.path.join(path, ".ytignore")
        ignore_digest = b"" if listing.ignore_file is None else self._ignore_digest(ignore_file)
        inner = self._inner_chain(chain, path, prefix, ignore_digest)
        examination = _Examination(self, source, path, prefix, inner, trail, old)
        record = examination.record(listing, chain.identity, ignore_digest)
        self.index.put_folder(key, tuple(record))
        return record, inner

    def _inner_chain(self, chain: IgnoreChain, path: str, prefix: bytes, digest: bytes) -> IgnoreChain:
        if not digest:
            return chain
        ignore_file = os.path.join(path, ".ytignore")
        return chain.extended(ignore_file, self._shown(ignore_file), prefix, digest)


class _Examination:
    """The judgement of one directory that is new or changed."""

    def __init__(
        self,
        scanner: TreeScanner,
        source: Source,
        path: str,
        prefix: bytes,
        chain: IgnoreChain,
        trail: tuple[str, ...],
        old: FolderRecord | None,
    ) -> None:
        self._scanner = scanner
        self._source = source
        self._path = path
        self._prefix = prefix
        self._judge = scanner.judge(chain, source.is_module)
        self._trail = trail
        self._shown = scanner._shown(path)
        self._known: dict[str, tuple[Fingerprint, bytes]] = {}
        if old is not None:
            self._known = {
                item[0]: (item[4], item[3]) for item in loads(old.payload)[0] if changed_ns(item[4]) < old.limit
            }
        self._files: list[_FileItem] = []
        self._links: list[_LinkItem] = []
        self._ignored: list[_IgnoredItem] = []
        self._linked: list[str] = []

    def record(self, listing: Listing, chain: bytes, ignore_digest: bytes) -> FolderRecord:
        """Judge every entry; raises the `SourceError` of the first that cannot be archived."""
        subfolders = [name for name in listing.folders if self._ships(name, True)]
        for name, print_ in listing.files:
            if self._ships(name, False):
                self._add_file(name, print_)
        for name, _, aim in listing.links:
            if self._ships(name, False):
                self._add_link(name, aim)
        for name in subfolders:
            _check_name(name, os.path.join(self._shown, name))
        self._ignored += [(name, is_directory, "", 0, name, False) for name, is_directory in listing.always]
        prints = [row[1] for row in listing.files] + [row[1] for row in listing.links]
        prints += [row[2] for row in listing.links if row[2] is not None]
        prints += [listing.ignore_file] if listing.ignore_file is not None else []
        return FolderRecord(
            limit=0,
            newest=max(map(changed_ns, prints), default=-1),
            digest=listing.digest,
            chain=chain,
            ignore_digest=ignore_digest,
            subfolders=tuple(sorted(subfolders + self._linked)),
            linked=tuple(self._linked),
            payload=dumps((self._files, self._links, self._ignored)),
        )

    def _ships(self, name: str, is_directory: bool) -> bool:
        reason = self._judge.left_out(self._prefix, f"{self._path}/{name}", name, is_directory)
        if reason is not None:
            self._ignored.append((name, is_directory, *reason))
        return reason is None

    def _add_file(self, name: str, print_: Fingerprint) -> None:
        shown = f"{self._shown}/{name}"
        if not stat.S_ISREG(print_[0]):
            raise _special(shown, print_[0])
        _check_name(name, shown)
        known = self._known.get(name)
        if known is not None and known[0] == print_:
            digest = known[1]
        else:
            print_, digest = hash_content(f"{self._path}/{name}", shown, print_, self._scanner.index.recent)
        self._files.append((name, print_[3], bool(print_[0] & stat.S_IXUSR), digest, print_))

    def _add_link(self, name: str, aim: Fingerprint | None) -> None:
        shown = f"{self._shown}/{name}"
        _check_name(name, shown)
        real = os.path.realpath(os.path.join(self._path, name))
        if aim is None:
            raise SymlinkError(
                f"{quote(shown)} is a link that leads nowhere ({quote(os.readlink(os.path.join(self._path, name)))})",
                "repair it, or leave it out with a line in .ytignore",
            )
        is_directory = stat.S_ISDIR(aim[0])
        if not is_directory and not stat.S_ISREG(aim[0]):
            raise _special(f"{shown} -> {real}", aim[0])
        if self._source.is_module:
            if is_directory:
                self._follow(name, real, shown)
            else:
                hashed = self._scanner.index.hash_file(real, shown)
                print_, digest = hashed
                self._files.append((name, print_[3], bool(print_[0] & stat.S_IXUSR), digest, print_))
            return
        self._check_contained(real, shown, is_directory)
        if is_directory:
            self._links.append((name, real, True, 0, False, b"", aim))
            return
        print_, digest = self._scanner.index.hash_file(real, shown)
        self._links.append((name, real, False, print_[3], bool(print_[0] & stat.S_IXUSR), digest, print_))

    def _follow(self, name: str, real: str, shown: str) -> None:
        here = os.path.realpath(self._path)
        if any((place + "/").startswith(real + "/") for place in (*self._trail, here)):
            raise SymlinkError(
                f"{quote(shown)} is a link to {quote(real)}, a directory that it lies in: following it never ends",
                "leave it out with a line in a .ytignore of the module",
            )
        self._linked.append(name)

    def _check_contained(self, real: str, shown: str, is_directory: bool) -> None:
        pipeline = self._scanner.pipeline_dir + "/"
        if not real.startswith(pipeline):
            raise SymlinkError(
                f"{quote(shown)} is a link to {quote(real)}, outside the pipeline",
                "copy what it points to into the pipeline, or leave the link out with a line in .ytignore",
            )
        inside = real[len(pipeline) :]
        secret = not is_directory and verdicts.is_secret(self._scanner.rules, False, real)
        if inside.split("/")[0] in NEVER_SHIPPED or secret:
            raise SymlinkError(
                f"{quote(shown)} is a link to {quote(inside)}, which never ships",
                "remove the link: secrets and configuration stay out of archives",
            )


def _lineage(chain: IgnoreChain) -> list[IgnoreChain]:
    """Return a chain and its parents, the outermost first."""
    found = [chain]
    while found[-1].parent is not None:
        found.append(found[-1].parent)
    return found[::-1]


def _check_name(name: str, shown: str) -> None:
    try:
        name.encode("utf-8")
    except UnicodeEncodeError:
        raise FileNameError(
            f"{quote(shown)}: the name is not valid UTF-8",
            "rename the file, or leave it out with a line in .ytignore",
        ) from None


def _special(shown: str, mode: int) -> SpecialFileError:
    kinds = {
        stat.S_IFIFO: "a fifo",
        stat.S_IFSOCK: "a socket",
        stat.S_IFCHR: "a character device",
        stat.S_IFBLK: "a block device",
    }
    kind = kinds.get(stat.S_IFMT(mode), "no regular file")
    return SpecialFileError(
        f"{quote(shown)} is {kind}", "only files, directories and links can ship; leave it out with .ytignore"
    )
