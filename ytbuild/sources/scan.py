"""Scanning a source: every directory is listed, and what is as the index knows it is not looked at again."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable
from dataclasses import dataclass

from xxhash import xxh3_128, xxh3_128_digest

from ytbuild.base.errors import SourceError
from ytbuild.base.text import quote
from ytbuild.sources import ytignore
from ytbuild.sources.directory import Examination, check_name, special
from ytbuild.sources.fingerprints import FingerprintIndex, Hashed, is_executable
from ytbuild.sources.judge import BuiltinRules, IgnoreChain, Judge
from ytbuild.sources.listing import Listing, is_always_left_out, list_folder
from ytbuild.sources.tree import Entry, FolderRecord, Source, Tree

HashedFile = Callable[[str, Hashed], None]
"""Told of a file that was read and hashed: its path relative to the source, fingerprint and hash."""


@dataclass(slots=True)
class _Visit:
    """One directory of a scan: known as it is, or with the examination that was needed.

    `outer` is the chain of the directories above it, `chain` the one for its own entries.
    """

    relative: str
    key: str
    listing: Listing
    outer: IgnoreChain
    chain: IgnoreChain
    ignore_digest: bytes
    subfolders: tuple[str, ...]
    linked: tuple[str, ...]
    known: bool
    record: FolderRecord | None
    examination: Examination | None = None


class TreeScanner:
    """Scans sources against one index; remembers which directories it has seen."""

    def __init__(self, pipeline_dir: str, index: FingerprintIndex, rules: BuiltinRules) -> None:
        self.pipeline_dir = pipeline_dir
        self.index = index
        self.rules = rules
        self.seen_folders: set[str] = set()
        self._judges: dict[bytes, Judge] = {}

    def scan(self, source: Source, hashed: HashedFile | None = None) -> Tree:
        """Return the tree of a source; raises a `SourceError` for whatever in it cannot be archived.

        When nothing of a directory source is known yet, `hashed` is told of each regular file as it is hashed, in
        the order of the tree's entries.
        """
        if not os.path.isdir(source.path):
            return self._scan_file(source)
        chain = self._outer_chain(source)
        visits: list[_Visit] = []
        real = os.path.realpath(source.path)
        stack: list[tuple[str, IgnoreChain, tuple[str, ...]]] = [("", chain, (real,))]
        while stack:
            relative, outer, trail = stack.pop()
            visit = self._visit(source, relative, outer, trail)
            visits.append(visit)
            for name_ in reversed(visit.subfolders):
                below = trail
                if name_ in visit.linked:
                    below = (*trail, os.path.realpath(os.path.join(source.path, relative, name_)))
                stack.append((relative + name_ + "/", visit.chain, below))
        self._hash(visits, hashed)
        folders = tuple((visit.relative, self._recorded(visit)) for visit in visits)
        digest = xxh3_128(chain.identity)
        for relative, record in folders:
            # Not the listing: it says nothing of a file that changed within the tick in which it was hashed.
            name = os.fsencode(relative)
            digest.update(b"%d:%s%d:" % (len(name), name, len(record.payload)))
            digest.update(record.payload)
        return Tree(source, digest.digest(), chain, folders)

    def _hash(self, visits: list[_Visit], hashed: HashedFile | None) -> None:
        """Hash what is not known by its fingerprint, in the order in which it will lie in the archive."""
        if any(visit.known for visit in visits):
            hashed = None
        waiting = [
            (visit.relative + name, name, print_, visit.examination)
            for visit in visits
            if visit.examination is not None
            for name, print_ in visit.examination.unhashed
        ]
        waiting.sort(key=lambda item: item[0])
        for relative, name, print_, examination in waiting:
            result = examination.hash(name, print_)
            if hashed is not None:
                hashed(relative, result)

    def _recorded(self, visit: _Visit) -> FolderRecord:
        if visit.record is not None:
            return visit.record
        assert visit.examination is not None
        record = visit.examination.record(visit.listing, visit.outer.identity, visit.ignore_digest)
        self.index.put_folder(visit.key, tuple(record))
        return record

    def judge(self, chain: IgnoreChain, is_module: bool) -> Judge:
        """Return the judge for a chain of ignore files."""
        found = self._judges.get(chain.identity)
        if found is None:
            found = self._judges[chain.identity] = Judge(chain, self.rules, is_module)
        return found

    def check_not_ignored(self, tree: Tree) -> None:
        """Raise `SourceError` when a rule leaves out the source as a whole, or a directory that it lies in."""
        source = tree.source
        if source.always or source.top == source.path:
            return
        chains = {chain.path: chain for chain in _lineage(tree.chain)}
        chain = _lineage(tree.chain)[0]
        folder, relative = source.top, os.path.relpath(source.path, source.top)
        prefix = b""
        for name in relative.split("/"):
            chain = chains.get(os.path.join(folder, ".ytignore"), chain)
            path = os.path.join(folder, name)
            reason = self.judge(chain, source.is_module).left_out(prefix, folder, name, os.path.isdir(path))
            if reason is not None or is_always_left_out(name):
                by = reason.label if reason else f"the name {name}"
                raise SourceError(
                    f"{quote(source.label)} is left out by {by}",
                    "remove the rule, or bring it back with a line that begins with '!'",
                )
            folder, prefix = path, prefix + os.fsencode(name) + b"/"

    def _scan_file(self, source: Source) -> Tree:
        chain = self._outer_chain(source)
        status = os.stat(source.path)
        if not stat.S_ISREG(status.st_mode):
            raise special(source.label, status.st_mode)
        check_name(source.arcname, source.label)
        hashed = self.index.hash_file(source.path, source.label)
        executable = is_executable(hashed.fingerprint)
        entry = Entry("", source.path, hashed.fingerprint[3], executable, hashed.digest, "")
        parts = (b"file", chain.identity, hashed.digest, b"x" if executable else b"-")
        return Tree(source, xxh3_128_digest(b"".join(parts)), chain, (), entry)

    def _outer_chain(self, source: Source) -> IgnoreChain:
        """Return the chain of the directories above the source, down from the pipeline's root."""
        kind = b"module" if source.is_module else b"source"
        chain = IgnoreChain(xxh3_128_digest(kind + self.rules.digest))
        if source.top == source.path:
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
        return chain.extended(path, self.label(path), prefix, self._ignore_digest(path))

    def _ignore_digest(self, path: str) -> bytes:
        if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
            ytignore.read_bytes(path, self.label(path))
        return self.index.hash_file(path, self.label(path)).digest

    def label(self, path: str) -> str:
        """Return how messages name a path: relative to the pipeline when it lies in it."""
        inside = path.startswith(self.pipeline_dir + "/")
        return path[len(self.pipeline_dir) + 1 :] if inside else path

    def _visit(self, source: Source, relative: str, chain: IgnoreChain, trail: tuple[str, ...]) -> _Visit:
        path = f"{source.path}/{relative}".rstrip("/")
        key = f"module:{path}" if source.is_module else path
        listing = list_folder(path, self.label(path))
        self.seen_folders.add(key)
        raw = self.index.folder(key)
        old = FolderRecord(*raw) if raw is not None else None
        prefix = os.fsencode(path[len(source.top) + 1 :] + "/") if path != source.top else b""
        if (
            old is not None
            and old.digest == listing.digest
            and old.chain == chain.identity
            and old.newest < old.limit
        ):
            inner = self._inner_chain(chain, path, prefix, old.ignore_digest)
            return _Visit(
                relative, key, listing, chain, inner, old.ignore_digest, old.subfolders, old.linked, True, old
            )
        ignore_file = os.path.join(path, ".ytignore")
        ignore_digest = b"" if listing.ignore_file is None else self._ignore_digest(ignore_file)
        inner = self._inner_chain(chain, path, prefix, ignore_digest)
        new = Examination(self, source, path, prefix, inner, trail, old)
        new.judge(listing)
        known = old is not None
        return _Visit(
            relative, key, listing, chain, inner, ignore_digest, new.subfolders, new.linked, known, None, new
        )

    def _inner_chain(self, chain: IgnoreChain, path: str, prefix: bytes, digest: bytes) -> IgnoreChain:
        if not digest:
            return chain
        ignore_file = os.path.join(path, ".ytignore")
        return chain.extended(ignore_file, self.label(ignore_file), prefix, digest)


def _lineage(chain: IgnoreChain) -> list[IgnoreChain]:
    """Return a chain and its parents, the outermost first."""
    found = [chain]
    while found[-1].parent is not None:
        found.append(found[-1].parent)
    return found[::-1]
