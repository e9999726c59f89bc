"""`build_folder` on a cluster: immutable archives and manifests by key, segments of large ones, a link to the newest.

The cluster is asked each time; nothing that was uploaded is remembered here. Everything appears by the commit of a
transaction, so that nothing half-written can be seen. Names are claimed by creating them in it: whoever comes second
gets a conflict, and finds the first one's file a moment later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import md5
from typing import Any

from ytbuild.archive.segments import Segment
from ytbuild.base.errors import ArchiveError, ClusterError, UploadError
from ytbuild.cluster.commands import (
    ALREADY_EXISTS,
    LOCK_CONFLICT,
    NO_SUCH_TRANSACTION,
    RESOLVE_ERROR,
    Answer,
    Cluster,
    Command,
)
from ytbuild.config.stage import ARCHIVE_NAME

Content = Callable[[], Iterable[bytes]]
"""Gives the bytes of a file in blocks, anew at each call."""

_CONFLICTS = frozenset({LOCK_CONFLICT, ALREADY_EXISTS})
_SIZE = "uncompressed_data_size"
_KEY = "ytbuild_key"
_WHOLE = "ytbuild_size"
"""The size that a file should have. It is not compared with that of the archive here: another version of the
compressor gives other bytes for the same key, and two machines would replace each other's archives for ever."""


class Conflict(Exception):
    """Somebody else is writing, or has just written, the same file."""


class SegmentVanished(Exception):
    """A segment that was there when it was looked for is gone."""


@dataclass(frozen=True)
class Upload:
    """An archive that goes up: its key and size, and its manifest."""

    key: str
    size: int
    manifest: bytes


@dataclass(frozen=True)
class Written:
    """A segment whose bytes are on the cluster, in a transaction that is still open; `digest` is their md5."""

    segment: Segment
    transaction: str
    digest: str


@dataclass(frozen=True)
class Presence:
    """What of an upload is on the cluster, and whether the link leads to it."""

    archive: bool
    manifest: bool
    linked: bool


