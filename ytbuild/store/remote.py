"""`build_folder` on a cluster: immutable archives and manifests by key, segments of large ones, a link to the newest.

The cluster is asked each time; nothing that was uploaded is remembered here. Everything appears by the commit of a
transaction, so that nothing half-written can be seen. Names are claimed by creating them in it: whoever comes second
gets a conflict, and finds the first one's file a moment later.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from ytbuild.archive.segments import Segment
from ytbuild.base.errors import ArchiveError, ClusterError
from ytbuild.base.reporter import Warned
from ytbuild.cluster import files, nodes
from ytbuild.cluster.commands import Answer, Command
from ytbuild.cluster.connection import Connection
from ytbuild.cluster.error_codes import ACCESS_DENIED, ALREADY_EXISTS, LOCK_CONFLICT, RESOLVE_ERROR
from ytbuild.cluster.files import WrittenFile
from ytbuild.config.stage import ARCHIVE_NAME
from ytbuild.store.transfer import Content

CONFLICTS = frozenset({LOCK_CONFLICT, ALREADY_EXISTS})
"""Codes of the errors that say that somebody else is writing, or has written, a file."""

_ENDING = ".tar.gz"
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
class Presence:
    """What of an upload is on the cluster, and whether the link leads to it."""

    archive: bool
    manifest: bool
    linked: bool

    @property
    def is_complete(self) -> bool:
        """Tell whether archive and manifest are there."""
        return self.archive and self.manifest


class CypressStore:
    """The store in `folder`; what nothing uses for `expiration_days` goes by itself."""

    def __init__(self, connection: Connection, folder: str, expiration_days: float) -> None:
        self.connection = connection
        self.folder = folder
        self._expiration = int(expiration_days * 24 * 3600 * 1000)
        self._may_refresh = True

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

    def look(self, key: str, *, refresh: bool) -> Presence:
        """Tell what is there, in one request; with `refresh` what is there stays for another while."""
        paths = [self.archive_path(key), self.manifest_path(key)]
        commands = [*map(_attributes, paths), Command("get", {"path": f"{self.link_path}&/@target_path"})]
        if refresh:
            commands += map(self._expiry, paths)
        answers = self.connection.batch(commands)
        self._hear_of_refusals(answers[3:])
        archive, manifest, target = (answer.get_if_exists() for answer in answers[:3])
        return Presence(_is_whole(archive, key), _is_whole(manifest, key), linked=target == paths[0])

    def keys(self) -> list[str]:
        """Return the keys of all archives; none when there is no such folder."""
        (answer,) = self.connection.batch([Command("list", {"path": f"{self.folder}/archives"})])
        names = map(str, answer.get_if_exists() or ())
        return [name.removesuffix(_ENDING) for name in names if name.endswith(_ENDING)]

    def newest(self) -> str | None:
        """Return the key of the archive that the link leads to, None when there is none."""
        (answer,) = self.connection.batch([Command("get", {"path": f"{self.link_path}/@{_KEY}"})])
        key = answer.get_if_exists()
        return None if key is None else str(key)

    def read_manifest(self, key: str) -> bytes:
        """Return the manifest of an archive; raises `ArchiveError` when there is none."""
        try:
            return self.connection.read("read_file", {"path": self.manifest_path(key)})
        except ClusterError as error:
            if RESOLVE_ERROR not in error.codes:
                raise
            raise ArchiveError(
                f"{self.manifest_path(key)} is gone", "upload again, or choose another archive"
            ) from None

    def refresh(self, key: str) -> None:
        """Let an archive and its manifest stay for another while."""
        paths = (self.archive_path(key), self.manifest_path(key))
        self._hear_of_refusals(self.connection.batch([self._expiry(path) for path in paths]))

    def missing(self, wanted: Sequence[Segment], *, refresh: bool) -> list[Segment]:
        """Return those of the segments that are not there, each once, in their order; the others stay for another
        while."""
        # Equal pieces of large files are one segment at several places of the archive.
        wanted = list({segment.key: segment for segment in wanted}.values())
        paths = [self.segment_path(segment.key) for segment in wanted]
        commands = [*map(_attributes, paths), *(map(self._expiry, paths) if refresh else ())]
        answers = self.connection.batch(commands)
        self._hear_of_refusals(answers[len(wanted) :])
        return [
            segment
            for segment, answer in zip(wanted, answers, strict=False)
            if not _is_whole(answer.get_if_exists(), segment.key)
        ]

    def prepare(self, wanted: Sequence[Segment] = ()) -> None:
        """Make the folders that an upload, and these segments, need."""
        shards = sorted({f"segments/{segment.key[:2]}" for segment in wanted})
        folders = ["archives", "manifests", *shards]
        for answer in self.connection.batch([_folder(f"{self.folder}/{name}") for name in folders]):
            answer.get()

    def creation(self, path: str, key: str, size: int, transaction: str, force: bool) -> Command:
        """Return the command that creates a file within a transaction, and so claims its name.

        It fails with one of `CONFLICTS` when somebody else has, or writes, it. `force` replaces what has its name.
        """
        attributes = {_KEY: key, _WHOLE: size, "expiration_timeout": self._expiration}
        return Command(
            "create",
            {"type": "file", "path": path, "force": force, "transaction_id": transaction, "attributes": attributes},
        )

    def publish(
        self, upload: Upload, present: Presence, content: Content | None, parts: Sequence[Segment], *, force: bool
    ) -> None:
        """Make the archive and its manifest appear, both at once: from `content`, or joined from segments.

        What is present already stays as it is. `force` replaces what has their names and is not them. Raises
        `Conflict` when somebody else publishes the same, `SegmentVanished` when one of `parts` is not there, and
        `UploadError` when they are not what was sent.
        """
        archive, manifest = self.archive_path(upload.key), self.manifest_path(upload.key)
        sizes = {} if present.archive else {archive: upload.size}
        sizes |= {} if present.manifest else {manifest: len(upload.manifest)}
        written: list[WrittenFile] = []
        with self.connection.transactions.new(f"ytbuild: archive {upload.key}") as transaction:
            self._claim([self.creation(path, upload.key, size, transaction, force) for path, size in sizes.items()])
            if archive in sizes and content is not None:
                written.append(files.write(self.connection, archive, transaction, content()))
            elif archive in sizes:
                self._join(parts, archive, transaction)
                written.append(WrittenFile(archive, transaction, upload.size, md5=None))
            if manifest in sizes:
                blocks = (upload.manifest,)
                written.append(files.write(self.connection, manifest, transaction, blocks, compress=True))
            files.check(self.connection, written)

    def link(self, key: str) -> None:
        """Make the archive of this key the newest one, for people."""
        # Outside of any transaction: two uploads that end at once would be in each other's way.
        parameters = {"target_path": self.archive_path(key), "link_path": self.link_path, "force": True}
        self.connection.command("link", parameters)

    def _expiry(self, path: str) -> Command:
        return Command("set", {"path": f"{path}/@expiration_timeout"}, self._expiration)

    def _hear_of_refusals(self, answers: Sequence[Answer]) -> None:
        """Warn, once, of files that go although they are used: nothing is lost but the time to upload them again."""
        refused = [answer.error for answer in answers if answer.error is not None and answer.has(ACCESS_DENIED)]
        if refused and self._may_refresh:
            self._may_refresh = False
            text = f"what was uploaded expires although it is used: {refused[0].message}"
            self.connection.reporter.event(Warned(text))

    def _claim(self, creations: Sequence[Command]) -> None:
        for answer in self.connection.batch(creations):
            if answer.has(*CONFLICTS):
                raise Conflict from answer.error
            answer.get()

    def _join(self, parts: Iterable[Segment], path: str, transaction: str) -> None:
        sources = [self.segment_path(segment.key) for segment in parts]
        parameters = {"source_paths": sources, "destination_path": path, "transaction_id": transaction}
        try:
            self.connection.command("concatenate", parameters)
        except ClusterError as error:
            if RESOLVE_ERROR in error.codes:
                raise SegmentVanished from error
            # The official client does not repeat this command by itself.
            error.repeated = False
            raise


def archive_path(folder: str, key: str) -> str:
    """Return where the archive of a key lies in a `build_folder`."""
    return f"{folder}/archives/{key}{_ENDING}"


def _attributes(path: str) -> Command:
    return nodes.attributes_command(path, ["type", _KEY, _WHOLE, files.SIZE])


def _folder(path: str) -> Command:
    return Command("create", {"type": "map_node", "path": path, "recursive": True, "ignore_existing": True})


def _is_whole(attributes: Any, key: str) -> bool:
    """Tell whether a node with these attributes, None when there is none, is a whole file of this key."""
    return (
        isinstance(attributes, dict)
        and (str(attributes.get("type")), str(attributes.get(_KEY))) == ("file", key)
        and attributes.get(files.SIZE) == attributes.get(_WHOLE)
    )
