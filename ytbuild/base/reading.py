"""Reading files that the user may have replaced by something else in the meantime."""

from __future__ import annotations

import os
import stat

# O_NONBLOCK: opening a fifo must not wait for somebody who writes to it.
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK
READ_NO_LINK = READ | os.O_NOFOLLOW


def read_regular(path: str) -> bytes:
    """Return the content of a regular file; raises `OSError` when it cannot be read or is none."""
    with open(os.open(path, READ), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise OSError(None, "it is no regular file")
        return file.read()
