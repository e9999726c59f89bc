"""What goes from `.build`: old archives, and what builds that were killed left behind."""

from __future__ import annotations

import contextlib
import os
import time

from ytbuild.base import files
from ytbuild.sources.fingerprint_index import FingerprintIndex
from ytbuild.store.local import LocalStore

KEPT_BUILDS = 10
KEPT_SECONDS = 30 * 24 * 3600
KEPT_BYTES = 4 << 30
"""Archives beyond the last `KEPT_BUILDS` may take this much, however young: a day of edits in a pipeline of 200 MB
would otherwise fill a disk long before the 30 days are over."""

_ABANDONED_AFTER = 60


def trim_store(store: LocalStore, index: FingerprintIndex, in_use: str) -> int:
    """Remove archives that no build of the last 30 days and none of the last ten used; return how many.

    Older ones also go when all together take more than `KEPT_BYTES`. The archive with the key `in_use` stays.
    """
    for name in ("", "archives", "manifests", "requirements"):
        files.remove_abandoned(os.path.join(store.build_dir, name), time.time() - _ABANDONED_AFTER)
    kept: set[str] = {in_use}
    removed = total = 0
    for rank, (used, key) in enumerate(store.by_use()):
        with contextlib.suppress(OSError):
            total += os.stat(store.archive_path(key)).st_size
        young = used > time.time() - KEPT_SECONDS and total <= KEPT_BYTES
        if key == in_use or rank < KEPT_BUILDS or young:
            kept.add(key)
            continue
        _remove(store, key)
        removed += 1
    _remove_without_manifest(store)
    for name in ("requirements", "log"):
        _remove_unused(os.path.join(store.build_dir, name))
    index.forget_archives(kept)
    return removed


def _remove(store: LocalStore, key: str) -> None:
    # The manifest goes first: an archive without one is nothing, a manifest without an archive is a miss.
    for path in (store.manifest_path(key), store.archive_path(key)):
        with contextlib.suppress(OSError):
            os.unlink(path)


def _remove_unused(folder: str) -> None:
    """Remove what nobody has used or written for 30 days: packages for dev jobs, logs."""
    with contextlib.suppress(OSError), os.scandir(folder) as entries:
        for entry in entries:
            if entry.stat().st_mtime < time.time() - KEPT_SECONDS:
                files.remove(entry.path)


def _remove_without_manifest(store: LocalStore) -> None:
    """Remove archives whose build was killed before the manifest; a live build's is younger than a minute."""
    with contextlib.suppress(OSError), os.scandir(os.path.join(store.build_dir, "archives")) as entries:
        for entry in entries:
            key = entry.name.removesuffix(".tar.gz")
            old = entry.stat().st_ctime < time.time() - _ABANDONED_AFTER
            if key != entry.name and old and not os.path.exists(store.manifest_path(key)):
                os.unlink(entry.path)
