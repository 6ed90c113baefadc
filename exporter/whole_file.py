"""Files as a whole: read all of it or nothing, and there whole or not at all, whatever happens in a write."""

from __future__ import annotations

import contextlib
import errno
import os
import stat
from pathlib import Path
from typing import BinaryIO

_MAX_SMALL_BYTES = 1 << 20
_PIECE = 1 << 16


def expect_regular(path: Path) -> None:
    """Refuse what is there and is no regular file: a device must be neither waited for nor replaced.

    Raises:
        OSError: It is not, or can't be looked at.
    """
    with contextlib.suppress(FileNotFoundError):
        if not stat.S_ISREG(path.stat().st_mode):
            raise OSError(errno.EINVAL, "not a regular file", str(path))


def read_up_to(file: BinaryIO, limit: int) -> bytes | None:
    """Return all that is left of a file, or None if that is more than `limit` bytes.

    In small pieces: asked for all of it Python allocates as much as there may be, and the C library keeps that for the
    thread from then on.

    Raises:
        OSError: It can't be read.
    """
    content = bytearray()
    while piece := file.read(min(_PIECE, limit + 1 - len(content))):
        content += piece
    return bytes(content) if len(content) <= limit else None


def read_small(path: Path) -> bytes:
    """Read a file that people write by hand: neither endless nor one that is waited for.

    Raises:
        ValueError: It can't be read, is no regular file, or is larger than 1 MiB; the message says which.
    """
    try:
        # Looked at first: opening a pipe would wait for its writer.
        if not stat.S_ISREG(path.stat().st_mode):
            raise ValueError("not a regular file")
        with path.open("rb") as file:
            content = read_up_to(file, _MAX_SMALL_BYTES)
    except OSError as error:
        raise ValueError(error.strerror or type(error).__name__) from None
    if content is None:
        raise ValueError("larger than 1 MiB")
    return content


def write_whole(path: Path, content: bytes, *, mode: int, temporary: Path) -> None:
    """Put a file in place of what is there: readers see the old or the new one, and after a power cut too.

    Which one that is after a power cut, is certain only where the folder can be read and synced.

    Args:
        path: the file.
        content: all of it.
        mode: its permissions, whatever the umask.
        temporary: what it is called until it is whole, in the same folder. What has that name is removed, and no link
            is followed.

    Raises:
        OSError: It could not be written; the old one is still there, and nothing of the new one.
    """
    try:
        temporary.unlink(missing_ok=True)
        descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL, mode=0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fchmod(file.fileno(), mode)
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise
    # The rename itself should be on disk too, or a power cut brings the old file back.
    with contextlib.suppress(OSError):  # a folder that can't be read, or a file system that syncs none: it is there
        _sync_folder(path.parent)


def _sync_folder(path: Path) -> None:
    folder = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
