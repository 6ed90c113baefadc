"""A database's file: copied into memory when it changes, so that nothing done to the file touches what is in use."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from exporter.errors import ExporterError
from exporter.geoip.process import Asks, Helper, HelperError

MAX_BYTES: Final = 256 * 1024 * 1024
"""Size of the largest database that is read: copies are held in memory. Those of countries take some 10 MB."""
INSTALL: Final = "pip install 'fail2ban-exporter[geoip]'"
_CHUNK: Final = 1024 * 1024

Signature = tuple[int, ...]


class DatabaseError(ExporterError):
    """A database can't be used; the text says why, to people."""


@dataclass(frozen=True, slots=True)
class _Copy:
    descriptor: int
    signature: Signature
    built_at: float


class DatabaseFile:
    """One database, as its file was when it was last good. Belongs to one thread."""

    def __init__(self, kind: str, path: Path, helper: Asks) -> None:
        """Prepare; nothing is read before `look`.

        Args:
            kind: ``country`` or ``asn``.
            path: the file.
            helper: asked whether a new file can be used.
        """
        self.kind = kind
        self.path = path
        self._helper = helper
        self._copy: _Copy | None = None
        self.fault: str | None = None
        """Why the file as it is now is not in use; None if it is."""

    @property
    def descriptor(self) -> int | None:
        """A descriptor of the database in use; None if none was good yet."""
        return None if self._copy is None else self._copy.descriptor

    @property
    def built_at(self) -> float | None:
        """When the database in use was built, in seconds since the epoch."""
        return None if self._copy is None else self._copy.built_at

    def look(self) -> bool:
        """Take the file over if it has changed and is good; else the one in use stays. Return whether there is news."""
        before = self._copy, self.fault
        try:
            with _opened(self.path) as file:
                if self._copy is None or self._copy.signature != _signature(file):
                    copy = _loaded(self.kind, self.path, file, self._helper)
                    self.close()
                    self._copy = copy
            self.fault = None
        except (DatabaseError, HelperError) as error:
            self.fault = str(error)
        return before != (self._copy, self.fault)

    def close(self) -> None:
        """Let go of the memory."""
        if self._copy is not None:
            os.close(self._copy.descriptor)
            self._copy = None


def database_faults(kind: str, path: Path) -> tuple[str, ...]:
    """Return why a file can't be used as a database of this kind, in one line; none if it can."""
    try:
        with _opened(path) as file:
            os.close(_loaded(kind, path, file, Helper()).descriptor)
    except DatabaseError as error:
        return (str(error),)
    except HelperError as error:
        return (f"{path}: {error}",)
    return ()


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    """Open a regular file, without waiting for anything."""
    try:
        file = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError as error:
        raise DatabaseError(f"{path}: {error.strerror}") from None
    try:
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise DatabaseError(f"{path}: not a regular file")
        yield file
    except OSError as error:
        raise DatabaseError(f"{path}: {error.strerror}") from None
    finally:
        os.close(file)


def _loaded(kind: str, path: Path, file: int, helper: Asks) -> _Copy:
    """Return a copy that was found to be good."""
    descriptor = os.memfd_create("geoip-database", os.MFD_CLOEXEC)
    try:
        signature = _copied(path, file, descriptor)
        return _Copy(descriptor, signature, _built_at(kind, path, descriptor, helper))
    except BaseException:
        os.close(descriptor)
        raise


def _built_at(kind: str, path: Path, descriptor: int, helper: Asks) -> float:
    """Return when a copy was built, if it can be used."""
    reply = helper.ask({"task": "inspect", "databases": {kind: descriptor}})
    match reply:
        case {"built_at": float(built_at)}:
            return built_at
        case {"fault": "not_installed"}:
            raise DatabaseError(f"reading it takes the package maxminddb, which is not installed: {INSTALL}")
        case _:
            raise DatabaseError(f"{path}: {reply.get('reason', 'unusable')}")


def _copied(path: Path, file: int, copy: int) -> Signature:
    """Copy a file, and return what it looked like before and after.

    Raises:
        DatabaseError: it is too large, or changed meanwhile.
    """
    signature = _signature(file)
    copied = 0
    while chunk := os.pread(file, _CHUNK, copied):
        copied += os.pwrite(copy, chunk, copied)
        if copied > MAX_BYTES:
            raise DatabaseError(f"{path}: larger than {MAX_BYTES // 1024**2} MiB, which is what is held in memory")
    if signature != _signature(file):
        raise DatabaseError(f"{path}: it is being written to; move a finished file to its place instead")
    return signature


def _signature(file: int) -> Signature:
    """Return what shows that a file is another one, or has changed."""
    found = os.fstat(file)
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
