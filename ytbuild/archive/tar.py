"""tar headers by hand, byte for byte those of `tarfile.TarInfo.tobuf(PAX_FORMAT)` for the same fields.

`tarfile` needs 20 µs for a header, this needs one, and most of a first build would otherwise be headers. Format:
POSIX.1-2001 (pax), see pax(1) and the "Basic Tar Format" of tar(5).
"""

from __future__ import annotations

BLOCK = 512
MTIME = 315532800
"""1980-01-01: the earliest time that zip files can hold too, so nothing that repacks a tree complains."""

END_OF_ARCHIVE = bytes(2 * BLOCK)

_NAME_LIMIT = 100
_SIZE_LIMIT = 8**11
_MODE_EXECUTABLE = b"0000755\0"
_MODE_PLAIN = b"0000644\0"
_OWNER = b"0000000\0" * 2
_TIME = b"%011o\0" % MTIME
_AFTER_LINK = b"ustar\x0000" + bytes(BLOCK - 265)
_CONSTANT_SUM = sum(_OWNER) + sum(_TIME) + 8 * 0x20 + sum(_AFTER_LINK)


def header(arcname: str, size: int, executable: bool, link: str = "") -> bytes:
    """Return the header blocks of a regular file of `size` bytes, or of a symbolic link to `link`."""
    if size >= _SIZE_LIMIT or len(arcname) > _NAME_LIMIT or len(link) > _NAME_LIMIT:
        return _extended(arcname, size, executable, link)
    if not (arcname.isascii() and link.isascii()):
        return _extended(arcname, size, executable, link)
    mode = _MODE_EXECUTABLE if executable else _MODE_PLAIN
    kind = b"2" if link else b"0"
    name, aim, length = arcname.encode(), link.encode(), b"%011o\0" % size
    # The checksum is the sum of all bytes; only these differ from member to member.
    checksum = _CONSTANT_SUM + sum(name) + sum(aim) + sum(length) + sum(mode) + kind[0]
    return b"%s%s%s%s%s%06o\0 %s%s%s" % (
        name.ljust(_NAME_LIMIT, b"\0"),
        mode,
        _OWNER,
        length,
        _TIME,
        checksum,
        kind,
        aim.ljust(_NAME_LIMIT, b"\0"),
        _AFTER_LINK,
    )


def padding(size: int) -> bytes:
    """Return the zero bytes that fill the last block of a file of `size` bytes."""
    return bytes(-size % BLOCK)


def padded(size: int) -> int:
    """Return `size` rounded up to whole blocks."""
    return size + -size % BLOCK


def _extended(arcname: str, size: int, executable: bool, link: str) -> bytes:
    """Return the header of a member that needs a pax record: rare, so Python's own code makes it."""
    import tarfile

    info = tarfile.TarInfo(arcname)
    info.size = size
    info.mode = 0o755 if executable else 0o644
    info.mtime = MTIME
    if link:
        info.type = tarfile.SYMTYPE
        info.linkname = link
    return info.tobuf(tarfile.PAX_FORMAT, "utf-8", "strict")
