"""fail2ban's database, looked at without a lock: its size, and how many bans it holds.

fail2ban writes with a journal in memory (versions 0.11 to 1.1), so nothing on disk says that it is at it. Its locks do,
and the kernel tells whether one is held without taking any (``F_GETLK``). What is read counts only if no writer was at
it when it began nor when it ended, and none has come and gone in between, which the file's change counter and time of
change tell.
"""

from __future__ import annotations

import fcntl
import os
import stat
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.files.sqlite_file import Header, NoDatabaseError, SqliteFile

BANS: Final = "bans"
"""The table with a row for each ban, until fail2ban purges it (``dbpurgeage``); in all versions since 0.11."""
_ATTEMPTS: Final = 10
_PAUSE_SECONDS: Final = 0.1
"""Between two attempts: a transaction of fail2ban's takes a few milliseconds."""

# struct flock; PENDING, RESERVED and SHARED are at these bytes of every SQLite database, wherever the file ends.
_FLOCK: Final = "hhqqi0q"
_LOCK_BYTE: Final = 0x4000_0000
_LOCK_BYTES: Final = 512


@dataclass(frozen=True, slots=True)
class Stamp:
    """What is another after each write."""

    file: tuple[int, int]
    size: int
    modified: int
    """Nanoseconds, as coarse as the kernel's clock tick."""
    header: Header


@dataclass(frozen=True, slots=True)
class Counted:
    """How many bans there are, and of when that is; both None where it is not known."""

    bans: int | None = None
    stamp: Stamp | None = None


def size(path: str) -> int | None:
    """Return the size of a database in bytes; None if there is no file, or it can't be seen."""
    if path.startswith("/"):
        with suppress(OSError, ValueError):
            status = Path(path).stat()
            return status.st_size if stat.S_ISREG(status.st_mode) else None
    return None


def count(path: str, before: Counted, sleep: Callable[[float], object] = time.sleep) -> Counted:
    """Count the bans in a database; anew only if it has changed since `before`. Never raises for what can't be read.

    May wait for about a second in all for a moment in which nobody writes.
    """
    if size(path) is None:
        return Counted()
    try:
        descriptor = _open(path)
    except (OSError, ValueError):
        return Counted()
    try:
        return _counted(path, descriptor, before, sleep)
    except (OSError, NoDatabaseError):
        return Counted()
    finally:
        os.close(descriptor)


def _open(path: str) -> int:
    """Open a regular file for reading. Whatever else is in its place is not opened: that could have effects."""
    found = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        if not stat.S_ISREG(os.fstat(found).st_mode):
            raise ValueError("no regular file")
        return os.open(f"/proc/self/fd/{found}", os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    finally:
        os.close(found)


def _counted(path: str, descriptor: int, before: Counted, sleep: Callable[[float], object]) -> Counted:
    """Return how many bans there are, unless there is no moment to read it in peace."""
    for attempt in range(_ATTEMPTS):
        if attempt:
            sleep(_PAUSE_SECONDS)
        # In this order: what a writer who is done by the time that the lock is looked at has changed shows in the end.
        stamp = _stamp(descriptor)
        if _is_being_written(descriptor) or _has_journal(path):
            continue
        if before.stamp == stamp:
            return before
        try:
            bans = SqliteFile(descriptor, stamp.header).count(BANS)
        except NoDatabaseError:
            if _is_being_written(descriptor) or _stamp(descriptor) != stamp:
                continue
            raise
        if not _is_being_written(descriptor) and _stamp(descriptor) == stamp:
            return Counted(bans, stamp)
    return Counted()


def _stamp(descriptor: int) -> Stamp:
    header = Header.read(descriptor)
    status = os.fstat(descriptor)
    return Stamp((status.st_dev, status.st_ino), status.st_size, status.st_mtime_ns, header)


def _is_being_written(descriptor: int) -> bool:
    """Tell whether a process holds a lock for writing, or waits for one. Takes none."""
    question = struct.pack(_FLOCK, fcntl.F_RDLCK, os.SEEK_SET, _LOCK_BYTE, _LOCK_BYTES, 0)
    answer = fcntl.fcntl(descriptor, fcntl.F_GETLK, question)
    return bool(struct.unpack(_FLOCK, answer)[0] != fcntl.F_UNLCK)


def _has_journal(path: str) -> bool:
    """Tell whether a transaction is under way, or was broken off, that keeps a journal on disk."""
    with suppress(OSError):
        return Path(f"{path}-journal").stat().st_size > 0
    return False
