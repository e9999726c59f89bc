"""Scanning a source: every directory is listed, and what is as the index knows it is not looked at again."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from typing import NamedTuple

from xxhash import xxh3_128, xxh3_128_digest

from ytbuild.base.errors import SourceError
from ytbuild.base.text import quote
from ytbuild.sources.directory_listing import is_always_left_out, list_directory
from ytbuild.sources.directory_scan import Directory, DirectoryScan, check_name, special_file
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.sources.fingerprints import Hashed, fingerprint_of, is_executable, is_regular
from ytbuild.sources.ignore_file import IGNORE_FILE, read_bytes
from ytbuild.sources.ignore_rules import BuiltinRules, IgnoreChain, IgnoreRules
from ytbuild.sources.source_tree import DirectoryRecord, Source, SourceFile, SourceTree

HashedFile = tuple[str, Hashed]
"""The path of a file relative to its source, with its fingerprint and hash."""

HashedFiles = Callable[[Iterator[HashedFile]], None]
"""Called with the files of a source, which are hashed as they are taken."""


class _Visit(NamedTuple):
    """One directory of a source: as the index knows it, or scanned; `chain` governs its entries."""

    relative: str
    key: str
    chain: IgnoreChain
    outcome: DirectoryRecord | DirectoryScan
    is_new: bool


class TreeScanner:
    """Scans sources against one index; remembers which directories it has seen."""

    def __init__(self, pipeline_dir: str, index: FingerprintIndex, rules: BuiltinRules) -> None:
        self._pipeline_dir = pipeline_dir
        self._index = index
        self._builtin = rules
        self.seen_directories: set[str] = set()
        self._rules: dict[bytes, IgnoreRules] = {}

    def scan(self, source: Source, listener: HashedFiles | None = None) -> SourceTree:
        """Return the tree of a source; raises a `SourceError` for whatever in it cannot be archived.

        When nothing of a directory source is known yet, `listener` is handed its regular files in the order of
        the tree, and what it does not take is hashed afterwards.
        """
        if not os.path.isdir(source.path):
            return self._scan_file(source)
        chain = self._outer_chain(source)
        visits = list(self._visits(source, chain))
        hashed = _hashed(visits)
        if listener is not None and all(visit.is_new for visit in visits):
            listener(hashed)
        for _ in hashed:
            pass
        directories = tuple((visit.relative, self._record(visit)) for visit in visits)
        digest = xxh3_128(chain.identity)
        for relative, record in directories:
            # Not the listing: it says nothing of a file that changed within the tick in which it was hashed.
            name = os.fsencode(relative)
            digest.update(b"%d:%s%d:" % (len(name), name, len(record.payload)))
            digest.update(record.payload)
        return SourceTree(source, digest.digest(), chain, directories)

    def check_not_ignored(self, tree: SourceTree) -> None:
        """Raise `SourceError` when a rule leaves out the source as a whole, or a directory that it lies in."""
        source = tree.source
        if source.always or source.top == source.path:
            return
        lineage = _lineage(tree.chain)
        chains = {chain.path: chain for chain in lineage}
        chain = lineage[0]
        directory, relative = source.top, os.path.relpath(source.path, source.top)
        prefix = b""
        for name in relative.split("/"):
            chain = chains.get(os.path.join(directory, IGNORE_FILE), chain)
            path = os.path.join(directory, name)
            reason = self._rules_of(chain, source).reason(prefix, directory, name, os.path.isdir(path))
            if reason is not None or is_always_left_out(name):
                by = reason.label if reason else f"the name {name}"
                raise SourceError(
                    f"{quote(source.label)} is left out by {by}",
                    "remove the rule, or bring it back with a line that begins with '!'",
                )
            directory, prefix = path, prefix + os.fsencode(name) + b"/"

    def _scan_file(self, source: Source) -> SourceTree:
        chain = self._outer_chain(source)
        fingerprint = fingerprint_of(os.stat(source.path))
        if not is_regular(fingerprint):
            raise special_file(source.label, fingerprint[0])
        check_name(source.arcname, source.label)
        hashed = self._index.hash_file(source.path, source.label)
        executable = is_executable(hashed.fingerprint)
        file = SourceFile("", source.path, hashed.fingerprint[3], executable, hashed.digest, "")
        parts = (b"file", chain.identity, hashed.digest, b"x" if executable else b"-")
        return SourceTree(source, xxh3_128_digest(b"".join(parts)), chain, (), file)

    def _visits(self, source: Source, chain: IgnoreChain) -> Iterator[_Visit]:
        """Visit a source's directories from the top down, in the order of their names."""
        stack: list[tuple[str, IgnoreChain, tuple[str, ...]]] = [("", chain, (os.path.realpath(source.path),))]
        while stack:
            relative, outer, trail = stack.pop()
            visit = self._visit(source, relative, outer, trail)
            yield visit
            for name in reversed(visit.outcome.subfolders):
                below = trail
                if name in visit.outcome.linked:
                    below = (*trail, os.path.realpath(os.path.join(source.path, relative, name)))
                stack.append((relative + name + "/", visit.chain, below))

    def _visit(self, source: Source, relative: str, outer: IgnoreChain, trail: tuple[str, ...]) -> _Visit:
        path = f"{source.path}/{relative}".rstrip("/")
        key = f"module:{path}" if source.is_module else path
        label = self._label(path)
        listing = list_directory(path, label)
        self.seen_directories.add(key)
        stored = self._index.directory(key)
        old = DirectoryRecord(*stored) if stored is not None else None
        prefix = os.fsencode(path[len(source.top) + 1 :] + "/") if path != source.top else b""
        if old is not None and old.still_holds(listing.digest, outer.identity):
            return _Visit(relative, key, self._inner_chain(outer, path, prefix, old.ignore_digest), old, False)
        ignore_digest = self._ignore_digest(path) if listing.ignore_file is not None else b""
        chain = self._inner_chain(outer, path, prefix, ignore_digest)
        directory = Directory(
            source, path, label, prefix, trail, listing, outer.identity, ignore_digest, self._rules_of(chain, source)
        )
        scan = DirectoryScan(directory, self._index, self._pipeline_dir, old)
        return _Visit(relative, key, chain, scan, old is None)

    def _record(self, visit: _Visit) -> DirectoryRecord:
        if isinstance(visit.outcome, DirectoryRecord):
            return visit.outcome
        record = visit.outcome.record()
        self._index.put_directory(visit.key, tuple(record))
        return record

    def _rules_of(self, chain: IgnoreChain, source: Source) -> IgnoreRules:
        rules = self._rules.get(chain.identity)
        if rules is None:
            rules = self._rules[chain.identity] = IgnoreRules(chain, self._builtin, source.is_module)
        return rules

    def _outer_chain(self, source: Source) -> IgnoreChain:
        """Return the chain of the directories above the source, down from the pipeline's root."""
        kind = b"module" if source.is_module else b"source"
        chain = IgnoreChain(xxh3_128_digest(kind + self._builtin.digest))
        if source.top == source.path:
            return chain
        directory, prefix = source.top, b""
        for name in os.path.relpath(source.path, source.top).split("/"):
            if os.path.lexists(os.path.join(directory, IGNORE_FILE)):
                chain = self._inner_chain(chain, directory, prefix, self._ignore_digest(directory))
            directory, prefix = os.path.join(directory, name), prefix + os.fsencode(name) + b"/"
        return chain

    def _inner_chain(self, chain: IgnoreChain, directory: str, prefix: bytes, digest: bytes) -> IgnoreChain:
        if not digest:
            return chain
        path = os.path.join(directory, IGNORE_FILE)
        return chain.extended(path, self._label(path), prefix, digest)

    def _ignore_digest(self, directory: str) -> bytes:
        path = os.path.join(directory, IGNORE_FILE)
        if os.path.islink(path) or not os.path.isfile(path) or not os.access(path, os.R_OK):
            read_bytes(path, self._label(path))
        return self._index.hash_file(path, self._label(path)).digest

    def _label(self, path: str) -> str:
        """Return how messages name a path: relative to the pipeline when it lies in it."""
        return path.removeprefix(self._pipeline_dir + "/")


def _hashed(visits: list[_Visit]) -> Iterator[HashedFile]:
    """Hash what is not known by its fingerprint, in the order in which it will lie in the archive."""
    waiting = [
        (visit.relative + name, name, fingerprint, visit.outcome)
        for visit in visits
        if isinstance(visit.outcome, DirectoryScan)
        for name, fingerprint in visit.outcome.unhashed
    ]
    waiting.sort(key=lambda item: item[0])
    for relative, name, fingerprint, scan in waiting:
        yield relative, scan.hash(name, fingerprint)


def _lineage(chain: IgnoreChain) -> list[IgnoreChain]:
    """Return a chain and its parents, the outermost first."""
    chains = [chain]
    while chains[-1].parent is not None:
        chains.append(chains[-1].parent)
    return chains[::-1]