class CypressStore:
    """The store in `folder`; what nothing uses for `expiration_days` goes by itself."""

    def __init__(self, cluster: Cluster, folder: str, expiration_days: float) -> None:
        self.cluster = cluster
        self.folder = folder
        self._expiration = int(expiration_days * 24 * 3600 * 1000)

    @property
    def link_path(self) -> str:
        """The link to the newest archive."""
        return f"{self.folder}/{ARCHIVE_NAME}"

    def archive_path(self, key: str) -> str:
        """Return where the archive of this key lies, or would lie."""
        return archive_path(self.folder, key)

    def manifest_path(self, key: str) -> str:
        """Return where the manifest of this key lies, or would lie."""
        return f"{self.folder}/manifests/{key}.json"

    def segment_path(self, key: str) -> str:
        """Return where a segment lies, or would lie."""
        return f"{self.folder}/segments/{key[:2]}/{key}"

    def look(self, upload: Upload, *, refresh: bool) -> Presence:
        """Tell what is there, in one request; with `refresh` what is there stays for another while."""
        archive, manifest = self.archive_path(upload.key), self.manifest_path(upload.key)
        commands = [
            _attributes(archive),
            _attributes(manifest),
            Command("get", {"path": f"{self.link_path}&/@target_path", "return_only_value": True}),
        ]
        if refresh:
            commands += [self._expire(archive), self._expire(manifest)]
        found = self.cluster.batch(commands)
        return Presence(
            archive=_is(_value(found[0]), upload.key),
            manifest=_is(_value(found[1]), upload.key),
            linked=_value(found[2]) == archive,
        )

    def keys(self) -> list[str]:
        """Return the keys of all archives; none when there is no such folder."""
        listed = self.cluster.batch([Command("list", {"path": f"{self.folder}/archives", "return_only_value": True})])
        ending = ".tar.gz"
        names = map(str, _value(listed[0]) or ())
        return [name.removesuffix(ending) for name in names if name.endswith(ending)]

    def newest(self) -> str | None:
        """Return the key of the archive that the link leads to, None when there is none."""
        path = f"{self.link_path}/@{_KEY}"
        found = self.cluster.batch([Command("get", {"path": path, "return_only_value": True})])
        key = _value(found[0])
        return None if key is None else str(key)

    def read_manifest(self, key: str) -> bytes:
        """Return the manifest of an archive; raises `ArchiveError` when there is none."""
        try:
            return self.cluster.read_file(self.manifest_path(key))
        except ClusterError as error:
            if RESOLVE_ERROR not in error.codes:
                raise
            raise ArchiveError(
                f"{self.manifest_path(key)} is gone", "upload again, or choose another archive"
            ) from None

    def refresh(self, key: str) -> None:
        """Let an archive and its manifest stay for another while."""
        self.cluster.batch([self._expire(self.archive_path(key)), self._expire(self.manifest_path(key))])

    def missing(self, wanted: Sequence[Segment], *, refresh: bool) -> list[Segment]:
        """Return those of the segments that are not there, each once, in their order; the others stay for another
        while."""
        # Equal pieces of large files are one segment at several places of the archive.
        wanted = list({segment.key: segment for segment in wanted}.values())
        commands = [_attributes(self.segment_path(segment.key)) for segment in wanted]
        if refresh:
            commands += [self._expire(self.segment_path(segment.key)) for segment in wanted]
        found = self.cluster.batch(commands)
        return [
            segment for segment, answer in zip(wanted, found, strict=False) if not _is(_value(answer), segment.key)
        ]

    def prepare(self, wanted: Sequence[Segment] = ()) -> None:
        """Make the folders that an upload, and these segments, need."""
        shards = sorted({f"segments/{segment.key[:2]}" for segment in wanted})
        folders = ["archives", "manifests", *shards]
        for answer in self.cluster.batch([_folder(f"{self.folder}/{name}") for name in folders]):
            if answer.error is not None:
                raise answer.error

    def claim(self, wanted: Sequence[Segment], *, force: bool) -> dict[str, str]:
        """Open a transaction for each segment and create it there; return the transactions by the segments' keys.

        Those that somebody else writes, or has, are left out. `force` replaces what has their names and is not them.
        """
        transactions = self.cluster.start([f"ytbuild: segment {segment.key}" for segment in wanted])
        claimed: dict[str, str] = {}
        try:
            commands = [
                self._creation(self.segment_path(segment.key), segment.key, segment.size, transaction, force)
                for segment, transaction in zip(wanted, transactions, strict=True)
            ]
            for segment, transaction, answer in zip(wanted, transactions, self.cluster.batch(commands), strict=True):
                if answer.error is None:
                    claimed[segment.key] = transaction
                elif not answer.error.codes & _CONFLICTS:
                    raise answer.error
        except BaseException:
            self.cluster.abort(transactions)
            raise
        self.cluster.abort([one for one in transactions if one not in claimed.values()])
        return claimed

    def write_segment(self, segment: Segment, transaction: str, content: Content) -> Written:
        """Write a claimed segment; nobody sees it before it is settled. A failure ends its transaction."""
        try:
            digest = self._write(self.segment_path(segment.key), content(), transaction)
        except BaseException:
            self.cluster.abort([transaction])
            raise
        return Written(segment, transaction, digest)

    def settle(self, written: Sequence[Written]) -> list[Segment]:
        """Let written segments appear, once they are what was sent; return those that have.

        The others have lost their transactions. Raises `UploadError` when one is not what was sent.
        """
        try:
            paths = [self.segment_path(one.segment.key) for one in written]
            self._check(
                [
                    (path, one.segment.size, one.digest, one.transaction)
                    for path, one in zip(paths, written, strict=True)
                ]
            )
            done = self.cluster.commit([one.transaction for one in written])
        except ClusterError as error:
            if NO_SUCH_TRANSACTION not in error.codes:
                raise
            done = []
        finally:
            self.cluster.abort([one.transaction for one in written])
        return [one.segment for one in written if one.transaction in done]

    def publish(
        self, upload: Upload, present: Presence, content: Content | None, parts: Sequence[Segment], *, force: bool
    ) -> None:
        """Make the archive and its manifest appear, both at once: from `content`, or joined from segments.

        What is present already stays as it is. `force` replaces what has their names and is not them. Raises
        `Conflict` when somebody else publishes the same, `SegmentVanished` when one of `parts` is not there.
        """
        archive, manifest = self.archive_path(upload.key), self.manifest_path(upload.key)
        created = [(archive, upload.key, upload.size)] * (not present.archive)
        created += [(manifest, upload.key, len(upload.manifest))] * (not present.manifest)
        checks: list[tuple[str, int, str | None, str]] = []
        with self.cluster.transaction(f"ytbuild: archive {upload.key}") as transaction:
            self._create(created, transaction, force=force)
            if not present.archive:
                digest = None
                if content is not None:
                    digest = self._write(archive, content(), transaction)
                else:
                    self._join(parts, archive, transaction)
                checks.append((archive, upload.size, digest, transaction))
            if not present.manifest:
                digest = self._write(manifest, (upload.manifest,), transaction, compress=True)
                checks.append((manifest, len(upload.manifest), digest, transaction))
            self._check(checks)

    def link(self, key: str) -> None:
        """Make the archive of this key the newest one, for people."""
        # Outside of any transaction: two uploads that end at once would be in each other's way.
        self.cluster.command(
            "link", {"target_path": self.archive_path(key), "link_path": self.link_path, "force": True}
        )

    def _expire(self, path: str) -> Command:
        return Command("set", {"path": f"{path}/@expiration_timeout"}, self._expiration)

    def _create(self, files: Iterable[tuple[str, str, int]], transaction: str, *, force: bool) -> None:
        for answer in self.cluster.batch([self._creation(*file, transaction, force) for file in files]):
            if answer.error is None:
                continue
            if answer.error.codes & _CONFLICTS:
                raise Conflict from answer.error
            raise answer.error

    def _creation(self, path: str, key: str, size: int, transaction: str, force: bool) -> Command:
        attributes = {_KEY: key, _WHOLE: size, "expiration_timeout": self._expiration}
        return Command(
            "create",
            {"type": "file", "path": path, "force": force, "transaction_id": transaction, "attributes": attributes},
        )

    def _write(self, path: str, blocks: Iterable[bytes], transaction: str, *, compress: bool = False) -> str:
        """Write a file's content; return its md5 in hex."""
        hasher = md5(usedforsecurity=False)

        def hashed() -> Iterable[bytes]:
            for block in blocks:
                hasher.update(block)
                yield block

        self.cluster.write_file(path, hashed(), transaction, compress=compress)
        return hasher.hexdigest()

    def _join(self, parts: Sequence[Segment], path: str, transaction: str) -> None:
        sources = [self.segment_path(segment.key) for segment in parts]
        try:
            self.cluster.command(
                "concatenate", {"source_paths": sources, "destination_path": path, "transaction_id": transaction}
            )
        except ClusterError as error:
            if RESOLVE_ERROR in error.codes:
                raise SegmentVanished from error
            # The official client does not repeat this command by itself.
            error.repeated = False
            raise

    def _check(self, files: Sequence[tuple[str, int, str | None, str]]) -> None:
        """Compare the size and hash of files, given with their transactions, with those of the cluster.

        Raises `UploadError` when they differ.
        """
        answers = self.cluster.batch([_attributes(path, transaction) for path, _, _, transaction in files])
        for (path, size, digest, _), answer in zip(files, answers, strict=True):
            if answer.error is not None:
                raise answer.error
            found = answer.value
            if int(found.get(_SIZE, -1)) != size or (digest is not None and str(found.get("md5")) != digest):
                raise UploadError(
                    f"{path} is not what was sent: {found.get(_SIZE)} of {size} bytes, md5 {found.get('md5')}",
                    "upload again; when it stays so, something between here and the cluster changes data",
                )


def archive_path(folder: str, key: str) -> str:
    """Return where the archive of a key lies in a `build_folder`."""
    return f"{folder}/archives/{key}.tar.gz"


def _attributes(path: str, transaction: str | None = None) -> Command:
    parameters: dict[str, Any] = {
        "path": f"{path}/@",
        "attributes": ["type", _KEY, _WHOLE, _SIZE, "md5"],
        "return_only_value": True,
    }
    return Command("get", parameters | ({"transaction_id": transaction} if transaction else {}))


def _folder(path: str) -> Command:
    return Command("create", {"type": "map_node", "path": path, "recursive": True, "ignore_existing": True})


def _value(answer: Answer) -> Any:
    """Return an answer's value, None when there is no such thing; every other error is raised."""
    if answer.error is not None and RESOLVE_ERROR not in answer.error.codes:
        raise answer.error
    return None if answer.error else answer.value


def _is(found: Any, key: str) -> bool:
    return (
        isinstance(found, dict)
        and (str(found.get("type")), str(found.get(_KEY))) == ("file", key)
        and found.get(_SIZE) == found.get(_WHOLE)
    )
